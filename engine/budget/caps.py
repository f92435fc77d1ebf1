"""Reaction to caps: a warning at 80 %; at 100 % a subtree stops and its head is asked, or the task pauses
and the people are asked.

An unattended task asks nobody: it wraps up once, then ends with the results so far.
"""

from __future__ import annotations

import math
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.month_caps import month_budgets, pause_for_month
from engine.budget.subtree_caps import ask_about_subtree_cap, used_of, warn_setter
from engine.budget.tree import as_budget, budget_of, budgets_of, freeze
from engine.domain.budget import (
    FULL_AGENTS,
    NEAR_AGENTS,
    NEAR_MINUTES,
    NEAR_SPEND,
    WARN_PERCENT,
    Budget,
    CapName,
    amounts,
    is_near,
    spent_budget,
)
from engine.domain.gates import choices_of
from engine.domain.state import About
from engine.events import CapReached, EventBody, Intervened
from engine.lifecycle.gates import NewGate, raise_gate
from engine.lifecycle.task_state import set_state
from engine.lifecycle.wrap_up import wrap_up
from engine.ports import Quote, Wake
from engine.store.core import AGENTS, BUDGETS, TASKS, AnyRow, append_events, new_key
from engine.store.interventions import has_wrapped_up
from engine.store.messages import add_system_message
from engine.store.starts import worked_s

_HEADS = (
    "Raise it with set_budget, or tell it to wrap up and raise it a little, or dismiss it and use what it "
    "has done.",
)
_PEOPLES = (
    "A person set this cap and nobody attends: do without its work, or dismiss it and use what it has done.",
    "A person set this cap, and the people are asked what to do. Continue with what does not need it.",
)


def at_cap(
    connection: Connection, task_id: int, agent_id: int, need: Quote, now: float
) -> tuple[bool, tuple[Wake, ...]]:
    """React to a reservation of `need` that did not fit. Return (retry may succeed, agents to wake).

    A retry may succeed while running calls hold reservations that they will not use up. Otherwise the
    subtree of the spent budget stops and its head is asked; when the task's own budget, or one of the month,
    is spent, the task pauses and the people are asked.
    """
    task = connection.execute(sa.select(TASKS).where(TASKS.c.id == task_id).with_for_update()).one()
    if task.state != "running":
        return False, ()
    root, *below = budget_of(connection, agent_id)
    spent = spent_budget([root, *month_budgets(connection, agent_id, now), *below], need)
    if spent is None:
        return True, ()
    if spent.month:
        pause_for_month(connection, task, spent, need, now)
        return False, ()
    if spent.agent_id is not None:
        return False, _stop_subtree(connection, task, spent, need, now)
    return False, pause_and_ask(connection, task, spent.binding(need), now)


def _stop_subtree(
    connection: Connection, task: AnyRow, budget: Budget, need: Quote, now: float
) -> tuple[Wake, ...]:
    return _stop_subtree_at(connection, task, budget, budget.binding(need), now)


def _stop_subtree_at(
    connection: Connection, task: AnyRow, budget: Budget, at: tuple[CapName, int, int], now: float
) -> tuple[Wake, ...]:
    agent = connection.execute(sa.select(AGENTS).where(AGENTS.c.id == budget.agent_id)).one()
    row = connection.execute(sa.select(BUDGETS).where(BUDGETS.c.id == budget.id).with_for_update()).one()
    if row.frozen:
        return ()  # another of its agents came to the cap in the same moment
    freeze(connection, budget.id, frozen=True)
    cap, _, limit = at
    detail = f"{agent.name} has no budget left for its next call ({used_of(*at)} used)"
    asks = bool(row.set_by) and task.attended
    action: Literal["asked", "paused"] = "asked" if asks else "paused"  # a question says it by itself
    to = agent.head_id or task.boss_id
    key = f"budget{budget.id}.{cap}.{limit}.{new_key()}"
    seen = Intervened(task.id, agent.group_id, agent.id, agent.name, "budget", action, detail, names=True)
    append_events(connection, [(key, seen)], now)
    if asks:
        ask_about_subtree_cap(connection, task, row, agent, at, now)
    then = (_PEOPLES if row.set_by else _HEADS)[asks]
    text = f"Careful: {detail}; its group has stopped. {then}"
    add_system_message(connection, task.id, to, text, key, now, about=("cap", budget.id))
    return (Wake(to, task.id),)


def at_deadline(connection: Connection, task: AnyRow, now: float) -> tuple[Wake, ...]:
    """React to the end of a task's minutes. Return the agents to wake."""
    minutes = int(worked_s(task, now) // 60)
    return pause_and_ask(connection, task, ("minutes", minutes, task.max_minutes), now)


def pause_and_ask(
    connection: Connection, task: AnyRow, at: tuple[CapName, int, int], now: float
) -> tuple[Wake, ...]:
    """Pause a running task at a cap and ask the people; wrap up an unattended task with a tenth more instead.

    Return the agents to wake.
    """
    cap, spent, limit = at
    key = f"t{task.id}.cap.{new_key()}"
    reached = CapReached(task.id, cap, 100, spent, limit)
    if not task.attended:
        append_events(connection, [(key, reached)], now)
        return wrap_up(connection, task, f"the cap on {cap} is reached", now)
    set_state(connection, task, "paused", f"cap on {cap} reached", now, "cap")
    text = f"{_at_the_cap(at)} What should happen now?"
    choices = choices_of("cap", wrapped=has_wrapped_up(connection, task.id))
    question = NewGate("cap", text, choices, f"{key}.gate", task.root_group_id)
    raised = raise_gate(connection, task.id, question, now)
    append_events(connection, [(f"{key}.0", reached), (f"{key}.1", raised)], now)
    return ()


def _at_the_cap(at: tuple[CapName, int, int]) -> str:
    """Return why work stops at a cap: it is used up, or the next call would exceed it."""
    cap, spent, limit = at
    used = " of ".join(amounts(cap, spent, limit))
    if spent >= limit:
        return f"The cap on {cap} is reached: {used} used."
    return f"The next model call does not fit within the cap on {cap}: {used} used."


def warn_near_caps(connection: Connection, task_id: int, now: float) -> None:
    """Warn once per cap that 80 % of it is used."""
    task = connection.execute(sa.select(TASKS).where(TASKS.c.id == task_id)).one()
    for row in budgets_of(connection, task_id):
        if row.agent_id is None:
            _warn_task(connection, task, row, now)
        else:
            _warn_subtree(connection, task, row, now)


def stop_late_subtrees(connection: Connection, task: AnyRow, now: float) -> tuple[Wake, ...]:
    """Stop the subtrees whose minutes are over and ask their heads. Return the agents to wake."""
    late = [
        row
        for row in budgets_of(connection, task.id)
        if row.deadline_at is not None and now > row.deadline_at and not row.frozen
    ]
    wakes: list[Wake] = []
    for row in late:
        at: tuple[CapName, int, int] = ("minutes", row.cap_minutes, row.cap_minutes)
        wakes += _stop_subtree_at(connection, task, as_budget(row), at, now)
    return tuple(wakes)


def _warn_task(connection: Connection, task: AnyRow, row: AnyRow, now: float) -> None:
    minutes = int(worked_s(task, now) / 60)
    cap, spent, limit = as_budget(row).nearest()
    found: list[tuple[int, CapName, int, int, int]] = []
    if is_near(spent, limit):
        found.append((NEAR_SPEND, cap, WARN_PERCENT, spent, limit))
    if is_near(minutes, task.max_minutes):
        found.append((NEAR_MINUTES, "minutes", WARN_PERCENT, minutes, task.max_minutes))
    agents = task.agents - (task.auditor_id is not None)  # whom the engine calls uses up nobody's room
    if is_near(agents, task.max_agents):
        found.append((NEAR_AGENTS, "agents", WARN_PERCENT, agents, task.max_agents))
    if agents >= task.max_agents:
        found.append((FULL_AGENTS, "agents", 100, agents, task.max_agents))
    new = [warning for warning in found if not row.warned & warning[0]]
    if not new:
        return
    bits = row.warned | sum(warning[0] for warning in new)
    connection.execute(BUDGETS.update().where(BUDGETS.c.id == row.id).values(warned=bits))
    events: list[EventBody] = [CapReached(task.id, c, percent, s, m) for _, c, percent, s, m in new]
    append_events(
        connection, [(f"t{task.id}.warn.{new_key()}.{n}", body) for n, body in enumerate(events)], now
    )
    if any(bit in (NEAR_SPEND, NEAR_MINUTES) for bit, *_ in new):
        text = f"{WARN_PERCENT}% of what this task may use is used. Start nothing large; bring it to its end."
        key = f"t{task.id}.warn.{new_key()}"
        about: tuple[About, int] = ("cap", row.id)
        add_system_message(connection, task.id, task.boss_id, text, key, now, wakes=False, about=about)


def _warn_subtree(connection: Connection, task: AnyRow, row: AnyRow, now: float) -> None:
    """Warn the subtree's agent without waking it; a stopped subtree has already been asked about."""
    if row.frozen:
        return
    cap, spent, limit = as_budget(row).nearest()
    found: list[tuple[int, CapName, int, int]] = []
    if is_near(spent, limit):
        found.append((NEAR_SPEND, cap, spent, limit))
    if row.deadline_at is not None:
        minutes = row.cap_minutes - math.ceil((row.deadline_at - now) / 60)
        if is_near(minutes, row.cap_minutes):
            found.append((NEAR_MINUTES, "minutes", minutes, row.cap_minutes))
    for bit, cap_name, used, most in found:
        if not row.warned & bit:
            _say_near(connection, task, row, (cap_name, used, most), now)
    bits = row.warned | sum(bit for bit, *_ in found)
    if bits != row.warned:
        connection.execute(BUDGETS.update().where(BUDGETS.c.id == row.id).values(warned=bits))


def _say_near(
    connection: Connection, task: AnyRow, row: AnyRow, at: tuple[CapName, int, int], now: float
) -> None:
    agent = connection.execute(sa.select(AGENTS).where(AGENTS.c.id == row.agent_id)).one()
    detail = f"{used_of(*at)} of the budget of {agent.name} are used"
    key = f"budget{row.id}.near.{at[0]}.{new_key()}"
    text = f"{detail}. Bring your part to its end within the rest."
    add_system_message(connection, task.id, agent.id, text, key, now, wakes=False, about=("cap", row.id))
    seen = Intervened(task.id, agent.group_id, agent.id, agent.name, "budget", "nudged", detail, names=True)
    append_events(connection, [(key, seen)], now)
    if row.set_by:
        warn_setter(connection, row, agent, at, now)
