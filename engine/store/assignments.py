"""Queries of assignments with the names of giver and assignee."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.state import (
    AssignmentFacts,
)
from engine.store.core import AGENTS, ASSIGNMENTS, loads
from engine.store.prepared import (
    FetchedRow,
    Prepared,
)

_giver, _assignee = AGENTS.alias("giver"), AGENTS.alias("assignee")


_work_columns = (
    sa.select(ASSIGNMENTS, _giver.c.name.label("giver"), _assignee.c.name.label("assignee"))
    .join(_giver, _giver.c.id == ASSIGNMENTS.c.giver_id)
    .join(_assignee, _assignee.c.id == ASSIGNMENTS.c.assignee_id)
)


_is_own = ASSIGNMENTS.c.assignee_id == sa.bindparam("agent")


_open_work = _work_columns.where(
    sa.or_(ASSIGNMENTS.c.giver_id == sa.bindparam("agent"), _is_own),
    sa.or_(ASSIGNMENTS.c.state == "open", ASSIGNMENTS.c.state == "submitted"),
)


_work = Prepared(_open_work.order_by(ASSIGNMENTS.c.id))


_by_need = sa.case((_is_own, 0), (ASSIGNMENTS.c.state == "submitted", 1), else_=2)


shown_work = Prepared(
    _open_work.order_by(_by_need, ASSIGNMENTS.c.id).limit(sa.bindparam("most", type_=sa.Integer))
)


_one_work = Prepared(
    _work_columns.where(
        ASSIGNMENTS.c.id == sa.bindparam("number"), ASSIGNMENTS.c.task_id == sa.bindparam("task")
    )
)


def load_work(connection: Connection, agent_id: int) -> tuple[AssignmentFacts, ...]:
    """Return the open and submitted assignments that the agent gave or has."""
    return tuple(assignment_facts(row) for row in _work.all(connection, agent=agent_id))


def load_assignment(connection: Connection, task_id: int, assignment_id: int) -> AssignmentFacts | None:
    """Return an assignment of the task in any state, None when there is none."""
    row = _one_work.first(connection, number=assignment_id, task=task_id)
    return assignment_facts(row) if row else None


def parties(connection: Connection, task_id: int, assignment_id: int) -> set[int]:
    """Return the ids of giver and assignee of an assignment; empty when there is none."""
    row = _one_work.first(connection, number=assignment_id, task=task_id)
    return {row.giver_id, row.assignee_id} if row else set()


def assignment_facts(row: FetchedRow) -> AssignmentFacts:
    """Return the facts of a row of assignments joined with the names of both parties."""
    return AssignmentFacts(
        id=row.id,
        title=row.title,
        giver_id=row.giver_id,
        assignee_id=row.assignee_id,
        giver=row.giver,
        assignee=row.assignee,
        state=row.state,
        acceptance=row.acceptance,
        command=tuple(loads(row.command_json)),
        group_id=row.group_id,
        details=row.details,
    )
