"""What sign-ins at servers of tools gave is in the database, for every process of an installation

Revision ID: 0039
Revises: 0038
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("kept_json", sa.String(), server_default="", nullable=False),
        sa.Column("renewing_by", sa.String(), server_default="", nullable=False),
        sa.Column("renewing_until", sa.Float(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("server"),
    )


def downgrade() -> None:
    op.drop_table("sign_ins")
