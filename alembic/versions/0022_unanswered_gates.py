"""reminders and defaults of unanswered gates

Revision ID: 0022
Revises: 0021
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

DAY_S = 86_400.0
DEFAULTS = {
    "question": "decide",
    "plan": "cancel",
    "cap": "stop",
    "share": "wrap_up",
    "audit": "stop",
    "stall": "stop",
    "tool": "refuse_call",
}

_GATES = sa.table(
    "gates",
    *(sa.column(name) for name in ("kind", "basis", "due_at", "remind_at", "default_effect")),
)


def upgrade() -> None:
    op.create_table(
        "gate_rules",
        sa.Column("space", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("wait_s", sa.Float(), nullable=False),
        sa.Column("default_effect", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("space", "kind", name=op.f("pk_gate_rules")),
    )
    with op.batch_alter_table("gates") as batch:
        batch.add_column(sa.Column("remind_at", sa.Float(), nullable=True))
        batch.add_column(sa.Column("reminded", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("default_effect", sa.String(), nullable=False, server_default=""))
        batch.create_index(op.f("ix_gates_remind_at"), ["remind_at"])
    with op.batch_alter_table("bot_guilds") as batch:
        batch.add_column(sa.Column("alerts_id", sa.BigInteger(), nullable=True))
    # Questions open at the update wait a day from now, whatever time they had before.
    now, still_open = time.time(), _GATES.c.basis.is_(None)
    for kind, effect in DEFAULTS.items():
        op.execute(
            _GATES.update()
            .where(still_open, _GATES.c.kind == kind)
            .values(due_at=now + DAY_S, remind_at=now + DAY_S / 4, default_effect=effect)
        )


def downgrade() -> None:
    with op.batch_alter_table("bot_guilds") as batch:
        batch.drop_column("alerts_id")
    with op.batch_alter_table("gates") as batch:
        batch.drop_index(op.f("ix_gates_remind_at"))
        batch.drop_column("default_effect")
        batch.drop_column("reminded")
        batch.drop_column("remind_at")
    op.drop_table("gate_rules")
