"""What became of calls whose process died, or whose step never came to its commit: tell the agent and people.

An agent is told by a message, people by an event, both in the transaction that settles the call.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.outside import UNKNOWN, CallEnd, addresses_in, brief
from engine.events import OutsideCalled
from engine.ports import Wake
from engine.store.core import AGENTS, OUTSIDE_CALLS, AnyRow, append_events, loads
from engine.store.messages import add_outside_message

LOST = "The engine stopped while this call was under way."
_waits = sa.and_(~OUTSIDE_CALLS.c.told, OUTSIDE_CALLS.c.gate_id.is_(None))


def settle_untold(connection: Connection, agent_id: int, now: float) -> tuple[Wake, ...]:
    """Settle what an agent's uncommitted step called. Return the agents to wake.

    Called before a step is loaded, when no call of the agent is under way in this process.
    """
    found = sa.select(OUTSIDE_CALLS).where(OUTSIDE_CALLS.c.agent_id == agent_id, _waits)
    rows = connection.execute(found.order_by(OUTSIDE_CALLS.c.id)).all()
    return tuple(wake for row in rows for wake in _settle(connection, row, now))


def has_untold(connection: Connection, agent_id: int) -> bool:
    """Return whether `settle_untold` has something to do."""
    found = sa.select(OUTSIDE_CALLS.c.id).where(OUTSIDE_CALLS.c.agent_id == agent_id, _waits)
    return connection.execute(found.limit(1)).first() is not None


def settle_expired(connection: Connection, now: float, *, all_of_them: bool = False) -> tuple[Wake, ...]:
    """Settle the calls for whose answers nobody waits any more. Return the agents to wake.

    `all_of_them`: those under way too, where the process that made them is known to be gone.
    """
    query = sa.select(OUTSIDE_CALLS).where(OUTSIDE_CALLS.c.state == "sent")
    if not all_of_them:
        query = query.where(OUTSIDE_CALLS.c.lease_until < now)
    rows = connection.execute(query.order_by(OUTSIDE_CALLS.c.id)).all()
    return tuple(wake for row in rows for wake in _settle(connection, row, now))


def _settle(connection: Connection, row: AnyRow, now: float) -> tuple[Wake, ...]:
    """Settle one call: what may be repeated is left to be called again, anything else is told."""
    if row.state == "sent" and (row.reads_only or row.repeatable):
        if row.gate_id is not None:
            _set(connection, row, state="pending", lease_until=None)
        else:
            _set(connection, row, state="failed", told=True, key=f"{row.key}.lost{row.id}", ended_at=now)
        return ()
    if row.reads_only:
        _set(connection, row, told=True)
        return ()
    if row.state == "sent":
        _set(connection, row, state="unknown", told=True, result=LOST, ended_at=now)
        return notify_agent(connection, row, "unknown", LOST, now)
    _set(connection, row, told=True)
    return notify_agent(connection, row, _end_of(row), row.result, now)


def _end_of(row: AnyRow) -> CallEnd:
    ends: dict[str, CallEnd] = {"done": "failed" if row.failed else "done", "failed": "not_sent"}
    return ends.get(row.state, "unknown")


def notify_agent(
    connection: Connection, row: AnyRow, end: CallEnd, text: str, now: float
) -> tuple[Wake, ...]:
    """Tell the agent and the people what became of a call. Return the agent's wake-up."""
    agent = connection.execute(
        sa.select(AGENTS.c.name, AGENTS.c.group_id, AGENTS.c.leads_group_id).where(
            AGENTS.c.id == row.agent_id
        )
    ).one()
    add_outside_message(connection, row, end, f"{text} {UNKNOWN}" if end == "unknown" else text, now)
    seen = OutsideCalled(
        row.task_id,
        agent.leads_group_id or agent.group_id,
        row.agent_id,
        agent.name,
        row.server,
        row.tool,
        row.id,
        end,
        brief(loads(row.arguments_json)),
        addresses_in(loads(row.addresses_json)),
    )
    append_events(connection, [(f"outside.{row.id}.{end}", seen)], now)
    return (Wake(row.agent_id, row.task_id, 3),)


def _set(connection: Connection, row: AnyRow, **values: object) -> None:
    connection.execute(OUTSIDE_CALLS.update().where(OUTSIDE_CALLS.c.id == row.id).values(**values))
