"""marks of accepted files, and what had changed for a submission

Revision ID: 0020
Revises: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignments", sa.Column("changed_json", sa.String(), server_default="[]", nullable=False))
    op.add_column("files", sa.Column("accepted_json", sa.String(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("files", "accepted_json")
    op.drop_column("assignments", "changed_json")
