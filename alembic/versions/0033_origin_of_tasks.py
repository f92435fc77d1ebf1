"""The channel where a task was started is named origin, as everywhere

Revision ID: 0033
Revises: 0032
"""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE bot_task RENAME COLUMN home_id TO origin_id")


def downgrade() -> None:
    op.execute("ALTER TABLE bot_task RENAME COLUMN origin_id TO home_id")
