"""one reader of events: cards say what they have shown, origins of repeats, one cursor

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_FACTS = sa.table("bot_facts", sa.column("name"), sa.column("value"))
_CURSOR = sa.table("bot_cursor", sa.column("name"), sa.column("seq"))
_REPEATS = sa.table("repeats", sa.column("id"), sa.column("origin"))
_CARDS = sa.table("bot_cards", sa.column("task_id"), sa.column("channel_id"), sa.column("changed_seq"))
_TASKS = sa.table("bot_task", sa.column("task_id"), sa.column("home_id"), sa.column("state"))


def upgrade() -> None:
    with op.batch_alter_table("bot_cards", schema=None) as batch_op:
        for name, kind in (("changed_seq", sa.BigInteger()), ("shown_seq", sa.BigInteger())):
            batch_op.add_column(sa.Column(name, kind, server_default="0", nullable=False))
        batch_op.add_column(sa.Column("begun_at", sa.Float(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("stale_id", sa.BigInteger(), server_default="0", nullable=False))
    connection = op.get_bind()
    _repeats_get_their_origin(connection)
    _one_cursor(connection)
    _cards_of_running_tasks(connection)


def _repeats_get_their_origin(connection: sa.Connection) -> None:
    mark = "repeat-home:"
    rows = connection.execute(sa.select(_FACTS).where(_FACTS.c.name.startswith(mark))).all()
    for name, value in rows:
        number = name.removeprefix(mark)
        if number.isdecimal() and value.isdecimal() and value != "0":
            change = _REPEATS.update().where(_REPEATS.c.id == int(number))
            connection.execute(change.values(origin=f"channel:{value}"))
    gone = _FACTS.c.name.startswith(mark) | _FACTS.c.name.startswith("repeat-paused:")
    connection.execute(_FACTS.delete().where(gone))


def _one_cursor(connection: sa.Connection) -> None:
    """Go on where the slower of the two readers was: what the other read already changes nothing again."""
    logged = connection.execute(sa.select(_FACTS.c.value).where(_FACTS.c.name == "log_cursor")).scalar()
    if logged is not None:
        behind = (_CURSOR.c.name == "outbox") & (_CURSOR.c.seq > int(logged))
        connection.execute(_CURSOR.update().where(behind).values(seq=int(logged)))
    connection.execute(_FACTS.delete().where(_FACTS.c.name == "log_cursor"))


def _cards_of_running_tasks(connection: sa.Connection) -> None:
    """A task that was started and whose card a crash forgot gets one; all that go on are looked at."""
    going = _TASKS.c.state.in_(("running", "paused"))
    known = sa.select(_CARDS.c.task_id)
    forgotten = sa.select(_TASKS.c.task_id, _TASKS.c.home_id).where(
        going, _TASKS.c.home_id != 0, _TASKS.c.task_id.not_in(known)
    )
    for task_id, channel_id in connection.execute(forgotten).all():
        values = {"task_id": task_id, "channel_id": channel_id}
        blank = {"message_id": 0, "posted_at": 0.0, "edited_at": 0.0, "digest": ""}
        new = sa.table("bot_cards", *(sa.column(name) for name in (*values, *blank)))
        connection.execute(new.insert().values(**values, **blank))
    live = sa.select(_TASKS.c.task_id).where(going)
    connection.execute(_CARDS.update().where(_CARDS.c.task_id.in_(live)).values(changed_seq=1))


def downgrade() -> None:
    with op.batch_alter_table("bot_cards", schema=None) as batch_op:
        for name in ("stale_id", "begun_at", "shown_seq", "changed_seq"):
            batch_op.drop_column(name)
