"""The line before words that an older version handed on is the engine's, too

Older versions wrote "(said to Ann, who has left)" into the text of a message that they passed on. An unread
one keeps that line as its preface, so that an edit by its writer does not lose whom the words were for. The
line is taken only where the message was passed on and names an agent of its task: nothing else a person wrote
is taken for the engine's.

Revision ID: 0040
Revises: 0039
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

MESSAGES = sa.table(
    "messages",
    *map(sa.column, ("id", "task_id", "to_agent", "from_kind", "text", "preface", "key", "consumed_step")),
)
AGENTS = sa.table("agents", sa.column("task_id"), sa.column("name"), sa.column("status"))
LINE = re.compile(r"\(said to (?P<name>[^\n]+), who (?P<why>[^\n]+)\)\n")
MOVED = re.compile(r"(?:\.to\d+)+$")
LEFT = "has left"


def upgrade() -> None:
    connection = op.get_bind()
    unread = sa.select(MESSAGES).where(
        MESSAGES.c.from_kind == "person",
        MESSAGES.c.consumed_step.is_(None),
        MESSAGES.c.preface == "",
        MESSAGES.c.text.like("(said to %"),
    )
    for row in connection.execute(unread).all():
        named = sa.select(AGENTS.c.name, AGENTS.c.status).where(AGENTS.c.task_id == row.task_id)
        preface = _preface(row.text, row.key, dict(map(tuple, connection.execute(named).all())))
        if preface:
            values = {"preface": preface}
            connection.execute(sa.update(MESSAGES).where(MESSAGES.c.id == row.id).values(**values))


def downgrade() -> None:
    """The text holds the lines still."""


def _preface(text: str, key: str, status_of: dict[str, str]) -> str:
    """Return the lines at the beginning of a text that handing it on wrote."""
    moved = MOVED.search(key)
    moves, end = moved[0].count(".to") if moved else 0, 0
    while (line := LINE.match(text, end)) and line["name"] in status_of:
        if moves:
            moves -= 1
        elif line["why"] != LEFT or status_of[line["name"]] != "dismissed":
            break
        end = line.end()
        if line["why"] == LEFT and not moves:
            break
    return text[:end]
