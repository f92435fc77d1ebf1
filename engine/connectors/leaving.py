"""What is known of a task when one of its calls could carry data out (`engine.domain.guard`)."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.connectors.ledger import is_unknown
from engine.domain.addresses import carried_by
from engine.domain.guard import Circumstances
from engine.domain.outside import WEB
from engine.ports import OutsideTool
from engine.store.addresses import bases_of
from engine.store.core import GATES, MEMORIES, OUTSIDE_CALLS, PACKAGES, REVISIONS, TASKS, loads

_answered = (OUTSIDE_CALLS.c.state == "done") | OUTSIDE_CALLS.c.failed
"""Calls whose tool said something: its answer, or its words about a call that it did not carry out."""


def circumstances(
    connection: Connection, task_id: int, tool: OutsideTool, digest: str, addresses: Sequence[str]
) -> Circumstances:
    """Return what is known of this call and its task."""
    files = _first(connection, REVISIONS.c.at, REVISIONS.c.task_id == task_id, REVISIONS.c.note == "brought")
    mine = OUTSIDE_CALLS.c.task_id == task_id
    at, same_server = OUTSIDE_CALLS.c.ended_at, OUTSIDE_CALLS.c.server == tool.server
    answer = _first(connection, at, mine, _answered)
    others = _first(connection, at, mine, _answered, ~(same_server & (OUTSIDE_CALLS.c.tool == tool.tool)))
    elsewhere = _first(connection, at, mine, _answered, ~same_server, OUTSIDE_CALLS.c.server != WEB)
    packages = _first(connection, PACKAGES.c.at, PACKAGES.c.task_id == task_id)
    remembered = 0.0 if _remembers(connection, task_id) else None
    private = 0.0 if _remembers(connection, task_id, OUTSIDE_CALLS.c.server != WEB) else None
    private_at = _earliest(files, elsewhere, private)
    return Circumstances(
        foreign_at=_earliest(files, answer, packages, remembered),
        others_at=_earliest(files, others, packages, remembered),
        private_at=private_at,
        marks=() if private_at is None else _marks(connection, task_id, tool.server, private_at),
        agreed_at=_agreed_at(connection, task_id, tool),
        unknown=is_unknown(connection, task_id, digest),
        bases=bases_of(connection, task_id, addresses),
    )


def holds_foreign(connection: Connection, task_id: int) -> bool:
    """Return whether the task has read text from outside; packages are not counted here."""
    answered = sa.select(OUTSIDE_CALLS.c.id).where(OUTSIDE_CALLS.c.task_id == task_id, _answered)
    brought = sa.select(REVISIONS.c.id).where(REVISIONS.c.task_id == task_id, REVISIONS.c.note == "brought")
    found = any(connection.execute(query.limit(1)).first() is not None for query in (answered, brought))
    return found or _remembers(connection, task_id)


def _marks(connection: Connection, task_id: int, server: str, since: float) -> tuple[tuple[str, ...], ...]:
    """Return the short numbers and the like of each call to a server that no person saw, in their order."""
    made = sa.select(OUTSIDE_CALLS.c.arguments_json).where(
        OUTSIDE_CALLS.c.task_id == task_id,
        OUTSIDE_CALLS.c.server == server,
        OUTSIDE_CALLS.c.gate_id.is_(None),
        OUTSIDE_CALLS.c.created_at >= since,
    )
    texts = connection.execute(made.order_by(OUTSIDE_CALLS.c.id)).scalars()
    return tuple(marks for text in texts if (marks := carried_by(loads(text)).marks))


def _first(
    connection: Connection, when: sa.ColumnElement[float], *where: sa.ColumnElement[bool]
) -> float | None:
    found: float | None = connection.execute(sa.select(sa.func.min(when)).where(*where)).scalar()
    return found


def _earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)


def _remembers(connection: Connection, task_id: int, *which: sa.ColumnElement[bool]) -> bool:
    """Return whether an earlier task that held files of people, or read text from outside (`which`: of such
    calls), left a memory for this one's space."""
    space = sa.select(TASKS.c.space).where(TASKS.c.id == task_id).scalar_subquery()
    origin = OUTSIDE_CALLS.c.task_id == MEMORIES.c.task_id
    brought = sa.and_(REVISIONS.c.task_id == MEMORIES.c.task_id, REVISIONS.c.note == "brought")
    foreign = sa.or_(
        sa.select(OUTSIDE_CALLS.c.id).where(origin, _answered, *which).exists(),
        sa.select(REVISIONS.c.id).where(brought).exists(),
    )
    query = sa.select(MEMORIES.c.id).where(MEMORIES.c.space == space, MEMORIES.c.task_id != task_id, foreign)
    return connection.execute(query.limit(1)).first() is not None


def _agreed_at(connection: Connection, task_id: int, tool: OutsideTool) -> float | None:
    """Return when people were last asked and agreed to this tool for the rest of the task."""
    agreed = sa.and_(
        OUTSIDE_CALLS.c.task_id == task_id,
        OUTSIDE_CALLS.c.server == tool.server,
        OUTSIDE_CALLS.c.tool == tool.tool,
        OUTSIDE_CALLS.c.standing,
        GATES.c.id == OUTSIDE_CALLS.c.gate_id,
    )
    asked = sa.select(sa.func.max(GATES.c.created_at)).where(agreed)
    found: float | None = connection.execute(asked).scalar()
    return found
