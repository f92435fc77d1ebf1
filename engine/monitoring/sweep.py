"""Sweeps over running tasks: monitoring rules, quiet tasks, deadlines."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.caps import at_deadline, stop_late_subtrees, warn_near_caps
from engine.domain.gates import choices_of
from engine.domain.snapshot import Finding, Nudge, WatchOptions
from engine.domain.watch import AskPeople, QuietTask, judge, judge_quiet, waiting_in_circles
from engine.events import EventBody, Intervened
from engine.lifecycle.gates import NewGate, raise_gate
from engine.lifecycle.task_state import ready_agents
from engine.lifecycle.waiting import begin_waiting, end_waiting
from engine.lifecycle.waits import end_true_waits
from engine.lifecycle.wrap_up import end_short, wrap_up
from engine.monitoring.intervention import intervene
from engine.monitoring.snapshot import open_work, take_snapshot
from engine.ports import Wake
from engine.store.core import AGENTS, GATES, OUTSIDE_CALLS, TASKS, AnyRow, append_events, new_key
from engine.store.interventions import has_wrapped_up
from engine.store.messages import add_system_message

STANDSTILL = {"stall": "no agent continued by itself", "audit": "the auditor gave no judgement"}


def running_tasks(connection: Connection) -> list[int]:
    """Return the ids of running tasks."""
    return list(connection.execute(sa.select(TASKS.c.id).where(TASKS.c.state == "running")).scalars())


def find_problems(connection: Connection, task_id: int, now: float, options: WatchOptions) -> list[Finding]:
    """Return what the rules find in one running task; reads only."""
    task = _running(connection, task_id, alone=False)
    return judge(take_snapshot(connection, task, now, options), now, options) if task is not None else []


def judge_and_intervene(
    connection: Connection, task_id: int, now: float, options: WatchOptions
) -> tuple[Wake, ...]:
    """Judge a task again in this transaction and intervene. Return the agents to wake."""
    task = _running(connection, task_id)
    if task is None:
        return ()
    found = judge(take_snapshot(connection, task, now, options), now, options)
    return intervene(connection, task, found, now)


def _running(connection: Connection, task_id: int, *, alone: bool = True) -> AnyRow | None:
    """Return the task's row if it is running, locked when `alone`."""
    query = sa.select(TASKS).where(TASKS.c.id == task_id)
    task = connection.execute(query.with_for_update() if alone else query).first()
    return task if task is not None and task.state == "running" else None


def sweep_task(connection: Connection, task_id: int, now: float, options: WatchOptions) -> tuple[Wake, ...]:
    """Check caps, deadline and quietness of one running task. Return the agents to wake.

    Agents that are ready but were not woken are always woken again. While nobody works because people have
    not answered, minutes do not run.
    """
    task = _running(connection, task_id)
    if task is None:
        return ()
    if _waits_for_people(connection, task) and not _is_at_work(connection, task_id):
        begin_waiting(connection, task_id, now)
    else:
        end_waiting(connection, task_id, now)
    task = _running(connection, task_id) or task
    if task.waiting_since is None and task.deadline_at is not None and now > task.deadline_at:
        return at_deadline(connection, task, now)
    warn_near_caps(connection, task_id, now)
    stop_late_subtrees(connection, task, now)
    end_true_waits(connection, task_id, now)
    ready = ready_agents(connection, task_id)
    return ready or wake_quiet_tasks(connection, task, now, options)


def wake_quiet_tasks(
    connection: Connection, task: AnyRow, now: float, options: WatchOptions
) -> tuple[Wake, ...]:
    """Nudge or ask about a task in which no agent is ready, unless a gate is open or a call is under way.

    Return the agents to wake.
    """
    if _waits_for_people(connection, task) or _calls_outside(connection, task.id):
        return ()
    gave_up = _gave_up(connection, task)
    if gave_up is not None:
        return _ask_or_end(connection, task, gave_up, now)
    auditor = task.auditor_id if task.auditor_id and _is_active(connection, task) else None
    quiet = QuietTask(task.boss_id, auditor, open_work(connection, task.id), task.quiet_rounds)
    verdict = judge_quiet(quiet, options)
    connection.execute(
        TASKS.update().where(TASKS.c.id == task.id).values(quiet_rounds=TASKS.c.quiet_rounds + 1)
    )
    if isinstance(verdict, AskPeople):
        return _ask_or_end(connection, task, verdict, now)
    circles = list(waiting_in_circles(take_snapshot(connection, task, now, options), now, options))
    if circles:
        return intervene(connection, task, circles, now)
    return tuple(_nudge(connection, task, nudge, now) for nudge in _one_each(verdict))


def _gave_up(connection: Connection, task: AnyRow) -> AskPeople | None:
    """Return the question for people when the model refuses the boss or the auditor, else None."""
    ids = [task.boss_id, task.auditor_id] if task.report else [task.boss_id]
    stopped = sa.and_(
        AGENTS.c.id.in_([i for i in ids if i]), AGENTS.c.refused != "", AGENTS.c.status == "paused"
    )
    row = connection.execute(sa.select(AGENTS.c.id, AGENTS.c.name, AGENTS.c.refused).where(stopped)).first()
    if row is None:
        return None
    rule: Literal["stall", "audit"] = "audit" if row.id == task.auditor_id else "stall"
    asked = "Accept the result as it is?" if rule == "audit" else "What should happen now?"
    return AskPeople(f"{row.name} cannot continue: {row.refused} {asked}", rule, row.refused)


def _one_each(nudges: list[Nudge]) -> list[Nudge]:
    """Combine the nudges into one message per agent."""
    texts: dict[int, list[str]] = {}
    for nudge in nudges:
        texts.setdefault(nudge.agent_id, []).append(nudge.text)
    return [Nudge(agent, "\n".join(lines)) for agent, lines in texts.items()]


def _waits_for_people(connection: Connection, task: AnyRow) -> bool:
    """Return whether a question is open, or people paused the boss: it goes on when they say so."""
    asked = sa.select(GATES.c.id).where(GATES.c.task_id == task.id, GATES.c.basis.is_(None))
    held = sa.select(AGENTS.c.id).where(
        AGENTS.c.id == task.boss_id, AGENTS.c.status == "paused", AGENTS.c.refused == ""
    )
    return any(connection.execute(query).first() is not None for query in (asked, held))


def _is_at_work(connection: Connection, task_id: int) -> bool:
    """Return whether an agent has work, or a call that a person agreed to is under way."""
    return bool(ready_agents(connection, task_id)) or _calls_outside(connection, task_id)


def _calls_outside(connection: Connection, task_id: int) -> bool:
    """Return whether a call that a person agreed to is not answered yet."""
    open_calls = sa.or_(OUTSIDE_CALLS.c.state == "pending", OUTSIDE_CALLS.c.state == "sent")
    query = sa.select(OUTSIDE_CALLS.c.id).where(OUTSIDE_CALLS.c.task_id == task_id, open_calls)
    return connection.execute(query.limit(1)).first() is not None


def _is_active(connection: Connection, task: AnyRow) -> bool:
    """Return whether the auditor is active and the report still waits for its verdict."""
    agent = connection.execute(sa.select(AGENTS).where(AGENTS.c.id == task.auditor_id)).one()
    return bool(agent.status == "active" and task.report)


def _nudge(connection: Connection, task: AnyRow, nudge: Nudge, now: float) -> Wake:
    agent = connection.execute(sa.select(AGENTS).where(AGENTS.c.id == nudge.agent_id)).one()
    key = f"quiet.{agent.id}.{agent.fence}.{task.quiet_rounds}"
    add_system_message(connection, task.id, agent.id, nudge.text, key, now)
    seen = Intervened(task.id, agent.group_id, agent.id, agent.name, nudge.rule, "nudged", nudge.text)
    append_events(connection, [(f"{key}.{new_key()}", seen)], now)
    return Wake(agent.id, task.id)


def _ask_or_end(connection: Connection, task: AnyRow, ask: AskPeople, now: float) -> tuple[Wake, ...]:
    if not task.attended:
        if ask.why:
            end_short(connection, task, ask.why, now)
            return ()
        return wrap_up(connection, task, STANDSTILL[ask.rule], now)
    key = f"t{task.id}.stall.{new_key()}"
    choices = choices_of(ask.rule, wrapped=has_wrapped_up(connection, task.id))
    question = NewGate(ask.rule, ask.question, choices, key, task.root_group_id)
    raised = raise_gate(connection, task.id, question, now)
    events: list[EventBody] = [
        Intervened(task.id, task.root_group_id, None, "", ask.rule, "asked", ask.question),
        raised,
    ]
    append_events(connection, [(f"{key}.{n}", body) for n, body in enumerate(events)], now)
    return ()
