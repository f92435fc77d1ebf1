"""What agents wait for: files and assignments. A wait ends in the transaction that makes it true.

An agent is woken when the last of its waits has ended, or when an assignment it waits for was cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.waits import HANDED_IN, Awaited
from engine.ports import Wake
from engine.store.core import AGENTS, ASSIGNMENTS, FILES, WAITS, AnyRow
from engine.store.messages import add_system_message
from engine.store.prepared import FetchedRow, Prepared, insert_into

_file_is_there = (
    sa.select(FILES.c.path)
    .where(FILES.c.task_id == WAITS.c.task_id, FILES.c.path == WAITS.c.path, FILES.c.blob.is_not(None))
    .correlate(WAITS)
    .exists()
)
_owes = AGENTS.alias("owes")
_state = (
    sa.select(ASSIGNMENTS.c.state)
    .where(ASSIGNMENTS.c.id == WAITS.c.assignment_id)
    .correlate(WAITS)
    .scalar_subquery()
)

_mine = WAITS.c.agent_id == sa.bindparam("agent")
_of_task = WAITS.c.task_id == sa.bindparam("task")
_insert = insert_into(WAITS, "task_id", "agent_id", "path", "assignment_id", "answer_of", "created_at")
_forget = Prepared(WAITS.delete().where(_mine))
_end = Prepared(WAITS.delete().where(WAITS.c.id == sa.bindparam("wait")))
_answered = Prepared(WAITS.delete().where(_mine, WAITS.c.answer_of == sa.bindparam("answering")))
_awaits = Prepared(
    sa.select(WAITS.c.id).where(_mine, WAITS.c.answer_of == sa.bindparam("answering")).limit(1)
)
_any = Prepared(sa.select(WAITS.c.id).where(_mine).limit(1))
_any_answer = Prepared(sa.select(WAITS.c.id).where(_mine, WAITS.c.answer_of.is_not(None)).limit(1))
_for_file = Prepared(
    sa.select(WAITS).where(_of_task, WAITS.c.path == sa.bindparam("file")).order_by(WAITS.c.agent_id)
)
_for_work = Prepared(
    sa.select(WAITS).where(_of_task, WAITS.c.assignment_id == sa.bindparam("work")).order_by(WAITS.c.agent_id)
)


@dataclass(frozen=True, slots=True)
class EndedWait:
    """An agent that waits for nothing any more, and what it is told."""

    agent_id: int
    text: str


def set_waits(
    connection: Connection, task_id: int, agent_id: int, awaited: Sequence[Awaited], now: float
) -> None:
    """Replace what an agent waits for."""
    _forget.run(connection, agent=agent_id)
    rows = [
        {
            "task_id": task_id,
            "agent_id": agent_id,
            "path": each.path,
            "assignment_id": each.assignment,
            "answer_of": each.answer_of,
            "created_at": now,
        }
        for each in awaited
    ]
    _insert.many(connection, rows)


def waits_on(
    connection: Connection, task_id: int, *, path: str = "", assignment: int | None = None
) -> list[FetchedRow]:
    """Return the waits for one file or one assignment."""
    if path:
        return list(_for_file.all(connection, task=task_id, file=path))
    return list(_for_work.all(connection, task=task_id, work=assignment))


def end_waits(
    connection: Connection, rows: Iterable[AnyRow | FetchedRow], told: str, *, all_of: bool
) -> list[EndedWait]:
    """Delete waits that are over. Return the agents to wake; with `all_of` their other waits end as well."""
    ended: list[EndedWait] = []
    for row in rows:
        if all_of:
            _forget.run(connection, agent=row.agent_id)
        else:
            _end.run(connection, wait=row.id)
        if _any.first(connection, agent=row.agent_id) is None:
            ended.append(EndedWait(row.agent_id, f"{told} You waited for it."))
    return ended


def end_wait_for_answer(
    connection: Connection, asker: int, answering: int
) -> Literal["none", "last", "more awaited"]:
    """End the asker's wait for this agent's answer. Return whether it had one, and waits for others."""
    if _awaits.first(connection, agent=asker, answering=answering) is None:
        return "none"
    _answered.run(connection, agent=asker, answering=answering)
    return "last" if _any_answer.first(connection, agent=asker) is None else "more awaited"


def end_true_waits(connection: Connection, task_id: int, now: float) -> tuple[Wake, ...]:
    """End the waits of a task that are true by whatever way. Return the agents to wake."""
    query = (
        sa.select(
            WAITS,
            _state.label("state"),
            _file_is_there.label("there"),
            _owes.c.name.label("of_name"),
            (_owes.c.status == "dismissed").label("of_left"),
        )
        .join(AGENTS, AGENTS.c.id == WAITS.c.agent_id)
        .outerjoin(_owes, _owes.c.id == WAITS.c.answer_of)
        .where(WAITS.c.task_id == task_id, AGENTS.c.status != "dismissed")
        .order_by(WAITS.c.id)
    )
    wakes: dict[int, Wake] = {}
    for row in connection.execute(query).all():
        if not row.there and row.state not in HANDED_IN and not row.of_left:
            continue
        told = f"{row.path} is there now." if row.path else f"#{row.assignment_id} is {row.state} now."
        told = f"{row.of_name} has left without an answer." if row.of_left else told
        for each in end_waits(connection, [row], told, all_of=row.state == "cancelled"):
            key = f"wait.{row.id}"
            add_system_message(connection, task_id, each.agent_id, each.text, key, now)
            wakes[each.agent_id] = Wake(each.agent_id, task_id)
    return tuple(wakes.values())


def true_now(connection: Connection, task_id: int, awaited: Sequence[Awaited]) -> dict[Awaited, str]:
    """Return those that are there already, each with what is known of it."""
    found: dict[Awaited, str] = {}
    for each in awaited:
        if each.path:
            file = sa.select(FILES.c.revision, FILES.c.agent).where(
                FILES.c.task_id == task_id, FILES.c.path == each.path, FILES.c.blob.is_not(None)
            )
            there = connection.execute(file).first()
            if there is not None:
                text = f"{each.path} is there (revision {there.revision}, by {there.agent})."
                found[each] = text + _not_handed_in(connection, task_id, there.agent)
            continue
        work = sa.select(ASSIGNMENTS.c.state).where(
            ASSIGNMENTS.c.task_id == task_id, ASSIGNMENTS.c.id == each.assignment
        )
        state = connection.execute(work).scalar()
        if state in HANDED_IN:
            found[each] = f"#{each.assignment} is {state}."
    return found


def _not_handed_in(connection: Connection, task_id: int, agent: str) -> str:
    """Return the words for what the writer of a file still has to hand in, "" for nothing."""
    query = (
        sa.select(ASSIGNMENTS.c.id)
        .join(AGENTS, AGENTS.c.id == ASSIGNMENTS.c.assignee_id)
        .where(ASSIGNMENTS.c.task_id == task_id, ASSIGNMENTS.c.state == "open", AGENTS.c.name == agent)
        .order_by(ASSIGNMENTS.c.id.desc())
        .limit(5)
    )
    open_work = [f"#{number}" for number in connection.execute(query).scalars()]
    return f" Not handed in yet: {', '.join(reversed(open_work))}." if open_work else ""


def awaited_by(connection: Connection, task_id: int) -> dict[int, list[AnyRow]]:
    """Return the waits of each agent of a task."""
    held: dict[int, list[AnyRow]] = {}
    for row in connection.execute(sa.select(WAITS).where(WAITS.c.task_id == task_id).order_by(WAITS.c.id)):
        held.setdefault(row.agent_id, []).append(row)
    return held
