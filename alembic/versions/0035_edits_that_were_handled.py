"""What was handled of a delivered message's edits, so that those made while the bot is away are found

Revision ID: 0035
Revises: 0034
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bot_incoming", sa.Column("edited_at", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("bot_incoming", "edited_at")
