"""choices of gates

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

EFFECTS: dict[str, dict[str, str]] = {
    "plan": {"approve": "approve", "cancel": "cancel", "stop": "cancel"},
    "cap": {"raise": "raise_half", "wrap": "wrap_up", "stop": "stop"},
    "share": {"raise": "raise_half", "wrap": "wrap_up", "dismiss": "dismiss"},
    "audit": {"accept": "accept", "another": "another_round", "stop": "stop"},
    "stall": {"try": "retry", "wrap": "wrap_up", "stop": "stop"},
}
"""Kind of a gate -> how its labels began -> effect."""

MOOT = {
    "": "task_ended",
    "cap raised": "cap_raised",
    "resumed by a person": "resumed",
    "wrapping up": "wrapped_up",
    "it was dismissed": "dismissed",
}
"""What stood as the answer of a gate that nobody answered -> why it is closed."""

gates = sa.table(
    "gates",
    sa.column("id", sa.Integer),
    sa.column("kind", sa.String),
    sa.column("options_json", sa.String),
    sa.column("choices_json", sa.String),
    sa.column("answer", sa.String),
    sa.column("answered_by", sa.String),
    sa.column("basis", sa.String),
    sa.column("choice_id", sa.String),
    sa.column("text", sa.String),
)
events = sa.table(
    "events",
    sa.column("seq", sa.Integer),
    sa.column("kind", sa.String),
    sa.column("payload_json", sa.String),
)


def choices_of(kind: str, options: list[str]) -> list[dict[str, str]]:
    """The labels of a gate as choices, in their order: old buttons know them by their number."""
    known = EFFECTS.get(kind)
    if known is None:
        return [{"id": f"o{n}", "effect": "option", "text": text} for n, text in enumerate(options, 1)]
    effects = [effect_of(known, label) for label in options]
    return [{"id": effect, "effect": effect, "text": ""} for effect in effects if effect]


def effect_of(known: dict[str, str], label: str) -> str:
    """The effect of a label of the engine's; "" for one that it never had."""
    words = label.strip().casefold()
    return next((effect for start, effect in known.items() if words.startswith(start)), "")


def closed_of(kind: str, options: list[str], answer: str, by: str) -> dict[str, Any]:
    """How a gate was closed, by what stood as its answer; what people wrote stays their text."""
    if not by:
        return {"basis": MOOT.get(answer, "resumed"), "choice_id": None, "text": ""}
    if by == "system":
        return {"basis": "timeout", "choice_id": "approve", "text": ""}
    folded = [label.casefold() for label in options]
    chosen = choices_of(kind, options)
    if answer.casefold() in folded and len(chosen) == len(options):
        number = folded.index(answer.casefold())
        return {"basis": "person", "choice_id": chosen[number]["id"], "text": ""}
    return {"basis": "person", "choice_id": None, "text": answer}


def upgrade() -> None:
    with op.batch_alter_table("budgets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("wrapped", sa.Boolean(), server_default=sa.false(), nullable=False))
    with op.batch_alter_table("gates", schema=None) as batch_op:
        text = sqlmodel.sql.sqltypes.AutoString()
        batch_op.add_column(sa.Column("choices_json", text, server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("basis", text, nullable=True))
        batch_op.add_column(sa.Column("choice_id", text, nullable=True))
        batch_op.add_column(sa.Column("text", text, server_default="", nullable=False))
        batch_op.add_column(sa.Column("limits_json", text, nullable=True))
    _fill_gates()
    _fill_events()
    with op.batch_alter_table("gates", schema=None) as batch_op:
        batch_op.alter_column("choices_json", server_default=None)
        batch_op.alter_column("text", server_default=None)
        batch_op.drop_column("options_json")
        batch_op.drop_column("answer")


def _fill_gates() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(gates)).all():
        options = json.loads(row.options_json)
        values: dict[str, Any] = {"choices_json": json.dumps(choices_of(row.kind, options))}
        if row.answer is not None:
            values |= closed_of(row.kind, options, row.answer, row.answered_by)
        if row.answered_by == "system":
            values["answered_by"] = ""
        connection.execute(gates.update().where(gates.c.id == row.id).values(**values))


def _fill_events() -> None:
    """Events are read again: by the bot after a restart, and for the log."""
    connection = op.get_bind()
    asked: dict[int, tuple[str, list[str]]] = {}
    wanted = sa.select(events).where(events.c.kind.in_(("GateRaised", "GateClosed"))).order_by(events.c.seq)
    for row in connection.execute(wanted).all():
        old = json.loads(row.payload_json)
        if row.kind == "GateRaised":
            options = old.pop("options", [])
            asked[old["gate_id"]] = old["kind"], options
            old["choices"] = choices_of(old["kind"], options)
        else:
            old = _closed_event(old, *asked.get(old["gate_id"], ("question", [])))
        payload = json.dumps(old, ensure_ascii=False, separators=(",", ":"))
        connection.execute(events.update().where(events.c.seq == row.seq).values(payload_json=payload))


def _closed_event(old: dict[str, Any], kind: str, options: list[str]) -> dict[str, Any]:
    answer, by = old.pop("answer"), old.pop("by")
    closed = closed_of(kind, options, answer, by)
    found = [choice for choice in choices_of(kind, options) if choice["id"] == closed["choice_id"]]
    return {
        **old,
        "basis": closed["basis"],
        "by": "" if by == "system" else by,
        "choice": found[0] if found else None,
        "text": closed["text"],
        "limits": None,
    }


def downgrade() -> None:
    with op.batch_alter_table("gates", schema=None) as batch_op:
        text = sqlmodel.sql.sqltypes.AutoString()
        batch_op.add_column(sa.Column("options_json", text, server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("answer", text, nullable=True))
    connection = op.get_bind()
    closed = sa.update(gates).where(gates.c.basis.is_not(None))
    connection.execute(closed.values(answer=sa.func.coalesce(gates.c.choice_id, gates.c.text)))
    with op.batch_alter_table("gates", schema=None) as batch_op:
        batch_op.alter_column("options_json", server_default=None)
        batch_op.drop_column("limits_json")
        batch_op.drop_column("text")
        batch_op.drop_column("choice_id")
        batch_op.drop_column("basis")
        batch_op.drop_column("choices_json")
    with op.batch_alter_table("budgets", schema=None) as batch_op:
        batch_op.drop_column("wrapped")
