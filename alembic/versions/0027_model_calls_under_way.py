"""Model calls under way, for people who wait

Revision ID: 0027
Revises: 0026
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_calls",
        sa.Column("agent_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("read", sa.Float(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("agent_id", name="pk_model_calls"),
    )
    op.create_index("ix_model_calls_task_id", "model_calls", ["task_id"])


def downgrade() -> None:
    op.drop_index("ix_model_calls_task_id", "model_calls")
    op.drop_table("model_calls")
