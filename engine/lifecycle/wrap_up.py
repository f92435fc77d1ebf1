"""Wrap up a task: everyone but the boss stops, and the boss finishes with the results so far."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.limits import caps_now
from engine.domain.gates import TENTH, extension
from engine.events import EndBasis, EventBody, Intervened
from engine.lifecycle.agents import WRAP_UP, cancel_work
from engine.lifecycle.ending import Ending, current_report, drop_audit, end_task
from engine.lifecycle.open_messages import forward_stranded, messages_since, open_messages
from engine.ports import Wake
from engine.store.core import AGENTS, BUDGETS, INTERVENTIONS, TASKS, AnyRow, append_events, loads
from engine.store.interventions import has_wrapped_up
from engine.store.messages import add_system_message
from engine.store.starts import run_key


def wrap_up(connection: Connection, task: AnyRow, why: str, now: float) -> tuple[Wake, ...]:
    """Stop the others and give the boss a tenth more. Return the agents to wake.

    The second time, or when only the verdict is missing and people said nothing since, the task ends with the
    results so far.
    """
    again = has_wrapped_up(connection, task.id)
    boss = connection.execute(
        sa.select(AGENTS.c.name, AGENTS.c.refused).where(AGENTS.c.id == task.boss_id)
    ).one()
    judging = task.auditor_id is not None and task.report
    said = judging and (
        open_messages(connection, task.id) or messages_since(connection, task.id, task.auditor_id)
    )
    if again or boss.refused or (judging and not said):
        end_short(connection, task, why, now)
        return ()
    connection.execute(
        INTERVENTIONS.insert().values(task_id=task.id, rule="wrapup", subject="task", times=1, at=now)
    )
    _allow_more(connection, task, now)
    events = _stop_others(connection, task, why, now)
    if judging:
        events += drop_audit(connection, task, why, now)
    forward_stranded(connection, task.id, task.boss_id)
    events.append(Intervened(task.id, task.root_group_id, task.boss_id, boss.name, "wrapup", "nudged", why))
    append_events(connection, [(f"{run_key(task)}.wrapup.{n}", body) for n, body in enumerate(events)], now)
    text = (
        f"Wrap up: {why}. Everyone else has stopped and open assignments are cancelled. "
        "Call finish now with what is done, what is submitted included, and say truthfully what is missing."
    )
    add_system_message(
        connection,
        task.id,
        task.boss_id,
        text,
        f"{run_key(task)}.wrapup",
        now,
        priority=0,
        about=("wrap_up", None),
    )
    return (Wake(task.boss_id, task.id, 0),)


def end_short(connection: Connection, task: AnyRow, why: str, now: float) -> None:
    """End the task with the results so far: done but not verified when the boss had reported, else failed."""
    if task.report:
        report = f"{current_report(connection, task)}\n\nNot verified: {why}."
        basis: EndBasis = "ran" if task.basis == "ran" else "wrapped_up"
        ending = Ending("done", basis, report, tuple(loads(task.deliverables_json)))
    else:
        ending = Ending("failed", "failed", f"Ended before the goal was met: {why}.")
    events = end_task(connection, task.id, ending, now)
    append_events(connection, [(f"{run_key(task)}.end.{n}", body) for n, body in enumerate(events)], now)


def _allow_more(connection: Connection, task: AnyRow, now: float) -> None:
    """Raise each cap by a tenth, for the wrap-up."""
    root = sa.and_(BUDGETS.c.task_id == task.id, BUDGETS.c.parent_id.is_(None))
    more = extension(caps_now(connection, task), TENTH)
    raised = {"cap_micros": more.cost_micros, "cap_tokens": more.tokens}
    values = {name: BUDGETS.c[name] + extra for name, extra in raised.items() if extra is not None}
    if values:
        connection.execute(BUDGETS.update().where(root).values(**values))
    later = max(task.deadline_at or now, now) + (more.minutes or 0) * 60
    kept = {"deadline_at": later, "quiet_rounds": 0}
    connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(**kept))


def _stop_others(connection: Connection, task: AnyRow, why: str, now: float) -> list[EventBody]:
    others = sa.and_(AGENTS.c.task_id == task.id, AGENTS.c.id != task.boss_id, AGENTS.c.status == "active")
    ids = list(connection.execute(sa.select(AGENTS.c.id).where(others)).scalars())
    connection.execute(AGENTS.update().where(others).values(status="paused", paused_with=WRAP_UP))
    return cancel_work(connection, ids, why, now, reviewer=task.boss_id)
