"""calls of an answer that are still to be run, and the steps that ran them

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agents", sa.Column("rest_json", sa.String(), nullable=False, server_default=""))
    op.add_column("agents", sa.Column("parts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("steps", sa.Column("continues", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("steps") as steps:
        steps.drop_column("continues")
    with op.batch_alter_table("agents") as agents:
        agents.drop_column("parts")
        agents.drop_column("rest_json")
