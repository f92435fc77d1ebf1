"""Requests that endpoints refused for reasons nobody knows: counted by task, by lane and by reason."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.ports import AgentRole
from engine.store.core import AGENTS, INTERVENTIONS, STEPS

REFUSAL = "refusal"
"""The rule under which these counts stand among the interventions."""

_WORD = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Lane:
    """One model at one endpoint, and the roles that use it; `key` tells lanes apart."""

    key: str
    roles: tuple[AgentRole, ...]


@dataclass(frozen=True, slots=True)
class RefusedSoFar:
    """`times`: how often a reason was given since the lane last answered in the task; `answered`: whether it
    ever did."""

    times: int
    answered: bool


def key_of(*words: str) -> str:
    """Return a short key of a lane's address and model, or of a reason."""
    return hashlib.sha256("|".join(words).encode("utf-8", "replace")).hexdigest()[:12]


def cause_of(reason: str) -> str:
    """Return the key of a refusal's text without what varies between requests: counts, ids, dates."""
    return key_of(_WORD.sub(_without_number, reason.lower())[:400])


def _without_number(word: re.Match[str]) -> str:
    """Return a word without what varies: all of one that holds a digit, but for dashes around it."""
    if not any(char.isdecimal() for char in word[0]):
        return word[0]
    bare = word[0].strip("-")
    before, _, after = word[0].partition(bare)
    return f"{before}#{after}"


def count_refusal(connection: Connection, task_id: int, lane: Lane, cause: str, now: float) -> None:
    """Count a refusal; an answer of the lane resets the count."""
    before = refused_so_far(connection, task_id, lane, cause).times
    here = _of(task_id, INTERVENTIONS.c.subject == _subject(lane, cause))
    values = {"times": before + 1, "at": now}
    if not connection.execute(INTERVENTIONS.update().where(here).values(**values)).rowcount:
        subject = {"task_id": task_id, "rule": REFUSAL, "subject": _subject(lane, cause)}
        connection.execute(INTERVENTIONS.insert().values(**subject, **values))


def refused_so_far(connection: Connection, task_id: int, lane: Lane, cause: str) -> RefusedSoFar:
    """Return how the lane refused a task's requests for this reason."""
    here = _of(task_id, INTERVENTIONS.c.subject == _subject(lane, cause))
    row = connection.execute(sa.select(INTERVENTIONS.c.times, INTERVENTIONS.c.at).where(here)).first()
    counts = row is not None and not _answered(connection, task_id, lane, row.at)
    return RefusedSoFar(row.times if row and counts else 0, _answered(connection, task_id, lane, 0.0))


def still_refuses(connection: Connection, task_id: int, lane: Lane, most: int) -> bool:
    """Return whether the lane refused `most` requests for one reason and answered none of the task since."""
    mine = INTERVENTIONS.c.subject.startswith(f"{lane.key}.", autoescape=True)
    rows = sa.select(INTERVENTIONS.c.at).where(_of(task_id, mine), INTERVENTIONS.c.times >= most)
    return any(not _answered(connection, task_id, lane, row.at) for row in connection.execute(rows).all())


def forget_refusals(connection: Connection, task_id: int) -> None:
    """Let endpoints that refused a task's requests be asked again: somebody changed or said something."""
    connection.execute(INTERVENTIONS.delete().where(_of(task_id, sa.true())))


def _subject(lane: Lane, cause: str) -> str:
    return f"{lane.key}.{cause}"


def _of(task_id: int, subject: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.and_(INTERVENTIONS.c.task_id == task_id, INTERVENTIONS.c.rule == REFUSAL, subject)


def _answered(connection: Connection, task_id: int, lane: Lane, since: float) -> bool:
    answers = (
        sa.select(STEPS.c.id)
        .join(AGENTS, AGENTS.c.id == STEPS.c.agent_id)
        .where(
            STEPS.c.task_id == task_id,
            STEPS.c.model != "",
            STEPS.c.ended_at > since,
            AGENTS.c.role.in_(lane.roles),
        )
        .limit(1)
    )
    return connection.execute(answers).first() is not None
