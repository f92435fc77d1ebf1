"""Load the snapshot of a running task that the monitoring rules judge."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.snapshot import (
    Acted,
    AgentMessage,
    OpenWork,
    Snapshot,
    Waiting,
    Watched,
    WatchOptions,
)
from engine.domain.waits import Awaited
from engine.lifecycle.waits import awaited_by
from engine.store.core import (
    AGENTS,
    ASSIGNMENTS,
    BUDGETS,
    GATES,
    INTERVENTIONS,
    MESSAGES,
    REVISIONS,
    WAITS,
    AnyRow,
)

NEWEST = 4_000
"""Newest messages and revisions of all tasks that are read: both tables are read from their end."""

_unread = (
    sa.select(MESSAGES.c.id)
    .where(MESSAGES.c.to_agent == AGENTS.c.id, MESSAGES.c.consumed_step.is_(None), MESSAGES.c.wakes)
    .correlate(AGENTS)
    .exists()
)


def take_snapshot(connection: Connection, task: AnyRow, now: float, options: WatchOptions) -> Snapshot:
    """Return the snapshot of a task (its row) as of this transaction."""
    written = _written(connection, task.id, now - options.window_s)
    assigned = _assigned(connection, task.id)
    return Snapshot(
        boss_id=task.boss_id,
        agents=tuple(_watched(row, written, assigned) for row in _agents(connection, task.id)),
        work=open_work(connection, task.id),
        messages=_messages(connection, task.id),
        asking=_asking(connection, task.id),
        given=frozenset(assigned),
        acted=_acted(connection, task.id),
        plan_agents=task.plan_agents,
        waiting=_waiting(connection, task.id),
        audited=task.auditor_id is not None,
    )


def _agents(connection: Connection, task_id: int) -> list[AnyRow]:
    busy = sa.or_(AGENTS.c.in_turn, _unread)
    query = (
        sa.select(AGENTS, busy.label("busy"))
        .where(AGENTS.c.task_id == task_id, AGENTS.c.status != "dismissed")
        .order_by(AGENTS.c.id)
    )
    return list(connection.execute(query))


def _watched(row: AnyRow, written: dict[str, tuple[int, float]], assigned: dict[int, float]) -> Watched:
    writes, last = written.get(row.name, (0, 0.0))
    return Watched(
        id=row.id,
        name=row.name,
        role=row.role,
        group_id=row.group_id,
        head_id=row.head_id,
        leads=row.leads_group_id is not None,
        active=row.status == "active",
        busy=bool(row.busy),
        active_at=row.active_at,
        joined_at=row.created_at,
        steps=row.fence,
        writes=writes,
        produced_at=max(last, assigned.get(row.id, 0.0)),
    )


def _written(connection: Connection, task_id: int, since: float) -> dict[str, tuple[int, float]]:
    """Return writer's name -> (files written since `since`, time of the last)."""
    newest = connection.execute(sa.select(sa.func.max(REVISIONS.c.id))).scalar() or 0
    query = (
        sa.select(REVISIONS.c.agent, sa.func.count(), sa.func.max(REVISIONS.c.at))
        .where(REVISIONS.c.id > newest - NEWEST, REVISIONS.c.task_id == task_id, REVISIONS.c.at >= since)
        .group_by(REVISIONS.c.agent)
    )
    return {name: (count, last) for name, count, last in connection.execute(query)}


def _assigned(connection: Connection, task_id: int) -> dict[int, float]:
    """Return agent id -> time of the last change of an assignment it ever had."""
    query = (
        sa.select(ASSIGNMENTS.c.assignee_id, sa.func.max(ASSIGNMENTS.c.changed_at))
        .where(ASSIGNMENTS.c.task_id == task_id)
        .group_by(ASSIGNMENTS.c.assignee_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _waiting(connection: Connection, task_id: int) -> tuple[Waiting, ...]:
    query = (
        sa.select(WAITS, ASSIGNMENTS.c.assignee_id)
        .outerjoin(ASSIGNMENTS, ASSIGNMENTS.c.id == WAITS.c.assignment_id)
        .where(WAITS.c.task_id == task_id)
        .order_by(WAITS.c.id)
    )
    return tuple(
        Waiting(
            row.agent_id,
            Awaited(row.path, row.assignment_id, row.answer_of),
            row.created_at,
            row.assignee_id,
        )
        for row in connection.execute(query)
    )


def open_work(connection: Connection, task_id: int) -> tuple[OpenWork, ...]:
    """Return the assignments that are open or wait for review, in the order they were given."""
    rows = connection.execute(
        sa.select(ASSIGNMENTS, AGENTS.c.status, AGENTS.c.refused, BUDGETS.c.frozen)
        .join(AGENTS, AGENTS.c.id == ASSIGNMENTS.c.assignee_id)
        .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
        .where(ASSIGNMENTS.c.task_id == task_id, ASSIGNMENTS.c.state.in_(("open", "submitted")))
        .order_by(ASSIGNMENTS.c.id)
    )
    held = {agent: ", ".join(wait.shown for wait in waits) for agent, waits in _awaited(connection, task_id)}
    return tuple(
        OpenWork(
            r.id,
            r.title,
            r.state,
            r.giver_id,
            r.assignee_id,
            r.changed_at,
            _why_stuck(r),
            held.get(r.assignee_id, ""),
        )
        for r in rows
    )


def _awaited(connection: Connection, task_id: int) -> list[tuple[int, list[Awaited]]]:
    rows = awaited_by(connection, task_id).items()
    return [
        (agent, [Awaited(row.path, row.assignment_id) for row in waits if row.answer_of is None])
        for agent, waits in rows
    ]


def _why_stuck(row: AnyRow) -> str:
    if row.frozen:
        return "its agent has no budget left"
    if row.refused:
        return str(row.refused)
    return "" if row.status == "active" else f"its agent is {row.status}"


def _messages(connection: Connection, task_id: int) -> tuple[AgentMessage, ...]:
    newest = connection.execute(sa.select(sa.func.max(MESSAGES.c.id))).scalar() or 0
    query = (
        sa.select(
            MESSAGES.c.id,
            MESSAGES.c.from_agent,
            MESSAGES.c.to_agent,
            sa.and_(MESSAGES.c.wakes, MESSAGES.c.about != "told").label("asks"),
            sa.func.length(MESSAGES.c.text).label("chars"),
            MESSAGES.c.created_at,
            sa.func.substr(MESSAGES.c.text, 1, 80).label("start"),
        )
        .where(
            MESSAGES.c.id > newest - NEWEST,
            MESSAGES.c.task_id == task_id,
            MESSAGES.c.from_kind == "agent",
        )
        .order_by(MESSAGES.c.id)
    )
    return tuple(
        AgentMessage(r.id, r.from_agent, r.to_agent, bool(r.asks), r.chars, r.created_at, r.start)
        for r in connection.execute(query)
    )


def _asking(connection: Connection, task_id: int) -> frozenset[int]:
    query = sa.select(GATES.c.agent_id).where(
        GATES.c.task_id == task_id, GATES.c.basis.is_(None), GATES.c.agent_id.is_not(None)
    )
    return frozenset(connection.execute(query).scalars())


def _acted(connection: Connection, task_id: int) -> dict[tuple[str, str], Acted]:
    rows = connection.execute(sa.select(INTERVENTIONS).where(INTERVENTIONS.c.task_id == task_id))
    return {(row.rule, row.subject): Acted(row.times, row.at) for row in rows}
