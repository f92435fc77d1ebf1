"""what endpoints want back

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COUNTS = ("answer_tokens", "too_long", "refusals")


def upgrade() -> None:
    text = sqlmodel.sql.sqltypes.AutoString()
    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kept", text, server_default="", nullable=False))
    with op.batch_alter_table("agents", schema=None) as batch_op:
        for name in COUNTS:
            batch_op.add_column(sa.Column(name, sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("refused", text, server_default="", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.drop_column("refused")
        for name in reversed(COUNTS):
            batch_op.drop_column(name)
    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.drop_column("kept")
