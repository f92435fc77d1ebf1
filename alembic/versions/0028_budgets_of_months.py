"""budgets of calendar months, who spent what on which task and model, and when tasks waited for people

What tasks of older versions spent is kept by the quarter of an hour, in the name of who last started them.

Revision ID: 0028
Revises: 0027
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

DROPPED = (
    ("outside_calls", "paid_in"),
    ("agents", "held_in"),
    ("tasks", "waiting_since"),
    ("tasks", "waited_s"),
    ("tasks", "payer"),
)


def upgrade() -> None:
    op.add_column("tasks", sa.Column("payer", sa.String(), nullable=False, server_default=""))
    op.add_column("tasks", sa.Column("waited_s", sa.Float(), nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("waiting_since", sa.Float(), nullable=True))
    op.add_column("agents", sa.Column("held_in", sa.String(), nullable=False, server_default=""))
    op.add_column("outside_calls", sa.Column("paid_in", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "month_rules",
        sa.Column("space", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("space_micros", sa.BigInteger(), nullable=True),
        sa.Column("space_tokens", sa.BigInteger(), nullable=True),
        sa.Column("person_micros", sa.BigInteger(), nullable=True),
        sa.Column("person_tokens", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("space", name=op.f("pk_month_rules")),
    )
    op.create_table(
        "month_budgets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("space", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("begins_at", sa.Float(), nullable=False),
        sa.Column("ends_at", sa.Float(), nullable=False),
        sa.Column("cap_micros", sa.BigInteger(), nullable=True),
        sa.Column("cap_tokens", sa.BigInteger(), nullable=True),
        sa.Column("spent_micros", sa.BigInteger(), nullable=False),
        sa.Column("spent_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reserved_micros", sa.BigInteger(), nullable=False),
        sa.Column("reserved_tokens", sa.BigInteger(), nullable=False),
        sa.Column("warned", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_month_budgets")),
        sa.UniqueConstraint("space", "by", "month", name=op.f("uq_month_budgets_space_by_month")),
    )
    spending = op.create_table(
        "spending",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("space", sa.String(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("unpriced", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_spending_task_id_tasks")),
        sa.PrimaryKeyConstraint("task_id", "at", "kind", "name", "by", name=op.f("pk_spending")),
    )
    op.create_index("ix_spending_space", "spending", ["space", "at"])
    _name_payers()
    _note_old_steps(spending)
    _note_old_calls(spending)


def _name_payers() -> None:
    tasks = sa.table("tasks", *map(sa.column, ("id", "by", "payer")))
    starts = sa.table("starts", *map(sa.column, ("id", "task_id", "by")))
    last = sa.select(starts.c.by).where(starts.c.task_id == tasks.c.id)
    last = last.order_by(starts.c.id.desc()).limit(1)
    payer = sa.func.coalesce(last.correlate(tasks).scalar_subquery(), tasks.c.by)
    op.execute(tasks.update().values(payer=payer))


def _quarter(at: sa.ColumnElement[float]) -> sa.ColumnElement[int]:
    """Return when the quarter of an hour of a time began; a cast rounds on PostgreSQL and cuts on SQLite."""
    quarter = sa.literal_column("900")
    number = sa.func.floor(at / quarter) if op.get_bind().dialect.name == "postgresql" else at / quarter
    return sa.cast(number, sa.BigInteger()) * quarter


def _note_old_steps(spending: sa.Table) -> None:
    tasks = sa.table("tasks", *map(sa.column, ("id", "payer", "space")))
    names = ("task_id", "model", "ended_at", "cost_micros", "prompt_tokens", "completion_tokens")
    steps = sa.table("steps", *map(sa.column, names))
    at = _quarter(steps.c.ended_at)
    cost = sa.func.coalesce(steps.c.cost_micros, 0)
    used = sa.or_(cost > 0, steps.c.prompt_tokens + steps.c.completion_tokens > 0)
    query = (
        sa.select(
            steps.c.task_id,
            at,
            sa.literal("model"),
            steps.c.model,
            tasks.c.payer,
            tasks.c.space,
            sa.func.sum(cost),
            sa.func.sum(steps.c.prompt_tokens),
            sa.func.sum(steps.c.completion_tokens),
            sa.func.count(),
            sa.func.sum(sa.case((steps.c.cost_micros.is_(None), 1), else_=0)),
        )
        .join_from(steps, tasks, tasks.c.id == steps.c.task_id)
        .where(used)
        .group_by(steps.c.task_id, at, steps.c.model, tasks.c.payer, tasks.c.space)
    )
    op.execute(spending.insert().from_select([column.name for column in spending.c], query))


def _note_old_calls(spending: sa.Table) -> None:
    tasks = sa.table("tasks", *map(sa.column, ("id", "payer", "space")))
    names = ("task_id", "server", "sent_at", "state", "price_micros")
    calls = sa.table("outside_calls", *map(sa.column, names))
    at = _quarter(calls.c.sent_at)
    made = sa.and_(calls.c.state.in_(("sent", "done", "unknown")), calls.c.price_micros > 0)
    query = (
        sa.select(
            calls.c.task_id,
            at,
            sa.literal("outside"),
            calls.c.server,
            tasks.c.payer,
            tasks.c.space,
            sa.func.sum(calls.c.price_micros),
            sa.literal(0),
            sa.literal(0),
            sa.func.count(),
            sa.literal(0),
        )
        .join_from(calls, tasks, tasks.c.id == calls.c.task_id)
        .where(made, calls.c.sent_at.is_not(None))
        .group_by(calls.c.task_id, at, calls.c.server, tasks.c.payer, tasks.c.space)
    )
    op.execute(spending.insert().from_select([column.name for column in spending.c], query))


def downgrade() -> None:
    op.drop_index("ix_spending_space", "spending")
    op.drop_table("spending")
    op.drop_table("month_budgets")
    op.drop_table("month_rules")
    # Not in a batch, which makes the table again: others refer to it.
    for table, column in DROPPED:
        op.drop_column(table, column)
