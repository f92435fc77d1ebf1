"""Caps: what a task may spend; at 80 % it is said, at 100 % the task pauses and asks."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.events import CapReached, EventBody, GateRaised
from engine.store.core import BUDGETS, GATES, TASKS, AnyRow, append_events, dumps, new_id
from engine.store.tasks import set_state

CAP_OPTIONS = ("Raise by half", "Wrap up", "Stop the task")
WARN_PERCENT = 80
CapName = Literal["cost", "tokens", "agents", "minutes"]


def root_budget(connection: Connection, task_id: int) -> AnyRow:
    """The task's own budget."""
    return connection.execute(
        sa.select(BUDGETS).where(BUDGETS.c.task_id == task_id, BUDGETS.c.parent_id.is_(None))
    ).one()


def nearest_cap(budget: AnyRow) -> tuple[CapName, int, int]:
    """(cap, spent, limit) of the cap that is used up most, reservations included."""
    money = (budget.spent_micros + budget.reserved_micros) / (budget.cap_micros or 1)
    tokens = (budget.spent_tokens + budget.reserved_tokens) / (budget.cap_tokens or 1)
    if money >= tokens:
        return "cost", budget.spent_micros, budget.cap_micros
    return "tokens", budget.spent_tokens, budget.cap_tokens


def pause_at_cap(connection: Connection, task_id: int, now: float) -> bool:
    """Pause a running task at its spending cap and ask; False when it is not running (told already)."""
    cap, spent, limit = nearest_cap(root_budget(connection, task_id))
    return pause_and_ask(connection, task_id, (cap, spent, limit), now)


def pause_and_ask(connection: Connection, task_id: int, at: tuple[CapName, int, int], now: float) -> bool:
    """Pause a running task at a cap and raise the gate that asks what to do."""
    task = connection.execute(sa.select(TASKS).where(TASKS.c.id == task_id).with_for_update()).one()
    if task.state != "running":
        return False
    cap, spent, limit = at
    set_state(connection, task, "paused", f"cap on {cap} reached", now)
    question = f"The cap on {cap} is reached ({_amount(cap, spent)} of {_amount(cap, limit)}). How to go on?"
    gate = new_id(
        connection,
        GATES,
        {
            "task_id": task_id,
            "group_id": task.root_group_id,
            "kind": "cap",
            "name": "",
            "question": question,
            "options_json": dumps(CAP_OPTIONS),
            "key": f"t{task_id}.cap.{now:.6f}",
            "created_at": now,
        },
    )
    events: list[EventBody] = [
        CapReached(task_id, cap, 100, spent, limit),
        GateRaised(task_id, task.root_group_id, gate, "cap", None, "", question, CAP_OPTIONS),
    ]
    append_events(connection, [(f"gate{gate}.{n}", body) for n, body in enumerate(events)], now)
    return True


def _amount(cap: CapName, value: int) -> str:
    return f"${value / 1e6:,.2f}" if cap == "cost" else f"{value:,}"


def warn_near_cap(connection: Connection, task_id: int, now: float) -> None:
    """Say once that 80 % of a cap is spent."""
    budget = root_budget(connection, task_id)
    cap, spent, limit = nearest_cap(budget)
    if budget.warned or not limit or spent * 100 < limit * WARN_PERCENT:
        return
    connection.execute(BUDGETS.update().where(BUDGETS.c.id == budget.id).values(warned=1))
    body = CapReached(task_id, cap, WARN_PERCENT, spent, limit)
    append_events(connection, [(f"t{task_id}.warn.{limit}", body)], now)
