"""Read gates as the views that people see."""

from __future__ import annotations

from engine.commands import Limits
from engine.domain.gates import load_choices
from engine.queries import GateView
from engine.store.core import AnyRow, loads


def gate_view(row: AnyRow) -> GateView:
    """Convert a gate's row to a view."""
    return GateView(
        id=row.id,
        task_id=row.task_id,
        group_id=row.group_id,
        kind=row.kind,
        name=row.name,
        question=row.question,
        choices=load_choices(loads(row.choices_json)),
        basis=row.basis,
        choice_id=row.choice_id,
        text=row.text,
        answered_by=row.answered_by,
        due_at=row.due_at,
        agent_id=row.agent_id,
        limits=Limits(**loads(row.limits_json)) if row.limits_json else None,
    )
