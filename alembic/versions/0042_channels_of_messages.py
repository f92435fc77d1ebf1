"""Find people's messages by their channel

Revision ID: 0042
Revises: 0041
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

FILLED = {
    "sqlite": "UPDATE bot_incoming SET channel_id = CAST(substr(ref, 1, instr(ref, ':') - 1) AS bigint)",
    "postgresql": "UPDATE bot_incoming SET channel_id = CAST(split_part(ref, ':', 1) AS bigint)",
}


def upgrade() -> None:
    op.add_column(
        "bot_incoming", sa.Column("channel_id", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.execute(FILLED[op.get_bind().dialect.name])
    op.create_index("ix_bot_incoming_channel", "bot_incoming", ["channel_id", "at"])


def downgrade() -> None:
    op.drop_index("ix_bot_incoming_channel", "bot_incoming")
    op.drop_column("bot_incoming", "channel_id")
