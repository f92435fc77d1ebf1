"""How a task ends, for whatever reason: state, open gates closed, the last event."""

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
    """What the end looks like to people."""

    state: TaskState
    basis: EndBasis
    report: str
    deliverables: tuple[str, ...] = ()
    verified: bool = False
    by: str = ""


def end_task(connection: Connection, task_id: int, ending: Ending, now: float) -> list[EventBody]:
    """End a task that has not ended yet -> the events to append. Raises WrongState when it has.

    What was run stands under the report, so that it can be held against it.
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
        raise WrongState(f"Task {task_id} has already ended.")
    if ending.state == "done":
        _keep_lessons(connection, task_id, now)
    root = int(connection.execute(sa.select(TASKS.c.root_group_id).where(TASKS.c.id == task_id)).scalar_one())
    ended = TaskEnded(task_id, root, ending.state, report, ending.deliverables, ending.verified, ending.basis)
    return [*close_gates(connection, GATES.c.task_id == task_id, "task_ended"), ended]


def current_report(connection: Connection, task: AnyRow) -> str:
    """Return the report of a task whose boss has finished; one of runs and files tells of the newest."""
    return account(connection, task.id) if task.basis == "ran" else str(task.report)


def _with_runs(connection: Connection, task_id: int, ending: Ending) -> str:
    if ending.state == "stopped" or ending.basis == "ran":
        return ending.report
    runs = run_lines(runs_of(connection, task_id))
    return f"{ending.report}\n\n{runs}" if runs else ending.report


def _keep_lessons(connection: Connection, task_id: int, now: float) -> None:
    """What the boss said a later task of this space should know."""
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
    """Text and vector; tasks begun by an older version kept the text alone."""
    if isinstance(kept, str):
        return kept, None
    return kept[0], b64decode(kept[1]) or None
