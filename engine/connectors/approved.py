"""Calls that a person agreed to: claim them, make them, notify_agent the agent what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.connectors.ledger import GRACE_S, CallRefused, charge, check_limits, finish, give_up
from engine.connectors.recovery import notify_agent
from engine.domain.outside import CallEnd
from engine.ports import OutsideAnswer, OutsideTool, Wake
from engine.store.core import AGENTS, BUDGETS, OUTSIDE_CALLS, TASKS, AnyRow, loads
from engine.store.lookup import budget_path


@dataclass(frozen=True, slots=True)
class Claimed:
    """An approved call that this process makes now."""

    id: int
    task_id: int
    arguments: dict[str, Any]


def waiting(connection: Connection) -> list[tuple[int, str, str]]:
    """Return id, server and tool of the approved calls of running tasks, oldest first."""
    query = (
        sa.select(OUTSIDE_CALLS.c.id, OUTSIDE_CALLS.c.server, OUTSIDE_CALLS.c.tool)
        .join(TASKS, TASKS.c.id == OUTSIDE_CALLS.c.task_id)
        .where(OUTSIDE_CALLS.c.state == "pending", TASKS.c.state == "running")
        .order_by(OUTSIDE_CALLS.c.id)
    )
    return [(row.id, row.server, row.tool) for row in connection.execute(query)]


def claim(
    connection: Connection, call_id: int, tool: OutsideTool | None, now: float
) -> Claimed | tuple[Wake, ...]:
    """Write that an approved call is sent, or settle it when it cannot be made. Only one caller gets it.

    `tool` None: its server no longer has it. Return the call, or the agents to wake.
    """
    row = connection.execute(_open_call(call_id)).first()
    if row is None:
        return ()
    if tool is None or (tool.server, tool.tool) != (row.server, row.tool):
        return _not_made(connection, row, "Its server has no such tool any more.", now)
    try:
        check_limits(connection, row.task_id, tool, now)
        price = (row.server, row.price_micros)
        paid_in = charge(connection, row.task_id, budget_path(row.path), price, now)
    except CallRefused as refused:
        return _not_made(connection, row, str(refused), now)
    lease = now + tool.limits.timeout_s + GRACE_S
    values = {"state": "sent", "sent_at": now, "lease_until": lease, "paid_in": paid_in}
    connection.execute(OUTSIDE_CALLS.update().where(OUTSIDE_CALLS.c.id == row.id).values(**values))
    return Claimed(row.id, row.task_id, loads(row.arguments_json))


def _open_call(call_id: int) -> sa.Select[Any]:
    return (
        sa.select(OUTSIDE_CALLS, BUDGETS.c.path)
        .join(AGENTS, AGENTS.c.id == OUTSIDE_CALLS.c.agent_id)
        .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
        .join(TASKS, TASKS.c.id == OUTSIDE_CALLS.c.task_id)
        .where(OUTSIDE_CALLS.c.id == call_id, OUTSIDE_CALLS.c.state == "pending", TASKS.c.state == "running")
        .with_for_update(of=OUTSIDE_CALLS)
    )


def _not_made(connection: Connection, row: AnyRow, why: str, now: float) -> tuple[Wake, ...]:
    values = {"state": "failed", "told": True, "result": why, "ended_at": now}
    connection.execute(OUTSIDE_CALLS.update().where(OUTSIDE_CALLS.c.id == row.id).values(**values))
    return notify_agent(connection, row, "not_sent", why, now)


def answered(connection: Connection, call_id: int, answer: OutsideAnswer, now: float) -> tuple[Wake, ...]:
    """Write the answer of an approved call and notify_agent it. Return the agents to wake."""
    if not finish(connection, call_id, answer, now):
        return ()
    return _told(connection, call_id, "failed" if answer.failed else "done", now)


def lost(
    connection: Connection, call_id: int, end: CallEnd, why: OutsideAnswer, now: float
) -> tuple[Wake, ...]:
    """Write that an approved call did not happen, or that nobody knows, and notify_agent it."""
    give_up(connection, call_id, "failed" if end == "not_sent" else "unknown", why, now)
    return _told(connection, call_id, end, now)


def _told(connection: Connection, call_id: int, end: CallEnd, now: float) -> tuple[Wake, ...]:
    row = connection.execute(sa.select(OUTSIDE_CALLS).where(OUTSIDE_CALLS.c.id == call_id)).one()
    if row.told:
        return ()
    connection.execute(OUTSIDE_CALLS.update().where(OUTSIDE_CALLS.c.id == call_id).values(told=True))
    return notify_agent(connection, row, end, row.result, now)
