"""Repeated tasks: handlers of people's commands, and the runs that the schedule starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.month_caps import why_nothing_starts
from engine.commands import EndRepeat, Limits, RepeatTask, ResumeRepeat, StartTask
from engine.domain.goals import checked_goal
from engine.domain.limits import Caps
from engine.domain.recurrence import Recurrence, checked
from engine.errors import Invalid, NotFound, WrongState
from engine.events import RepeatPaused
from engine.handlers.result import HandlerResult
from engine.handlers.tasks import start_task
from engine.lifecycle.ending import ENDED
from engine.store.core import REPEATS, TASKS, AnyRow, append_events, dumps, loads, new_id, new_key
from engine.store.repeats import repeat_views

MOST_IN_A_SPACE = 25


def repeat_task(connection: Connection, command: RepeatTask, caps: Caps, now: float) -> HandlerResult:
    """Store a repeated task with the caps of each run. Raises Invalid."""
    goal = checked_goal(command.goal)
    when = checked(command.cron, command.zone, now)
    if len(repeat_views(connection, command.space)) >= MOST_IN_A_SPACE:
        raise Invalid(f"{MOST_IN_A_SPACE} tasks already repeat here.", "Stop one first: /task repeat stop.")
    values = {
        "goal": goal,
        "space": command.space,
        "by": command.by,
        "cron": when.cron,
        "zone": when.zone,
        "model": command.model or "",
        "limits_json": dumps(asdict(caps)),
        "created_at": now,
        "next_at": when.next_after(now),
        "origin": command.origin,
    }
    return HandlerResult(new_id(connection, REPEATS, values))


def end_repeat(connection: Connection, command: EndRepeat, now: float) -> HandlerResult:
    """End a repeat; it starts no more tasks. Raises NotFound."""
    here = sa.and_(REPEATS.c.id == command.repeat_id, REPEATS.c.ended_at.is_(None))
    if connection.execute(REPEATS.update().where(here).values(ended_at=now)).rowcount != 1:
        raise NotFound(f"There is no repeated task {command.repeat_id}.", "See /task repeat list.")
    return HandlerResult(command.repeat_id)


@dataclass(frozen=True, slots=True)
class DueRepeat:
    """A repeat that is due: its creator, its space and the caps of a run."""

    id: int
    by: str
    space: str
    limits: Limits
    model: str = ""


def due_repeats(connection: Connection, now: float) -> list[DueRepeat]:
    """Return the repeats that are due, the longest overdue first."""
    columns = (REPEATS.c.id, REPEATS.c.by, REPEATS.c.space, REPEATS.c.limits_json, REPEATS.c.model)
    rows = connection.execute(sa.select(*columns).where(_is_due(now)).order_by(REPEATS.c.next_at))
    return [DueRepeat(row.id, row.by, row.space, Limits(**loads(row.limits_json)), row.model) for row in rows]


def _is_due(now: float) -> sa.ColumnElement[bool]:
    going = REPEATS.c.ended_at.is_(None) & REPEATS.c.paused_at.is_(None)
    return going & (REPEATS.c.next_at <= now)


def pause_repeat(connection: Connection, due: DueRepeat, why: str, now: float) -> None:
    """Pause a repeat, with an event, unless somebody else took it over meanwhile."""
    here = sa.and_(REPEATS.c.id == due.id, REPEATS.c.by == due.by, REPEATS.c.paused_at.is_(None))
    pause = REPEATS.update().where(here).values(paused_at=now, paused_why=why)
    told = (REPEATS.c.goal, REPEATS.c.space, REPEATS.c.origin, REPEATS.c.last_task_id)
    row = connection.execute(pause.returning(*told)).first()
    if row is not None:
        paused = RepeatPaused(row.last_task_id or 0, due.id, row.space, row.origin, row.goal, why)
        append_events(connection, [(f"r{due.id}.paused.{new_key()}", paused)], now)


def resume_repeat(connection: Connection, command: ResumeRepeat, now: float) -> HandlerResult:
    """Resume a paused repeat at its next time, in the name of the person who resumes it.

    Raises NotFound, WrongState.
    """
    here = sa.and_(REPEATS.c.id == command.repeat_id, REPEATS.c.ended_at.is_(None))
    row = connection.execute(sa.select(REPEATS).where(here).with_for_update()).first()
    if row is None:
        raise NotFound(f"There is no repeated task {command.repeat_id}.", "See /task repeat list.")
    if row.paused_at is None:
        raise WrongState(f"Repeated task {row.id} is not paused.", "See /task repeat list.")
    next_at = Recurrence(row.cron, row.zone).next_after(now)
    values = {"by": command.by, "paused_at": None, "paused_why": "", "next_at": next_at}
    connection.execute(REPEATS.update().where(REPEATS.c.id == row.id).values(**values))
    return HandlerResult(row.id)


def start_due(connection: Connection, repeat_id: int, now: float) -> HandlerResult | None:
    """Start one run, however many were missed, and set the next time, in one transaction.

    Return None when nothing starts: the repeat is no longer due, the previous run has not ended, or a budget
    of the month is used up.
    """
    query = sa.select(REPEATS).where(REPEATS.c.id == repeat_id, _is_due(now))
    row = connection.execute(query.with_for_update()).first()
    if row is None:
        return None
    waits = _is_unfinished(connection, row.last_task_id)
    waits = waits or bool(why_nothing_starts(connection, row.space, row.by, now))
    started = None if waits else _start_run(connection, row, now)
    kept: dict[str, object] = {"next_at": Recurrence(row.cron, row.zone).next_after(now)}
    if started is None:
        kept["skipped"] = row.skipped + 1
    else:
        kept |= {"last_task_id": started.id, "runs": row.runs + 1}
    connection.execute(REPEATS.update().where(REPEATS.c.id == row.id).values(**kept))
    return started


def _is_unfinished(connection: Connection, task_id: int | None) -> bool:
    state = connection.execute(sa.select(TASKS.c.state).where(TASKS.c.id == task_id)).scalar()
    return state is not None and state not in ENDED


def _start_run(connection: Connection, row: AnyRow, now: float) -> HandlerResult:
    caps = Caps(**loads(row.limits_json))
    command = StartTask(
        row.goal, row.by, row.space, model=row.model or None, attended=False, origin=row.origin
    )
    return start_task(connection, command, caps, now, repeat_id=row.id)
