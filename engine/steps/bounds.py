"""Limits checked again at the commit, because many agents write at the same time."""

from __future__ import annotations

import sqlalchemy as sa

from engine.budget.team import team_of
from engine.domain.effects import CheckRoom, CheckTeam
from engine.domain.team import too_many
from engine.errors import Stale
from engine.steps.unit_of_work import UnitOfWork
from engine.store.core import FILES
from engine.store.prepared import Prepared

_room = Prepared(
    sa.select(sa.func.count().label("files"), sa.func.sum(FILES.c.size).label("total")).where(
        FILES.c.task_id == sa.bindparam("at_task"), FILES.c.blob.is_not(None)
    )
)


def apply_check_room(effect: CheckRoom, unit: UnitOfWork) -> None:
    """Raise Stale when the task's files, those of this step included, are over their limits."""
    held = _room.first(unit.connection, at_task=unit.task_id)
    if held is not None and (held.files > effect.files or (held.total or 0) > effect.total):
        raise Stale("the task's files are over their limits")


def apply_check_team(effect: CheckTeam, unit: UnitOfWork) -> None:
    """Raise Stale when the agents, those of this step included, are more than a cap or an approval allows."""
    team, agent = team_of(unit.connection, unit.agent.id), unit.agent
    refusal = too_many(
        team, 0, unit.turn.facts.task, boss=agent.role == "boss", approval_over=effect.approval_over
    )
    if refusal:
        raise Stale(refusal)
