"""Read and change a task's caps."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.notices import outdate_notices, tell_caps
from engine.commands import Limits
from engine.domain.budget import FULL_AGENTS, NEAR_AGENTS, NEAR_MINUTES, NEAR_SPEND
from engine.domain.gates import check_lower
from engine.domain.limits import check_limits
from engine.store.core import (
    BUDGETS,
    TASKS,
    AnyRow,
)
from engine.store.lookup import get_task
from engine.store.starts import began_at


def lower_caps(connection: Connection, task: AnyRow, limits: Limits) -> None:
    """Lower a task's caps to those of an approval. Raises Invalid for a limit that is not allowed there."""
    check_limits(limits)
    check_lower(limits, caps_now(connection, task))
    write_limits(connection, task, limits)


def caps_now(connection: Connection, task: AnyRow) -> Limits:
    """Return a task's caps on money, tokens, agents and minutes; its budget row is locked."""
    root = sa.and_(BUDGETS.c.task_id == task.id, BUDGETS.c.parent_id.is_(None))
    row = connection.execute(sa.select(BUDGETS).where(root).with_for_update()).one()
    return Limits(
        agents=task.max_agents,
        cost_micros=row.cap_micros,
        tokens=row.cap_tokens,
        minutes=task.max_minutes,
    )


def write_limits(connection: Connection, task: AnyRow, limits: Limits) -> None:
    """Store the limits that are given (None: no change); warnings about these start again."""
    columns = {
        "max_agents": limits.agents,
        "max_depth": limits.depth,
        "max_members": limits.members,
        "max_steps": limits.steps,
        "max_minutes": limits.minutes,
    }
    changed: dict[str, float] = {name: value for name, value in columns.items() if value is not None}
    if limits.minutes is not None:
        changed["deadline_at"] = began_at(task) + task.waited_s + limits.minutes * 60
    if changed:
        connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(**changed))
    money = {"cap_micros": limits.cost_micros, "cap_tokens": limits.tokens}
    kept = {name: value for name, value in money.items() if value is not None}
    said = NEAR_SPEND if kept else 0
    said |= NEAR_MINUTES if limits.minutes is not None else 0
    said |= NEAR_AGENTS | FULL_AGENTS if limits.agents is not None else 0
    if said:
        root = sa.and_(BUDGETS.c.task_id == task.id, BUDGETS.c.parent_id.is_(None))
        outdate_notices(connection, root)
        warned = BUDGETS.c.warned.bitwise_and(~said)
        connection.execute(BUDGETS.update().where(root).values(warned=warned, **kept))


def tell_task_caps(connection: Connection, task_id: int, now: float) -> None:
    """Tell the boss the task's caps as they are, with its next messages."""
    task = get_task(connection, task_id)
    root = sa.and_(BUDGETS.c.task_id == task_id, BUDGETS.c.parent_id.is_(None))
    budget = connection.execute(sa.select(BUDGETS.c.id).where(root)).scalar_one()
    tell_caps(connection, task_id, budget, task.boss_id, caps_now(connection, task), now)


def tell_subtree_caps(connection: Connection, budget_id: int, now: float) -> None:
    """Tell the agent of a subtree's budget its caps as they are, with its next messages."""
    row = connection.execute(sa.select(BUDGETS).where(BUDGETS.c.id == budget_id)).one()
    caps = Limits(
        agents=row.cap_agents, cost_micros=row.cap_micros, tokens=row.cap_tokens, minutes=row.cap_minutes
    )
    tell_caps(connection, row.task_id, budget_id, row.agent_id, caps, now)
