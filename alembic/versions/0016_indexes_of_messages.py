"""indexes for messages of people and the engine in a task, and for messages between two agents

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

NOT_AGENTS = sa.text("from_kind <> 'agent'")
BETWEEN = sa.text("from_agent IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_messages_not_of_agents",
        "messages",
        ["task_id", "id"],
        sqlite_where=NOT_AGENTS,
        postgresql_where=NOT_AGENTS,
    )
    op.create_index(
        "ix_messages_between",
        "messages",
        ["to_agent", "from_agent", "id"],
        sqlite_where=BETWEEN,
        postgresql_where=BETWEEN,
    )


def downgrade() -> None:
    op.drop_index("ix_messages_between", "messages")
    op.drop_index("ix_messages_not_of_agents", "messages")
