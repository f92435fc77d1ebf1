"""Time in which a whole task waits for people: its minutes, and those of its subtrees, do not run then."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.store.core import BUDGETS, TASKS


def begin_waiting(connection: Connection, task_id: int, now: float) -> None:
    """Note that the task waits from now on, unless it does already."""
    idle = sa.and_(TASKS.c.id == task_id, TASKS.c.waiting_since.is_(None))
    connection.execute(TASKS.update().where(idle).values(waiting_since=now))


def end_waiting(connection: Connection, task_id: int, now: float) -> None:
    """Move the deadlines of a task that waited by the time for which it did."""
    query = sa.select(TASKS.c.waiting_since).where(TASKS.c.id == task_id).with_for_update()
    since = connection.execute(query).scalar()
    if since is None:
        return
    span = max(0.0, now - since)
    moved = {"deadline_at": TASKS.c.deadline_at + span, "waited_s": TASKS.c.waited_s + span}
    connection.execute(TASKS.update().where(TASKS.c.id == task_id).values(waiting_since=None, **moved))
    later = BUDGETS.update().where(BUDGETS.c.task_id == task_id)
    connection.execute(later.values(deadline_at=BUDGETS.c.deadline_at + span))
