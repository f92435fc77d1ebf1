"""The ledger of calls to the world outside: each is written before it is sent, and never repeated blindly.

A call is `sent` in its own transaction, under the fence of its turn, before anything reaches the tool; its
result is written before the step commits. What a process that died had sent is found here: a call that only
reads is made again, any other is told to its agent and to the people as unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.prices import book_price, refund_price
from engine.domain.outside import CallState
from engine.errors import EngineError, Fenced
from engine.ports import OutsideAnswer, OutsideTool
from engine.store.addresses import add_addresses
from engine.store.core import AGENTS, BUDGETS, GATES, OUTSIDE_CALLS, AnyRow, dumps, loads, new_id
from engine.store.lookup import budget_path

GRACE_S = 30.0
"""Seconds after the time that a call may take, after which nobody waits for its answer any more."""

COUNTED = ("sent", "done", "unknown")
HOUR_S = 3_600.0
_LIMITS_LOCK = 0x4C696D69


class CallRefused(EngineError):
    """The call may not be made now; the text tells the model what to do instead."""


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call that is to be made. `key` is the same when the same step makes the same call again."""

    task_id: int
    agent_id: int
    fence: int
    step: int
    key: str
    tool: OutsideTool
    digest: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Begun:
    """The call was written as sent: it is made now, once."""

    id: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A call whose outcome the ledger has. `reused`: another call of the task, which only read the same.
    `told`: its agent and the people know already."""

    id: int
    state: CallState
    answer: OutsideAnswer
    ended_at: float
    reused: bool = False
    told: bool = False


def begin(connection: Connection, call: NewCall, now: float) -> Begun | Kept:
    """Write that the call is sent, or return what the ledger already has of it.

    Raises Fenced when another worker owns the turn, CallRefused over a limit of the server or a cap.
    """
    path = _path_under_fence(connection, call.agent_id, call.fence)
    row = connection.execute(sa.select(OUTSIDE_CALLS).where(OUTSIDE_CALLS.c.key == call.key)).first()
    if row is not None and (row.state != "sent" or not may_repeat(row)):
        return kept(row)
    if row is not None:
        # The process that made it has gone; whatever it cost stays booked, and this one costs it again.
        lease = now + call.tool.limits.timeout_s + GRACE_S
        paid_in = charge(connection, call.task_id, path, (call.tool.server, call.tool.price_micros), now)
        _change(connection, row.id, sent_at=now, lease_until=lease, paid_in=paid_in)
        return Begun(row.id)
    reused = _reusable(connection, call, now)
    if reused is not None:
        return reused
    check_limits(connection, call.task_id, call.tool, now)
    paid_in = charge(connection, call.task_id, path, (call.tool.server, call.tool.price_micros), now)
    return Begun(new_id(connection, OUTSIDE_CALLS, {**_values(call, now), "paid_in": paid_in}))


def known(connection: Connection, key: str) -> Kept | None:
    """Return what became of the call with this key; None when it was not made, or is to be made again."""
    row = connection.execute(sa.select(OUTSIDE_CALLS).where(OUTSIDE_CALLS.c.key == key)).first()
    return kept(row) if row is not None and row.state != "sent" else None


def may_repeat(row: AnyRow) -> bool:
    """Return whether making the call once more changes nothing."""
    return bool(row.reads_only or row.repeatable)


def kept(row: AnyRow, *, reused: bool = False) -> Kept:
    """Return what the ledger has of a call."""
    answer = OutsideAnswer(row.result, row.failed, tuple(loads(row.addresses_json)))
    return Kept(row.id, row.state, answer, row.ended_at or 0.0, reused, bool(row.told))


def finish(connection: Connection, call_id: int, answer: OutsideAnswer, now: float) -> bool:
    """Write the answer, and the addresses that it gives the task. Return False when the call was given up as
    unknown and told so meanwhile."""
    changed = connection.execute(
        OUTSIDE_CALLS.update()
        .where(OUTSIDE_CALLS.c.id == call_id, OUTSIDE_CALLS.c.state == "sent")
        .values(
            state="done",
            failed=answer.failed,
            result=answer.text,
            addresses_json=dumps(answer.addresses),
            ended_at=now,
        )
    )
    if answer.links:
        call = OUTSIDE_CALLS.c.id == call_id
        task = connection.execute(sa.select(OUTSIDE_CALLS.c.task_id).where(call)).scalar_one()
        add_addresses(connection, task, answer.links, answer.basis, now)
    return changed.rowcount == 1


def give_up(connection: Connection, call_id: int, state: CallState, why: OutsideAnswer, now: float) -> None:
    """Write that the call did not happen ("failed"), or that nobody knows ("unknown"). `why.failed`: the
    tool's own words are in it."""
    row = connection.execute(sa.select(OUTSIDE_CALLS).where(OUTSIDE_CALLS.c.id == call_id)).one()
    if row.state != "sent":
        return
    _change(connection, call_id, state=state, result=why.text, failed=why.failed, ended_at=now)
    if state == "failed" and row.price_micros:
        agent = sa.select(BUDGETS.c.path).join(AGENTS, AGENTS.c.budget_id == BUDGETS.c.id)
        path = connection.execute(agent.where(AGENTS.c.id == row.agent_id)).scalar_one()
        refund_price(connection, row, budget_path(path), now)


def told(connection: Connection, call_id: int) -> None:
    """Note that the call's agent knows what became of it."""
    _change(connection, call_id, told=True)


def is_unknown(connection: Connection, task_id: int, digest: str) -> bool:
    """Return whether exactly this call was made in the task and nobody knows whether it happened."""
    newest = (
        sa.select(OUTSIDE_CALLS.c.state)
        .where(
            OUTSIDE_CALLS.c.task_id == task_id,
            OUTSIDE_CALLS.c.digest == digest,
            OUTSIDE_CALLS.c.state.in_(("unknown", "done", "sent")),
        )
        .order_by(OUTSIDE_CALLS.c.id.desc())
        .limit(1)
    )
    return connection.execute(newest).scalar() == "unknown"


def is_known_away(connection: Connection, task_id: int, server: str, call_id: int) -> bool:
    """Return whether the call before this one to a server in the task did not reach it either."""
    before = (
        sa.select(OUTSIDE_CALLS.c.state)
        .where(
            OUTSIDE_CALLS.c.task_id == task_id,
            OUTSIDE_CALLS.c.server == server,
            OUTSIDE_CALLS.c.id < call_id,
            OUTSIDE_CALLS.c.state.in_(("done", "failed")),
        )
        .order_by(OUTSIDE_CALLS.c.id.desc())
        .limit(1)
    )
    return connection.execute(before).scalar() == "failed"


def is_asked(connection: Connection, task_id: int, digest: str) -> bool:
    """Return whether people are asked about exactly this call, or agreed to it and it is not made yet."""
    where = sa.and_(OUTSIDE_CALLS.c.task_id == task_id, OUTSIDE_CALLS.c.digest == digest)
    query = sa.select(OUTSIDE_CALLS.c.id).outerjoin(GATES, GATES.c.id == OUTSIDE_CALLS.c.gate_id)
    waits = sa.and_(OUTSIDE_CALLS.c.state == "asked", GATES.c.basis.is_(None))
    return (
        connection.execute(query.where(where, sa.or_(waits, OUTSIDE_CALLS.c.state == "pending"))).first()
        is not None
    )


def count_asked(connection: Connection, agent_id: int) -> int:
    """Return how many calls of an agent wait for the people's answer."""
    open_gate = sa.and_(GATES.c.id == OUTSIDE_CALLS.c.gate_id, GATES.c.basis.is_(None))
    mine = sa.and_(
        OUTSIDE_CALLS.c.agent_id == agent_id, OUTSIDE_CALLS.c.state == "asked", ~OUTSIDE_CALLS.c.told
    )
    query = sa.select(sa.func.count()).select_from(OUTSIDE_CALLS.join(GATES, open_gate))
    return int(connection.execute(query.where(mine)).scalar_one())


# ---------------------------------------------------------------- limits and money


def check_limits(connection: Connection, task_id: int, tool: OutsideTool, now: float) -> None:
    """Check the limits of a server's calls in a task and in an hour. Raises CallRefused."""
    if connection.dialect.name == "postgresql":  # calls of other tasks at the same moment wait to be counted
        key = sa.func.hashtext(f"outside.{tool.server}")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LIMITS_LOCK, key)))
    of_server = sa.and_(OUTSIDE_CALLS.c.server == tool.server, OUTSIDE_CALLS.c.state.in_(COUNTED))
    count = sa.select(sa.func.count()).select_from(OUTSIDE_CALLS).where(of_server)
    in_task = connection.execute(count.where(OUTSIDE_CALLS.c.task_id == task_id)).scalar_one()
    if in_task >= tool.limits.per_task:
        raise CallRefused(
            f"This task has made the {tool.limits.per_task} calls to {tool.server} that one task may make. "
            "Go on with what you have, and say in the report what is missing."
        )
    in_hour = connection.execute(count.where(OUTSIDE_CALLS.c.sent_at > now - HOUR_S)).scalar_one()
    if in_hour >= tool.limits.per_hour:
        raise CallRefused(
            f"{tool.server} may be called {tool.limits.per_hour} times an hour, and it has been. Go on with "
            "other work and call it later."
        )


def charge(connection: Connection, task_id: int, path: list[int], price: tuple[str, int], now: float) -> str:
    """Book a price (server, micro-dollars) on every budget of the path and of the month. Return where in the
    month. Raises CallRefused, with nothing booked, when it does not fit."""
    server, micros = price
    booked = book_price(connection, task_id, path, server, micros, now)
    if booked.missing == "month":
        raise CallRefused(
            "The price of this call does not fit into this month's budget of the server or of the person who "
            "started the task. Do without it, and say in the report what is missing."
        )
    if booked.missing:
        raise CallRefused("The price of this call does not fit into the budget. Do without it.")
    return booked.paid_in


# ---------------------------------------------------------------- inside


def _path_under_fence(connection: Connection, agent_id: int, fence: int) -> list[int]:
    query = (
        sa.select(AGENTS.c.fence, BUDGETS.c.path)
        .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
        .where(AGENTS.c.id == agent_id)
        .with_for_update(of=AGENTS)
    )
    row = connection.execute(query).first()
    if row is None or row.fence != fence:
        raise Fenced(f"agent {agent_id} moved past step {fence}, or is no more")
    return budget_path(row.path)


def _values(call: NewCall, now: float) -> dict[str, Any]:
    tool = call.tool
    return {
        "task_id": call.task_id,
        "agent_id": call.agent_id,
        "step": call.step,
        "key": call.key,
        "name": tool.name,
        "server": tool.server,
        "tool": tool.tool,
        "digest": call.digest,
        "arguments_json": call.arguments,
        "state": "sent",
        "reads_only": tool.reads_only,
        "repeatable": tool.repeatable,
        "price_micros": tool.price_micros,
        "created_at": now,
        "sent_at": now,
        "lease_until": now + tool.limits.timeout_s + GRACE_S,
    }


def _reusable(connection: Connection, call: NewCall, now: float) -> Kept | None:
    """Return a recent result of the same call in this task, if it only reads and nothing of its server was
    changed by the task since."""
    if not call.tool.reads_only or not call.tool.limits.reuse_s:
        return None
    of_task = sa.and_(OUTSIDE_CALLS.c.task_id == call.task_id, OUTSIDE_CALLS.c.server == call.tool.server)
    last_change = sa.select(sa.func.max(OUTSIDE_CALLS.c.id)).where(
        of_task, ~OUTSIDE_CALLS.c.reads_only, OUTSIDE_CALLS.c.state.in_(COUNTED)
    )
    same = (
        sa.select(OUTSIDE_CALLS)
        .where(
            of_task,
            OUTSIDE_CALLS.c.digest == call.digest,
            OUTSIDE_CALLS.c.reads_only,
            OUTSIDE_CALLS.c.state == "done",
            ~OUTSIDE_CALLS.c.failed,
            OUTSIDE_CALLS.c.ended_at > now - call.tool.limits.reuse_s,
            OUTSIDE_CALLS.c.id > sa.func.coalesce(last_change.scalar_subquery(), 0),
        )
        .order_by(OUTSIDE_CALLS.c.id.desc())
        .limit(1)
    )
    row = connection.execute(same).first()
    return kept(row, reused=True) if row is not None else None


def _change(connection: Connection, call_id: int, **values: Any) -> None:
    connection.execute(OUTSIDE_CALLS.update().where(OUTSIDE_CALLS.c.id == call_id).values(**values))
