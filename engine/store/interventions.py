"""Count how often a monitoring rule acted on a subject."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.store.core import INTERVENTIONS


def has_wrapped_up(connection: Connection, task_id: int) -> bool:
    """Return whether the task has been told to wrap up: the tenth more for it is given once."""
    told = sa.and_(INTERVENTIONS.c.task_id == task_id, INTERVENTIONS.c.rule == "wrapup")
    return connection.execute(sa.select(INTERVENTIONS.c.times).where(told)).first() is not None


def count_intervention(connection: Connection, task_id: int, rule: str, subject: str, now: float) -> int:
    """Count this intervention. Return how often the rule has acted on the subject, this time included."""
    here = sa.and_(
        INTERVENTIONS.c.task_id == task_id, INTERVENTIONS.c.rule == rule, INTERVENTIONS.c.subject == subject
    )
    times = int(connection.execute(sa.select(INTERVENTIONS.c.times).where(here)).scalar() or 0) + 1
    if times == 1:
        values = {"task_id": task_id, "rule": rule, "subject": subject}
        connection.execute(INTERVENTIONS.insert().values(**values, times=1, at=now))
    else:
        connection.execute(INTERVENTIONS.update().where(here).values(times=times, at=now))
    return times
