"""The rules of a space for its unanswered gates."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.gate_rules import IN_A_DEMONSTRATION, USUAL, GateRule
from engine.domain.gates import GateKind
from engine.domain.models import DEMONSTRATION
from engine.store.core import GATE_RULES, TASKS


def rules_of(connection: Connection, space: str) -> Mapping[GateKind, GateRule]:
    """Return the rule of each kind: as the space has set it, else the usual one."""
    rows = connection.execute(sa.select(GATE_RULES).where(GATE_RULES.c.space == space))
    return {**USUAL, **{row.kind: GateRule(row.wait_s, row.default_effect) for row in rows}}


def rule_of(connection: Connection, task_id: int, kind: GateKind) -> GateRule:
    """Return the rule for a gate of a task."""
    task = sa.select(TASKS.c.model).where(TASKS.c.id == task_id)
    if kind in IN_A_DEMONSTRATION and connection.execute(task).scalar() == DEMONSTRATION:
        return IN_A_DEMONSTRATION[kind]
    query = sa.select(GATE_RULES.c.wait_s, GATE_RULES.c.default_effect)
    query = query.join(TASKS, TASKS.c.space == GATE_RULES.c.space)
    row = connection.execute(query.where(TASKS.c.id == task_id, GATE_RULES.c.kind == kind)).first()
    return GateRule(*row) if row is not None else USUAL[kind]
