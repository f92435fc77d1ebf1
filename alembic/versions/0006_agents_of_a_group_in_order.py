"""agents of a group in order

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agents_group_id"))
        batch_op.create_index("ix_agents_group", ["group_id", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.drop_index("ix_agents_group")
        batch_op.create_index(batch_op.f("ix_agents_group_id"), ["group_id"], unique=False)
