"""what agents of a server do only after a person agreed, and what they asked for

Revision ID: 0032
Revises: 0031
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "protections",
        sa.Column("space", sa.String(), nullable=False),
        sa.Column("run", sa.Boolean(), nullable=False),
        sa.Column("recruit_over", sa.Integer(), nullable=True),
        sa.Column("finish", sa.Boolean(), nullable=False),
        sa.Column("tools", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("space", name=op.f("pk_protections")),
    )
    op.create_table(
        "action_requests",
        sa.Column("gate_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("arguments_json", sa.String(), nullable=False),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_action_requests_gate_id_gates")),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_action_requests_task_id_tasks")),
        sa.PrimaryKeyConstraint("gate_id", name=op.f("pk_action_requests")),
    )
    op.create_index(op.f("ix_action_requests_task_id"), "action_requests", ["task_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_action_requests_task_id"), "action_requests")
    op.drop_table("action_requests")
    op.drop_table("protections")
