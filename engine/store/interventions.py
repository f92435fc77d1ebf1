"""Count how often a monitoring rule acted on a subject."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.store.core import INTERVENTIONS

REFUSAL = "refusal"
"""Counts, by role, requests that an endpoint refused before it had answered any of the role in the task."""


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


def forget_refusals(connection: Connection, task_id: int) -> None:
    """Let endpoints that refused a task's requests be asked again: a person changed or said something."""
    here = sa.and_(INTERVENTIONS.c.task_id == task_id, INTERVENTIONS.c.rule == REFUSAL)
    connection.execute(INTERVENTIONS.delete().where(here))
