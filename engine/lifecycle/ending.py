"""End a task: set its state, close its gates, keep its lessons, emit the last event.

No task ends while messages of people are open (`engine.lifecycle.open_messages`): `hold_end` defers the end
and tells the boss why. An end that cannot be deferred, because a person or a cap demands it, names them.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.account import run_lines
from engine.domain.completeness import Missing
from engine.domain.outside import Source, sources_at
from engine.domain.recall import signs_of
from engine.errors import WrongState
from engine.events import EndBasis, EventBody, Intervened, TaskEnded, TaskState
from engine.lifecycle.agents import dismiss
from engine.lifecycle.calls import withdraw
from engine.lifecycle.gates import close_gates
from engine.lifecycle.open_messages import forward_stranded, messages_since, open_messages, unheeded
from engine.lifecycle.run_evidence import account, runs_of
from engine.store.core import AGENTS, GATES, MEMORIES, OUTSIDE_CALLS, TASKS, AnyRow, dumps, loads, new_key
from engine.store.lookup import hold_task
from engine.store.messages import add_system_message
from engine.store.packages import pins_of
from engine.store.starts import run_key

ENDED = ("done", "stopped", "failed")
READ, SOURCES = 2_000, 50
"""Calls of a task that are looked at for its sources, and sources that its last event names."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The final state of a task, and the report that people read. `lists_runs`: it says itself what was
    run."""

    state: TaskState
    basis: EndBasis
    report: str
    deliverables: tuple[str, ...] = ()
    verified: bool = False
    by: str = ""
    missing: tuple[Missing, ...] = ()
    lists_runs: bool = False


def end_task(
    connection: Connection, task_id: int, ending: Ending, now: float, pending: Collection[EventBody] = ()
) -> list[EventBody]:
    """End a task. Return the events to append. Raises WrongState when it has already ended.

    The runs are listed below the report, so that readers can check it; `pending`: events of this transaction
    that are not stored yet, with runs among them. Callers whose end can be deferred ask
    `hold_end` first.
    """
    runs = _runs(connection, task_id, ending, pending)
    report = "\n\n".join(part for part in (ending.report, "\n".join(runs)) if part)
    done = connection.execute(
        TASKS.update()
        .where(TASKS.c.id == task_id, TASKS.c.state.not_in(ENDED))
        .values(
            state=ending.state,
            report=report,
            deliverables_json=dumps(ending.deliverables),
            verified=ending.verified,
            basis=ending.basis,
            ended_at=now,
            reason="",
            paused_for="",
        )
    )
    if done.rowcount != 1:
        raise WrongState(f"Task {task_id} has already ended.", "Continue it: /task continue.")
    if ending.state == "done":
        _keep_lessons(connection, task_id, now)
    root = int(connection.execute(sa.select(TASKS.c.root_group_id).where(TASKS.c.id == task_id)).scalar_one())
    ended = TaskEnded(
        task_id,
        root,
        ending.state,
        ending.report,
        ending.deliverables,
        ending.verified,
        ending.basis,
        unheeded(connection, task_id),
        ending.missing,
        runs=runs,
        sources=_sources(connection, task_id),
        by=ending.by if ending.state == "stopped" else "",
    )
    withdraw(connection, OUTSIDE_CALLS.c.task_id == task_id, now)
    return [*close_gates(connection, GATES.c.task_id == task_id, "task_ended"), ended]


def _sources(connection: Connection, task_id: int) -> tuple[Source, ...]:
    """Return what the task read from outside, in the order of its calls."""
    read = (
        sa.select(OUTSIDE_CALLS.c.server, OUTSIDE_CALLS.c.tool, OUTSIDE_CALLS.c.addresses_json)
        .where(OUTSIDE_CALLS.c.task_id == task_id, OUTSIDE_CALLS.c.state == "done", ~OUTSIDE_CALLS.c.failed)
        .order_by(OUTSIDE_CALLS.c.id)
        .limit(READ)
    )
    found = (
        one
        for row in connection.execute(read)
        for one in sources_at(row.server, row.tool, loads(row.addresses_json))
    )
    return tuple(dict.fromkeys(found))[:SOURCES]


@dataclass(frozen=True, slots=True)
class Held:
    """A deferred end: events to append, and the boss to wake."""

    events: tuple[EventBody, ...]
    boss_id: int


def hold_end(connection: Connection, task_id: int, why: str, now: float) -> Held | None:
    """Defer the end of a task while people's messages are open or came after the auditor was called.

    The auditor is dismissed, and the boss gets `why` and the messages and has to finish again. Messages to
    agents that cannot run are forwarded to the boss. Return None when the task may end.
    """
    task = hold_task(connection, task_id)
    words = {each.id: each for each in open_messages(connection, task_id)}
    if task.auditor_id is not None:
        words |= {each.id: each for each in messages_since(connection, task_id, task.auditor_id)}
    if not words:
        return None
    events: list[EventBody] = []
    if task.auditor_id is not None:
        events += drop_audit(connection, task, "people said something since it was called", now)
    forward_stranded(connection, task_id, task.boss_id)
    moved = {each.id for each in words.values() if each.stranded or each.to_id == task.auditor_id}
    told = [w for _, w in sorted(words.items()) if w.to_id != task.boss_id and (w.read or w.id not in moved)]
    quoted = "".join(f"\n{each.quoted}" for each in told)
    text = (
        f"{why}\nThe task does not end yet: people said something since you called finish.{quoted}\n"
        "See that it is acted on and answered, then call finish again."
    )
    key = f"t{task_id}.hold.{new_key()}"
    add_system_message(connection, task_id, task.boss_id, text, key, now, priority=0, about=("held", None))
    boss = connection.execute(sa.select(AGENTS.c.name).where(AGENTS.c.id == task.boss_id)).scalar_one()
    detail = f"{boss} continues: {', '.join(dict.fromkeys(w.by for w in words.values()))} said something"
    seen = Intervened(
        task_id, task.root_group_id, task.boss_id, boss, "words", "nudged", f"{detail} before the end", True
    )
    return Held((*events, seen), task.boss_id)


def drop_audit(connection: Connection, task: AnyRow, reason: str, now: float) -> list[EventBody]:
    """Dismiss the auditor without a verdict; the round does not count. Return the events to append."""
    values = {"auditor_id": None, "audit_round": TASKS.c.audit_round - 1}
    connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(**values))
    return dismiss(connection, task.auditor_id, reason, now)


def current_report(connection: Connection, task: AnyRow, pending: Collection[EventBody] = ()) -> str:
    """Return the report that a boss has finished with, built from runs and files where `basis` is "ran"."""
    return account(connection, task.id, pending) if task.basis == "ran" else str(task.report)


def _runs(
    connection: Connection, task_id: int, ending: Ending, pending: Collection[EventBody]
) -> tuple[str, ...]:
    """Return the runs to be listed below the report; a report made of runs has them already."""
    if ending.state == "stopped" or ending.basis == "ran" or ending.lists_runs:
        return ()
    pins = pins_of(connection, task_id)
    packages = (f"Python packages fetched for it: {', '.join(pin.shown for pin in pins)}",) if pins else ()
    return (*run_lines(runs_of(connection, task_id, pending)), *packages)


def _keep_lessons(connection: Connection, task_id: int, now: float) -> None:
    """Store the lessons that the boss gave for later tasks of this space."""
    task = connection.execute(
        sa.select(TASKS.c.id, TASKS.c.continued, TASKS.c.space, TASKS.c.goal, TASKS.c.lessons_json).where(
            TASKS.c.id == task_id
        )
    ).one()
    source = f"task {task_id}: {' '.join(task.goal.split())[:80]}"
    for number, lesson in enumerate(loads(task.lessons_json)):
        text, packed = _lesson(lesson)
        connection.execute(
            MEMORIES.insert().values(
                task_id=task_id,
                space=task.space,
                text=text,
                source=source,
                embedding=packed,
                signs=packed and signs_of(packed),
                key=f"{run_key(task)}.lesson.{number}",
                created_at=now,
            )
        )


def _lesson(kept: str | list[str]) -> tuple[str, bytes | None]:
    """Return text and vector of a stored lesson; older versions stored the text alone."""
    if isinstance(kept, str):
        return kept, None
    return kept[0], b64decode(kept[1]) or None
