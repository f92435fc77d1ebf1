"""End a task: set its state, close its gates, keep its lessons, emit the last event."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.account import run_lines
from engine.domain.recall import signs_of
from engine.errors import WrongState
from engine.events import EndBasis, EventBody, TaskEnded, TaskState
from engine.lifecycle.gates import close_gates
from engine.lifecycle.run_evidence import account, runs_of
from engine.store.core import GATES, MEMORIES, TASKS, AnyRow, dumps, loads

ENDED = ("done", "stopped", "failed")


@dataclass(frozen=True, slots=True)
class Ending:
    """The final state of a task, and the report that people read."""

    state: TaskState
    basis: EndBasis
    report: str
    deliverables: tuple[str, ...] = ()
    verified: bool = False
    by: str = ""


def end_task(connection: Connection, task_id: int, ending: Ending, now: float) -> list[EventBody]:
    """End a task. Return the events to append. Raises WrongState when it has already ended.

    The runs are listed below the report, so that readers can check it.
    """
    report = _with_runs(connection, task_id, ending)
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
        raise WrongState(f"Task {task_id} has already ended. Start a new one with /task new.")
    if ending.state == "done":
        _keep_lessons(connection, task_id, now)
    root = int(connection.execute(sa.select(TASKS.c.root_group_id).where(TASKS.c.id == task_id)).scalar_one())
    ended = TaskEnded(task_id, root, ending.state, report, ending.deliverables, ending.verified, ending.basis)
    return [*close_gates(connection, GATES.c.task_id == task_id, "task_ended"), ended]


def current_report(connection: Connection, task: AnyRow) -> str:
    """Return the report that a boss has finished with, built from runs and files where `basis` is "ran"."""
    return account(connection, task.id) if task.basis == "ran" else str(task.report)


def _with_runs(connection: Connection, task_id: int, ending: Ending) -> str:
    if ending.state == "stopped" or ending.basis == "ran":
        return ending.report
    runs = run_lines(runs_of(connection, task_id))
    return f"{ending.report}\n\n{runs}" if runs else ending.report


def _keep_lessons(connection: Connection, task_id: int, now: float) -> None:
    """Store the lessons that the boss gave for later tasks of this space."""
    task = connection.execute(
        sa.select(TASKS.c.space, TASKS.c.goal, TASKS.c.lessons_json).where(TASKS.c.id == task_id)
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
                key=f"t{task_id}.lesson.{number}",
                created_at=now,
            )
        )


def _lesson(kept: str | list[str]) -> tuple[str, bytes | None]:
    """Return text and vector of a stored lesson; older versions stored the text alone."""
    if isinstance(kept, str):
        return kept, None
    return kept[0], b64decode(kept[1]) or None
