"""Starts and continuations of tasks: who, what each may use, and what a person has used of a quota."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import Limits
from engine.domain.quota import DAY_S, Used
from engine.store.core import BUDGETS, STARTS, TASKS, AnyRow, dumps, loads


def run_key(task: AnyRow) -> str:
    """Return the prefix of keys for what happens once between a start or continuation of a task and its
    end."""
    return f"t{task.id}.c{task.continued}" if task.continued else f"t{task.id}"


def began_at(task: AnyRow) -> float:
    """Return when a task was started or last continued: its minutes count from then."""
    return float(task.created_at if task.continued_at is None else task.continued_at)


def worked_s(task: AnyRow, now: float) -> float:
    """Return the seconds that count for a task's minutes: without those in which all of it waited for
    people."""
    waits = 0.0 if task.waiting_since is None else now - task.waiting_since
    return max(0.0, now - began_at(task) - float(task.waited_s) - waits)


@dataclass(frozen=True, slots=True)
class Start:
    """A start or continuation to store; `spent_before`: what the task had used, in micro-dollars."""

    task_id: int
    by: str
    space: str
    limits: Limits
    spent_before: int = 0


def note_start(connection: Connection, start: Start, now: float) -> None:
    """Store who started or continued a task, and what it may use."""
    values = {
        "task_id": start.task_id,
        "by": start.by,
        "space": start.space,
        "at": now,
        "limits_json": dumps(asdict(start.limits)),
        "spent_before": start.spent_before,
    }
    connection.execute(STARTS.insert().values(**values))


def given(connection: Connection, task_id: int) -> Limits:
    """Return what the last start or continuation of a task gave."""
    query = sa.select(STARTS.c.limits_json).where(STARTS.c.task_id == task_id)
    kept = connection.execute(query.order_by(STARTS.c.id.desc()).limit(1)).scalar()
    return Limits(**loads(kept)) if kept else Limits()


def used_by(connection: Connection, by: str, space: str, now: float) -> Used:
    """Return what a person has used of a quota in a space.

    What a start cost is known once its task has ended or was continued; until then it counts with its cap.
    """
    mine = sa.and_(STARTS.c.by == by, STARTS.c.space == space)
    tasks = sa.select(STARTS.c.task_id).where(mine, STARTS.c.at > now - DAY_S)
    active = sa.select(TASKS.c.id).where(TASKS.c.space == space, TASKS.c.state.in_(("running", "paused")))
    running = _last_of(connection, active)
    concerned = sa.or_(STARTS.c.task_id.in_(tasks), STARTS.c.task_id.in_(active))
    rows = connection.execute(sa.select(STARTS).where(concerned).order_by(STARTS.c.id)).all()
    after: dict[int, int] = {}
    costs: dict[int, int] = {}
    budgets = _budgets(connection, {row.task_id for row in rows})
    for row in reversed(rows):
        cap, spent = budgets[row.task_id]
        end = cap if row.id in running else spent
        costs[row.id] = max(0, after.get(row.task_id, end) - row.spent_before)
        after[row.task_id] = row.spent_before
    own = [row for row in rows if row.by == by and row.space == space]
    recent = [row for row in own if row.at > now - DAY_S]
    return Used(
        running=sum(row.id in running for row in own),
        starts=len(recent),
        cost_micros=sum(costs[row.id] for row in own if row.at > now - DAY_S or row.id in running),
    )


def _last_of(connection: Connection, tasks: sa.Select[int]) -> set[int]:
    """Return the ids of the last starts of tasks."""
    last = sa.select(sa.func.max(STARTS.c.id)).where(STARTS.c.task_id.in_(tasks)).group_by(STARTS.c.task_id)
    return set(connection.execute(last).scalars())


def _budgets(connection: Connection, tasks: set[int]) -> dict[int, tuple[int, int]]:
    """Return cap and spending of tasks, in micro-dollars; without a cap the spending stands for it."""
    query = sa.select(BUDGETS).where(BUDGETS.c.task_id.in_(tasks), BUDGETS.c.parent_id.is_(None))
    rows: Sequence[AnyRow] = connection.execute(query).all()
    return {
        row.task_id: (row.spent_micros if row.cap_micros is None else row.cap_micros, row.spent_micros)
        for row in rows
    }
