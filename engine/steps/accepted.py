"""Work that was handed in: who accepted it, or is to review it, hears of later changes to its files."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.checks import named
from engine.domain.state import About, AssignmentFacts
from engine.events import AcceptedWorkChanged
from engine.steps.unit_of_work import UnitOfWork
from engine.store.assignments import load_assignment
from engine.store.core import AGENTS, ASSIGNMENTS, FILES, GROUPS, MESSAGES, dumps, loads

_BATCH = 500


def mark_accepted(connection: Connection, task_id: int, assignment_id: int) -> None:
    """Mark the files of an accepted assignment: those that it named, and those that were changed for it."""
    query = sa.select(ASSIGNMENTS.c.files_json, ASSIGNMENTS.c.changed_json).where(
        ASSIGNMENTS.c.id == assignment_id
    )
    work = connection.execute(query).one()
    paths = sorted({*loads(work.files_json), *loads(work.changed_json)})
    for start in range(0, len(paths), _BATCH):
        here = sa.and_(FILES.c.task_id == task_id, FILES.c.path.in_(paths[start : start + _BATCH]))
        for row in connection.execute(sa.select(FILES.c.path, FILES.c.accepted_json).where(here)).all():
            marks = {**_marks(row.accepted_json), assignment_id: ""}
            one = sa.and_(FILES.c.task_id == task_id, FILES.c.path == row.path)
            connection.execute(FILES.update().where(one).values(accepted_json=_stored(marks)))


def _marks(stored: str) -> dict[int, str]:
    """Return the assignments as part of which a file was accepted, each with the key of the last notice of a
    later change, "" for none."""
    marks = loads(stored) if stored else []
    return dict((mark[0], mark[1]) if isinstance(mark, list) else (mark, "") for mark in marks)


def _stored(marks: Mapping[int, str]) -> str:
    return dumps([[number, key] if key else number for number, key in sorted(marks.items())])


def reopened(unit: UnitOfWork, path: str, stored: str) -> str:
    """Note that a file of accepted work changes. Return the marks that stay on it.

    It is no news to who accepted the work if the writer is the same, or changes it for other work of the same
    giver, whose submission says so; nor while a notice of an earlier change is unread.
    """
    marks = _marks(stored)
    for assignment_id, notice in marks.items():
        work = load_assignment(unit.connection, unit.task_id, assignment_id)
        if work is not None and (work.giver_id == unit.agent.id or _is_given_again(unit, work)):
            continue
        if not notice or _was_read(unit, notice):
            unit.reopened.setdefault(assignment_id, []).append(path)
            marks[assignment_id] = _notice_key(unit, assignment_id)
    return _stored(marks) if marks else ""


def _notice_key(unit: UnitOfWork, assignment_id: int) -> str:
    return f"{unit.step_key}.reopened{assignment_id}"


def _was_read(unit: UnitOfWork, notice: str) -> bool:
    """Return whether a notice was read; False also where nobody was there to get it."""
    read = sa.and_(MESSAGES.c.key == notice, MESSAGES.c.consumed_step.is_not(None))
    return unit.scalar(sa.select(MESSAGES.c.id).where(read)) is not None


def _is_given_again(unit: UnitOfWork, work: AssignmentFacts) -> bool:
    """Return whether the agent made this work and has more from its giver now."""
    mine = unit.agent.id
    return work.assignee_id == mine and any(
        other.assignee_id == mine and other.giver_id == work.giver_id and other.state == "open"
        for other in unit.turn.facts.work
    )


def notify_changed_submissions(unit: UnitOfWork) -> None:
    """Tell who is to review the agent's work which of its files this step changed after it was handed in."""
    mine = [w for w in unit.turn.facts.work if w.assignee_id == unit.agent.id and w.state == "submitted"]
    if not mine or not unit.written:
        return
    query = sa.select(ASSIGNMENTS.c.id, ASSIGNMENTS.c.files_json, ASSIGNMENTS.c.changed_json).where(
        ASSIGNMENTS.c.id.in_([work.id for work in mine]), ASSIGNMENTS.c.state == "submitted"
    )
    of = {
        row.id: {*loads(row.files_json), *loads(row.changed_json)} for row in unit.connection.execute(query)
    }
    for work in mine:
        paths = sorted(of.get(work.id, set()) & set(unit.written))
        reader = _reader(unit.connection, work.giver_id, work.group_id)
        if paths and reader is not None and reader != unit.agent.id:
            text = (
                f"{unit.agent.name} changed {named(paths)} after it submitted #{work.id} ({work.title}). "
                "What came with the submission is older; look at the file before you review it."
            )
            about: tuple[About, int] = ("changed", work.id)
            unit.add_message(reader, text, wakes=False, kind="system", name="system", about=about)


def notify_reopened(unit: UnitOfWork) -> None:
    """Tell whoever accepted work which of its files this step changed, without waking them."""
    for assignment_id, paths in unit.reopened.items():
        work = load_assignment(unit.connection, unit.task_id, assignment_id)
        if work is None:
            continue
        text = (
            f"{unit.agent.name} changed {named(sorted(set(paths)))} after #{work.id} ({work.title}) of "
            f"{work.assignee} was accepted. See that it still holds."
        )
        reader = _reader(unit.connection, work.giver_id, work.group_id)
        if reader is not None and reader != unit.agent.id:
            key = _notice_key(unit, assignment_id)
            unit.add_message(reader, text, wakes=False, kind="system", name="system", key=key)
        unit.event(
            AcceptedWorkChanged(
                unit.task_id,
                work.group_id,
                work.id,
                work.title,
                work.giver,
                unit.agent.id,
                unit.agent.name,
                tuple(sorted(set(paths))),
            )
        )


def _reader(connection: Connection, giver_id: int, group_id: int) -> int | None:
    """Return the agent that accepted, or who leads its group now; None when neither is there."""
    head = sa.select(GROUPS.c.head_id).where(GROUPS.c.id == group_id).scalar_subquery()
    query = sa.select(AGENTS.c.id).where(
        sa.or_(AGENTS.c.id == giver_id, AGENTS.c.id == head), AGENTS.c.status != "dismissed"
    )
    found = set(connection.execute(query).scalars())
    return giver_id if giver_id in found else next(iter(found), None)
