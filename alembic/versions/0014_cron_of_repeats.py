"""cron expressions of repeats in the form of the library that reads them now

Weekdays were read by a parser of our own, which took a range over the end of the week (fri-mon) and a step
without a range (mon/2: Monday alone); the last day of the month was "last".

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
REPEATS = sa.table("repeats", sa.column("id", sa.Integer), sa.column("cron", sa.String))


def _day(text: str) -> int:
    return DAYS.index(text) if text in DAYS else int(text)


def _days(part: str) -> Iterator[int]:
    span, _, step = part.partition("/")
    first, _, last = ("0", "", "6") if span == "*" else span.partition("-")
    begin = _day(first)
    end = _day(last) if last else begin
    for day in range(begin, end + 1 + 7 * (end < begin), int(step or 1)):
        yield day % 7


def _plain(cron: str) -> str:
    minute, hour, day, month, weekday = cron.split()
    if "/" in weekday or "-" in weekday.replace("1-5", ""):
        weekday = ",".join(map(str, sorted({day for part in weekday.split(",") for day in _days(part)})))
    return " ".join((minute, hour, day.replace("last", "L"), month, weekday))


def upgrade() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(REPEATS.c.id, REPEATS.c.cron)).all():
        if (plain := _plain(row.cron)) != row.cron:
            connection.execute(REPEATS.update().where(REPEATS.c.id == row.id).values(cron=plain))


def downgrade() -> None:
    """The older parser reads the new form too, but for the last day of the month."""
    older = sa.func.replace(REPEATS.c.cron, " L ", " last ")
    op.get_bind().execute(REPEATS.update().where(REPEATS.c.cron.like("% L %")).values(cron=older))
