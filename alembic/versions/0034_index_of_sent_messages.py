"""index for the messages that an agent sent

Revision ID: 0034
Revises: 0033
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

SENT = sa.text("from_agent IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_messages_sent",
        "messages",
        ["from_agent", "to_agent", "id"],
        sqlite_where=SENT,
        postgresql_where=SENT,
    )


def downgrade() -> None:
    op.drop_index("ix_messages_sent", "messages")
