"""What the engine puts before a person's words stays there when the person changes them

Revision ID: 0038
Revises: 0037
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("messages") as table:
        table.add_column(sa.Column("preface", sa.String(), server_default="", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("messages") as table:
        table.drop_column("preface")
