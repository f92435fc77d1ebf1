"""Read gates as the views that people see."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import Limits
from engine.domain.gates import GivenAnswer, load_choices
from engine.domain.outside import AskedCall, readable
from engine.queries import GateView
from engine.store.core import ACTION_REQUESTS, GATES, OUTSIDE_CALLS, AnyRow, loads


def gate_views(connection: Connection, query: sa.Select[Any]) -> list[GateView]:
    """Return the gates that a query of GATES finds, with the calls that they ask about."""
    rows = connection.execute(query).all()
    ids = [row.id for row in rows if row.kind == "tool"]
    about = sa.select(OUTSIDE_CALLS).where(OUTSIDE_CALLS.c.gate_id.in_(ids))
    calls = {row.gate_id: _asked(row) for row in connection.execute(about)} if ids else {}
    ids = [row.id for row in rows if row.kind == "action"]
    wanted = sa.select(ACTION_REQUESTS).where(ACTION_REQUESTS.c.gate_id.in_(ids))
    if ids:
        calls |= {row.gate_id: _asked_action(row) for row in connection.execute(wanted)}
    return [gate_view(row, calls.get(row.id)) for row in rows]


def gate_view(row: AnyRow, call: AskedCall | None = None) -> GateView:
    """Convert a gate's row to a view, with the call or action it asks about."""
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
        default=row.default_effect or None,
        agent_id=row.agent_id,
        limits=Limits(**loads(row.limits_json)) if row.limits_json else None,
        call=call,
    )


def _asked(call: AnyRow) -> AskedCall:
    return AskedCall(
        call.server, call.tool, readable(loads(call.arguments_json)), call.digest, call.why or "policy"
    )


def _asked_action(row: AnyRow) -> AskedCall:
    return AskedCall("", row.action, readable(loads(row.arguments_json)), row.digest)


def answers_to(connection: Connection, agent_id: int) -> list[GivenAnswer]:
    """Return what became of an agent's own questions, oldest first."""
    query = (
        sa.select(GATES.c.kind, GATES.c.basis, GATES.c.choice_id, GATES.c.text)
        .where(GATES.c.agent_id == agent_id, GATES.c.kind == "question")
        .order_by(GATES.c.id)
    )
    return [GivenAnswer(*row) for row in connection.execute(query)]
