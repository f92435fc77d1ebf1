"""names that look alike

Names are compared by how they look. The keys of agents that are there are made again; of two that look alike
the later one's key holds its number, so that the first is found by the name.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.domain.naming import name_key

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, task_id, name FROM agents ORDER BY id")).all()
    # In two steps: a new key may be the one that another agent still has.
    connection.execute(sa.text("UPDATE agents SET name_key = 'agent ' || id"))
    change, taken = sa.text("UPDATE agents SET name_key = :key WHERE id = :id"), set()
    for row in rows:
        key = name_key(row.name)
        if (row.task_id, key) in taken:
            key = f"{key} #{row.id}"
        taken.add((row.task_id, key))
        connection.execute(change, {"key": key, "id": row.id})


def downgrade() -> None:
    """The keys of the version before were the names in lower case."""
    op.execute("UPDATE agents SET name_key = LOWER(name)")
