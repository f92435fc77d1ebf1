"""Which model calls are not booked yet, and how many calls were booked by an estimate

Revision ID: 0036
Revises: 0035
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("agents") as table:
        table.add_column(sa.Column("call", sa.String(), server_default="", nullable=False))
        table.add_column(sa.Column("call_guessed", sa.Boolean(), server_default=sa.false(), nullable=False))
        table.add_column(sa.Column("lost_call", sa.String(), server_default="", nullable=False))
    for name in ("budgets", "spending"):
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column("estimated", sa.Integer(), server_default="0", nullable=False))
    # A stop of the version before this one left the reservations of the calls that it cut off.
    op.execute("UPDATE agents SET call = 'before' WHERE reserved_tokens > 0 OR reserved_micros > 0")


def downgrade() -> None:
    for name in ("spending", "budgets"):
        with op.batch_alter_table(name) as table:
            table.drop_column("estimated")
    with op.batch_alter_table("agents") as table:
        for name in ("lost_call", "call_guessed", "call"):
            table.drop_column(name)
