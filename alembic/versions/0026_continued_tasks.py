"""continued tasks, starts of tasks and limits by person, an agent's model and the pause it belongs to

Tasks of older versions get the start that they were given.

Revision ID: 0026
Revises: 0025
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


DROPPED = (
    ("bot_guilds", "most_micros"),
    ("bot_guilds", "most_starts"),
    ("bot_guilds", "most_running"),
    ("agents", "model"),
    ("agents", "paused_with"),
    ("tasks", "continued_at"),
    ("tasks", "continued"),
)


def upgrade() -> None:
    op.add_column("tasks", sa.Column("continued", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("continued_at", sa.Float(), nullable=True))
    op.add_column("agents", sa.Column("paused_with", sa.Integer(), nullable=True))
    op.add_column("agents", sa.Column("model", sa.String(), nullable=False, server_default=""))
    op.add_column("bot_guilds", sa.Column("most_running", sa.Integer(), nullable=True))
    op.add_column("bot_guilds", sa.Column("most_starts", sa.Integer(), nullable=True))
    op.add_column("bot_guilds", sa.Column("most_micros", sa.BigInteger(), nullable=True))
    starts = op.create_table(
        "starts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("space", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("limits_json", sa.String(), nullable=False),
        sa.Column("spent_before", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_starts_task_id_tasks")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_starts")),
    )
    op.create_index(op.f("ix_starts_task_id"), "starts", ["task_id"])
    op.create_index("ix_starts_person", "starts", ["space", "by", "at"])
    _note_old_starts(starts)


def _note_old_starts(starts: sa.Table) -> None:
    connection = op.get_bind()
    columns = ("id", "by", "space", "created_at", "max_minutes")
    tasks = sa.table("tasks", *map(sa.column, columns))
    budgets = sa.table("budgets", *map(sa.column, ("task_id", "parent_id", "cap_micros", "cap_tokens")))
    root = sa.and_(budgets.c.task_id == tasks.c.id, budgets.c.parent_id.is_(None))
    for row in connection.execute(sa.select(tasks, budgets).join(budgets, root)).all():
        connection.execute(
            starts.insert().values(
                task_id=row.id,
                by=row.by,
                space=row.space,
                at=row.created_at,
                limits_json=_limits(row.cap_micros, row.cap_tokens, row.max_minutes),
                spent_before=0,
            )
        )


def _limits(micros: int | None, tokens: int | None, minutes: int) -> str:
    return json.dumps({"cost_micros": micros, "tokens": tokens, "minutes": minutes})


def downgrade() -> None:
    op.drop_index("ix_starts_person", "starts")
    op.drop_index(op.f("ix_starts_task_id"), "starts")
    op.drop_table("starts")
    # Not in a batch, which makes the table again: others refer to it.
    for table, column in DROPPED:
        op.drop_column(table, column)
