"""Protected actions: what a space has set, and what people said of those that were asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import Protections
from engine.domain.gates import GateBasis
from engine.store.core import ACTION_REQUESTS, GATES, PROTECTIONS
from engine.store.prepared import Prepared
from engine.store.set_columns import set_columns

_protections = Prepared(sa.select(PROTECTIONS).where(PROTECTIONS.c.space == sa.bindparam("at_space")))


def protections_of(connection: Connection, space: str) -> Protections:
    """Return what a space has set; nothing is protected without it."""
    row = _protections.first(connection, at_space=space)
    if row is None:
        return Protections()
    return Protections(bool(row.run), row.recruit_over, bool(row.finish), bool(row.tools))


def store_protections(
    connection: Connection, space: str, protections: Protections, only: Collection[str] = ()
) -> None:
    """Store the fields `only` (empty: all) of what a space wants; the others stay as they are."""
    values = asdict(protections)
    owned = {name: values[name] for name in only or values}
    set_columns(connection, PROTECTIONS, {"space": space}, owned, asdict(Protections()))


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """What became of asking for exactly this action the last time; `basis` None while people are asked."""

    gate_id: int
    basis: GateBasis | None
    allowed: bool
    used: bool


def request_of(connection: Connection, agent_id: int, digest: str) -> ActionRequest | None:
    """Return the newest request of an agent for the action with this digest."""
    query = (
        sa.select(ACTION_REQUESTS.c.gate_id, ACTION_REQUESTS.c.used, GATES.c.basis, GATES.c.choice_id)
        .join(GATES, GATES.c.id == ACTION_REQUESTS.c.gate_id)
        .where(GATES.c.agent_id == agent_id, ACTION_REQUESTS.c.digest == digest)
        .order_by(GATES.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    allowed = (row.basis, row.choice_id) == ("person", "allow_action")
    return ActionRequest(row.gate_id, row.basis, allowed, bool(row.used))


def count_open(connection: Connection, agent_id: int) -> int:
    """Return how many actions of an agent wait for the people's answer."""
    waits = sa.and_(GATES.c.agent_id == agent_id, GATES.c.kind == "action", GATES.c.basis.is_(None))
    return int(connection.execute(sa.select(sa.func.count()).select_from(GATES).where(waits)).scalar_one())
