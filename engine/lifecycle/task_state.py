"""Change a task's state, and find the agents that are ready to run."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.gates import GateBasis
from engine.events import (
    PauseCause,
    TaskChanged,
    TaskState,
)
from engine.lifecycle.gates import close_gates
from engine.lifecycle.waiting import begin_waiting, end_waiting
from engine.ports import Wake
from engine.store.core import (
    AGENTS,
    BUDGETS,
    GATES,
    MESSAGES,
    TASKS,
    AnyRow,
    append_events,
    new_key,
)

_REOPENED: Mapping[GateBasis, str] = {
    "resumed": "",
    "cap_raised": "cap raised",
    "new_month": "a new month began",
    "wrapped_up": "wrapping up",
}


def reopen(
    connection: Connection, task: AnyRow, basis: GateBasis, now: float, by: str = ""
) -> tuple[Wake, ...]:
    """Set the task running and close its gates about caps and the month. Return the agents to wake."""
    set_state(connection, task, "running", _REOPENED[basis], now, by=by)
    caps = sa.and_(GATES.c.task_id == task.id, GATES.c.kind.in_(("cap", "month")))
    closed = close_gates(connection, caps, basis)
    append_events(connection, [(f"gate{body.gate_id}.closed", body) for body in closed], now)
    return ready_agents(connection, task.id)


def set_state(
    connection: Connection,
    task: AnyRow,
    state: TaskState,
    reason: str,
    now: float,
    cause: PauseCause = "",
    by: str = "",
) -> None:
    """Set the task running or paused and append the event; while it is paused its minutes do not run."""
    connection.execute(
        TASKS.update()
        .where(TASKS.c.id == task.id)
        .values(state=state, reason=reason, paused_for=cause, progress_at=now, quiet_rounds=0)
    )
    (begin_waiting if state == "paused" else end_waiting)(connection, task.id, now)
    body = TaskChanged(task.id, state, reason, cause, by)
    append_events(connection, [(f"t{task.id}.{state}.{new_key()}", body)], now)


def ready_agents(connection: Connection, task_id: int | None = None) -> tuple[Wake, ...]:
    """Return wake-ups for active agents of running tasks that have unread messages or an open turn.

    With `stranded_agents` this is all that recovery after a crash needs.
    """
    unread = (
        sa.select(MESSAGES.c.id)
        .where(MESSAGES.c.to_agent == AGENTS.c.id, MESSAGES.c.consumed_step.is_(None), MESSAGES.c.wakes)
        .exists()
    )
    query = (
        sa.select(AGENTS.c.id, AGENTS.c.task_id)
        .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
        .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
        .where(
            TASKS.c.state == "running",
            AGENTS.c.status == "active",
            ~BUDGETS.c.frozen,
            sa.or_(AGENTS.c.in_turn, unread),
        )
        .order_by(AGENTS.c.id)
    )
    if task_id is not None:
        query = query.where(AGENTS.c.task_id == task_id)
    return tuple(Wake(row.id, row.task_id) for row in connection.execute(query))


def stranded_agents(connection: Connection) -> tuple[Wake, ...]:
    """Return wake-ups for agents that may not run and hold a reservation: of a call that is not booked yet,
    or that a crash cut off. Their next load releases it, which waits for the call where it is under way.
    """
    stopped = sa.or_(AGENTS.c.status != "active", TASKS.c.state != "running", BUDGETS.c.frozen)
    held = sa.or_(AGENTS.c.reserved_tokens > 0, AGENTS.c.reserved_micros > 0)
    query = (
        sa.select(AGENTS.c.id, AGENTS.c.task_id)
        .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
        .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
        .where(held, stopped)
        .order_by(AGENTS.c.id)
    )
    return tuple(Wake(row.id, row.task_id) for row in connection.execute(query))
