"""channels, threads and categories that the bot itself created

Empty at first: what older versions made is known by the mark in its topic or by who opened the thread.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bot_made_place",
        sa.Column("place_id", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("creator_id", sa.BigInteger(), nullable=False),
        sa.Column("marker", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place_id", name=op.f("pk_bot_made_place")),
    )
    op.create_index(op.f("ix_bot_made_place_task_id"), "bot_made_place", ["task_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_bot_made_place_task_id"), table_name="bot_made_place")
    op.drop_table("bot_made_place")
