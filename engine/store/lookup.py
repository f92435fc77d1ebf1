"""Fetch one row by id. Raise NotFound with the next step when it does not exist."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.errors import NotFound
from engine.store.core import (
    AGENTS,
    TASKS,
    AnyRow,
)


def budget_path(path: str) -> list[int]:
    """Return the ids of a budget and all above it, the task's first."""
    return [int(part) for part in path.split("/") if part]


def get_agent(connection: Connection, agent_id: int, *, alone: bool = False) -> AnyRow:
    """Return the agent's row, locked when `alone`. Raises NotFound."""
    query = sa.select(AGENTS).where(AGENTS.c.id == agent_id)
    row = connection.execute(query.with_for_update() if alone else query).first()
    if row is None:
        raise NotFound(f"There is no agent {agent_id}.", "Use /task status to see who works on a task.")
    return row


def hold_task(connection: Connection, task_id: int) -> AnyRow:
    """Return the task's row, locked until the end of the transaction. Raises NotFound."""
    row = connection.execute(sa.select(TASKS).where(TASKS.c.id == task_id).with_for_update()).first()
    if row is None:
        raise NotFound(f"There is no task {task_id}.", "Use /task list to see the tasks.")
    return row


def get_task(connection: Connection, task_id: int) -> AnyRow:
    """Return the task's row. Raises NotFound."""
    row = connection.execute(sa.select(TASKS).where(TASKS.c.id == task_id)).first()
    if row is None:
        raise NotFound(f"There is no task {task_id}.", "Use /task list to see the tasks.")
    return row
