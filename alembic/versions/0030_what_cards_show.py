"""What cards show: a task's title and how long its plan takes; what agents do, as data

Revision ID: 0030
Revises: 0029
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What an agent did in its newest step is shown again with its next one."""
    op.add_column("tasks", sa.Column("plan_minutes", sa.Integer(), server_default="0", nullable=False))
    op.add_column("tasks", sa.Column("title", sa.String(), server_default="", nullable=False))
    op.add_column("agents", sa.Column("doing_json", sa.String(), server_default="[]", nullable=False))
    op.drop_column("agents", "doing")


def downgrade() -> None:
    op.add_column("agents", sa.Column("doing", sa.String(), server_default="", nullable=False))
    op.drop_column("agents", "doing_json")
    op.drop_column("tasks", "title")
    op.drop_column("tasks", "plan_minutes")
