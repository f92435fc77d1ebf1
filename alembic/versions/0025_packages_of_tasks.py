"""Python packages of tasks, and those that people were asked for

Revision ID: 0025
Revises: 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "packages",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_packages_task_id"),
        sa.PrimaryKeyConstraint("task_id", "name", name="pk_packages"),
    )
    op.create_table(
        "package_requests",
        sa.Column("gate_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name="fk_package_requests_gate_id"),
        sa.PrimaryKeyConstraint("gate_id", "name", name="pk_package_requests"),
    )
    op.create_index("ix_package_requests_task_id", "package_requests", ["task_id"])


def downgrade() -> None:
    op.drop_table("package_requests")
    op.drop_table("packages")
