"""What agents are told of caps, while it is true."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.store.core import BUDGETS, MESSAGES

OUTDATED = "A cap that was near, or reached, has been changed since. There is nothing to do about it."


def outdate_notices(connection: Connection, budgets: sa.ColumnElement[bool]) -> None:
    """Replace what is still unread of the caps of these budgets, because they change: it says how much is
    used of the old ones, and what to do about that.

    The message stays, so that a step which is reading it is not done again.
    """
    about = sa.and_(
        MESSAGES.c.about == "cap", MESSAGES.c.about_id.in_(sa.select(BUDGETS.c.id).where(budgets))
    )
    task = MESSAGES.c.task_id.in_(sa.select(BUDGETS.c.task_id).where(budgets))
    unread = sa.and_(task, about, MESSAGES.c.consumed_step.is_(None))
    connection.execute(MESSAGES.update().where(unread).values(text=OUTDATED))
