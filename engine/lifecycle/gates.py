"""Insert, close and read gates."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.gate_rules import default_among, first_reminder
from engine.domain.gates import Choice, GateBasis, GateKind, dump_choices
from engine.domain.outside import AskedCall
from engine.events import GateClosed, GateRaised
from engine.store.core import GATES, dumps, new_id
from engine.store.gate_rules import rule_of


@dataclass(frozen=True, slots=True)
class NewGate:
    """A gate to raise. `name`: the agent that asks, "" when the engine asks about `agent_id`."""

    kind: GateKind
    text: str
    choices: tuple[Choice, ...]
    key: str
    group_id: int
    agent_id: int | None = None
    name: str = ""
    call: AskedCall | None = None


def raise_gate(connection: Connection, task_id: int, question: NewGate, now: float) -> GateRaised:
    """Insert an open gate, which waits by the rule of its space. Return its event, to be appended."""
    rule = rule_of(connection, task_id, question.kind)
    values = {
        "task_id": task_id,
        "group_id": question.group_id,
        "agent_id": question.agent_id,
        "kind": question.kind,
        "name": question.name,
        "question": question.text,
        "choices_json": dumps(dump_choices(question.choices)),
        "key": question.key,
        "created_at": now,
        "due_at": now + rule.wait_s,
        "remind_at": first_reminder(now, rule),
        "default_effect": default_among(question.choices, rule.default),
    }
    return GateRaised(
        task_id,
        question.group_id,
        new_id(connection, GATES, values),
        question.kind,
        question.agent_id if question.name else None,
        question.name,
        question.text,
        question.choices,
        question.call,
    )


def close_gates(connection: Connection, where: sa.ColumnElement[bool], basis: GateBasis) -> list[GateClosed]:
    """Close the open gates that match `where`, which `basis` made moot. Return the events to append."""
    asked = sa.and_(where, GATES.c.basis.is_(None))
    found = sa.select(GATES.c.id, GATES.c.task_id, GATES.c.group_id).where(asked).order_by(GATES.c.id)
    gates = connection.execute(found).all()
    connection.execute(GATES.update().where(asked).values(basis=basis))
    return [GateClosed(gate.task_id, gate.group_id, gate.id, basis) for gate in gates]
