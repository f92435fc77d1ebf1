"""basis of ends and causes of pauses

What a report rests on and why a task is paused were read out of sentences; those that are there are read
once, here.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("paused_for", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("basis", sa.String(), nullable=False, server_default=""))
    for cause, words in (("cap", "cap%"), ("person", "paused by%"), ("files", "its files%")):
        op.get_bind().execute(
            sa.text("UPDATE tasks SET paused_for = :cause WHERE state = 'paused' AND reason LIKE :words"),
            {"cause": cause, "words": words},
        )
    op.get_bind().execute(
        sa.text("UPDATE tasks SET basis = 'ran' WHERE report LIKE :words AND state IN ('running', 'paused')"),
        {"words": "%Nobody judged whether it is what was asked: a small model made it.%"},
    )
    op.execute("UPDATE tasks SET basis = 'unjudged' WHERE report != '' AND basis = '' AND ended_at IS NULL")
    op.execute("UPDATE tasks SET basis = 'audited' WHERE ended_at IS NOT NULL AND verified")
    op.execute("UPDATE tasks SET basis = 'unknown' WHERE ended_at IS NOT NULL AND NOT verified")


def downgrade() -> None:
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.drop_column("basis")
        batch_op.drop_column("paused_for")
