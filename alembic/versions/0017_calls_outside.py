"""the ledger of calls to tools of the world outside

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

OPEN = sa.text("state = 'pending' OR state = 'sent'")
UNTOLD = sa.text("NOT told")


def upgrade() -> None:
    op.create_table(
        "outside_calls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("arguments_json", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reads_only", sa.Boolean(), nullable=False),
        sa.Column("repeatable", sa.Boolean(), nullable=False),
        sa.Column("gate_id", sa.Integer(), nullable=True),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("addresses_json", sa.String(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("sent_at", sa.Float(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_outside_calls_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_calls")),
        sa.UniqueConstraint("key", name=op.f("uq_outside_calls_key")),
    )
    op.create_index("ix_outside_calls_digest", "outside_calls", ["task_id", "digest"])
    op.create_index("ix_outside_calls_rate", "outside_calls", ["server", "sent_at"])
    op.create_index(op.f("ix_outside_calls_gate_id"), "outside_calls", ["gate_id"])
    op.create_index(
        "ix_outside_calls_open", "outside_calls", ["state"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_index(
        "ix_outside_calls_untold", "outside_calls", ["agent_id"], sqlite_where=UNTOLD, postgresql_where=UNTOLD
    )


def downgrade() -> None:
    op.drop_table("outside_calls")
