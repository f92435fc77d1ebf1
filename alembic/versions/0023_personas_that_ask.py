"""what agents did since their last words, their role, and the webhook that sent a message

Revision ID: 0023
Revises: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("bot_agent") as agents:
        agents.add_column(sa.Column("role", sa.String(), nullable=False, server_default=""))
        agents.add_column(sa.Column("did", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("bot_delivery") as deliveries:
        deliveries.add_column(sa.Column("webhook_id", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("bot_delivery") as deliveries:
        deliveries.drop_column("webhook_id")
    with op.batch_alter_table("bot_agent") as agents:
        agents.drop_column("did")
        agents.drop_column("role")
