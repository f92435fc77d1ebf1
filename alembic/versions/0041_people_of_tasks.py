"""Find the people of a task by their names, which no agent may bear

Revision ID: 0041
Revises: 0040
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

SPOKE, ACTED = sa.text("from_kind = 'person'"), sa.text("by_name <> ''")


def upgrade() -> None:
    op.create_index(
        "ix_messages_people",
        "messages",
        ["task_id", "from_name"],
        sqlite_where=SPOKE,
        postgresql_where=SPOKE,
    )
    op.create_index(
        "ix_events_people",
        "events",
        ["task_id", "by_name"],
        sqlite_where=ACTED,
        postgresql_where=ACTED,
    )


def downgrade() -> None:
    op.drop_index("ix_events_people", "events")
    op.drop_index("ix_messages_people", "messages")
