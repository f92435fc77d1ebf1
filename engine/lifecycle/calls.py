"""Calls to the world outside whose agent leaves or whose task ends: they are not made any more."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.gates import GateBasis
from engine.events import GateClosed
from engine.lifecycle.gates import close_gates
from engine.store.core import GATES, OUTSIDE_CALLS

_not_made = sa.or_(OUTSIDE_CALLS.c.state == "asked", OUTSIDE_CALLS.c.state == "pending")
_not_told = sa.or_(_not_made, ~OUTSIDE_CALLS.c.told)


def withdraw_calls(
    connection: Connection, agents: list[int], basis: GateBasis, now: float
) -> list[GateClosed]:
    """Withdraw what leaving agents asked people about. Return the events to append."""
    withdraw(connection, OUTSIDE_CALLS.c.agent_id.in_(agents), now)
    asked = sa.and_(GATES.c.agent_id.in_(agents), GATES.c.kind == "tool")
    return close_gates(connection, asked, basis)


def withdraw(connection: Connection, where: sa.ColumnElement[bool], now: float) -> None:
    """Note that the calls that match `where` and were not made yet will not be."""
    gone = {"state": "refused", "told": True, "ended_at": now}
    connection.execute(OUTSIDE_CALLS.update().where(where, _not_made).values(**gone))


def forward_calls(connection: Connection, old: int, fresh: int) -> None:
    """Let a successor hear of the calls whose outcome its predecessor does not know."""
    connection.execute(
        OUTSIDE_CALLS.update().where(OUTSIDE_CALLS.c.agent_id == old, _not_told).values(agent_id=fresh)
    )
