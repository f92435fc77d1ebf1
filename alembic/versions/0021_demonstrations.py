"""which tasks are demonstrations, for the texts of their posts

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("bot_task") as table:
        table.add_column(sa.Column("demonstration", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("bot_task") as table:
        table.drop_column("demonstration")
