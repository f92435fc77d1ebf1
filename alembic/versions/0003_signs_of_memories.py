"""signs of memories

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from array import array

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("memories", schema=None) as batch_op:
        batch_op.add_column(sa.Column("signs", sa.LargeBinary(), nullable=True))
    _fill()


def _fill() -> None:
    """The signs of the vectors there are, as `engine.domain.recall.signs_of` makes them."""
    memories = sa.table(
        "memories", sa.column("id"), sa.column("embedding"), sa.column("signs", sa.LargeBinary())
    )
    connection = op.get_bind()
    known = sa.select(memories.c.id, memories.c.embedding).where(memories.c.embedding.is_not(None))
    for number, packed in connection.execute(known).all():
        vector = array("f")
        vector.frombytes(bytes(packed))
        bits = int("".join("1" if value > 0 else "0" for value in vector) or "0", 2)
        signs = bits.to_bytes((len(vector) + 7) // 8, "big")
        connection.execute(memories.update().where(memories.c.id == number).values(signs=signs))


def downgrade() -> None:
    with op.batch_alter_table("memories", schema=None) as batch_op:
        batch_op.drop_column("signs")
