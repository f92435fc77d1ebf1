"""Handlers of commands to tasks: start, pause, resume, stop, raise a cap."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.limits import tell_subtree_caps, tell_task_caps, write_limits
from engine.budget.month_caps import check_month, why_nothing_starts
from engine.budget.tree import SubtreeCaps, set_budget
from engine.commands import PauseTask, RaiseCap, ResumeTask, StartTask, StopTask
from engine.domain.goals import checked_goal
from engine.domain.limits import Caps, check_limits
from engine.domain.models import DEMONSTRATION
from engine.domain.quota import check_quota
from engine.domain.titles import title_of
from engine.errors import Invalid, NotFound, WrongState
from engine.events import (
    AgentJoined,
    CapsChanged,
    EventBody,
    GroupFormed,
    TaskAccepted,
)
from engine.handlers.attachments import named_files
from engine.handlers.result import HandlerResult
from engine.lifecycle.agents import NewAgent, add_agent, close_subtree_cap_gates, form_group
from engine.lifecycle.ending import ENDED, Ending, end_task
from engine.lifecycle.task_state import ready_agents, reopen, set_state
from engine.ports import Wake
from engine.store.addresses import add_words
from engine.store.core import (
    AGENTS,
    BUDGETS,
    TASKS,
    AnyRow,
    append_events,
    hold_order,
    new_id,
    new_key,
)
from engine.store.lookup import get_task
from engine.store.memory import kept_for
from engine.store.messages import add_system_message
from engine.store.starts import Start, note_start, run_key, used_by

BOSS_NAME = "Boss"


def start_task(
    connection: Connection, command: StartTask, caps: Caps, now: float, repeat_id: int | None = None
) -> HandlerResult:
    """Create a task with its root group, its boss and the first message. Raises Invalid."""
    goal = checked_goal(command.goal)
    hold_order(connection)  # so that two starts of one person are counted one after the other
    used = used_by(connection, command.by, command.space, now)
    asked = 0 if command.model == DEMONSTRATION else caps.cost_micros
    check_quota(command.quota, used, asked)
    check_month(connection, command.space, command.by, now, command.model)
    task = new_id(connection, TASKS, _task_values(command, goal, caps, now))
    budget = new_id(
        connection, BUDGETS, {"task_id": task, "cap_micros": caps.cost_micros, "cap_tokens": caps.tokens}
    )
    connection.execute(BUDGETS.update().where(BUDGETS.c.id == budget).values(path=f"{budget}/"))
    boss, name = add_agent(
        connection,
        NewAgent(task, 0, None, budget, BOSS_NAME, "boss", "", "boss", 0),
        now,
    )
    group = form_group(connection, task, None, boss, title_of(goal), 0)
    connection.execute(AGENTS.update().where(AGENTS.c.id == boss).values(group_id=group))
    connection.execute(TASKS.update().where(TASKS.c.id == task).values(boss_id=boss, root_group_id=group))
    events: list[EventBody] = [
        TaskAccepted(
            task,
            goal,
            command.by,
            command.space,
            repeat_id,
            command.origin,
            demonstration=command.model == DEMONSTRATION,
        ),
        GroupFormed(task, group, None, boss, title_of(goal), 0),
        AgentJoined(task, group, boss, name, "boss"),
    ]
    append_events(connection, [(f"t{task}.start.{n}", body) for n, body in enumerate(events)], now)
    note_start(connection, Start(task, command.by, command.space, caps.limits()), now)
    add_words(connection, task, goal, now)
    text = _first_message(command) + _lessons(connection, command.space, goal)
    add_system_message(connection, task, boss, text, f"t{task}.goal", now)
    return HandlerResult(task, (Wake(boss, task),))


def start_held(connection: Connection, command: StartTask, caps: Caps, now: float) -> HandlerResult:
    """Create a task that is paused until its files are stored and `release_held` is called."""
    done = start_task(connection, command, caps, now)
    reason = "not all of its files arrived; stop it and start it again"
    held = {"state": "paused", "reason": reason, "paused_for": "files"}
    connection.execute(TASKS.update().where(TASKS.c.id == done.id).values(**held))
    return done


def release_held(connection: Connection, held: HandlerResult) -> HandlerResult:
    """Run a held task: its files are stored."""
    waiting = sa.and_(TASKS.c.id == held.id, TASKS.c.state == "paused")
    connection.execute(TASKS.update().where(waiting).values(state="running", reason="", paused_for=""))
    return held


def _task_values(command: StartTask, goal: str, caps: Caps, now: float) -> dict[str, object]:
    return {
        "goal": goal,
        "state": "running",
        "space": command.space,
        "by": command.by,
        "payer": command.by,
        "attended": command.attended,
        "model": command.model or "",
        "created_at": now,
        "progress_at": now,
        "deadline_at": now + caps.minutes * 60,
        "max_agents": caps.agents,
        "max_depth": caps.depth,
        "max_members": caps.members,
        "max_steps": caps.steps,
        "max_minutes": caps.minutes,
    }


def _first_message(command: StartTask) -> str:
    if not command.files:
        return "The task begins. Decide how it is done, and begin."
    named = named_files(command.files, command.left_out)
    return f"The task begins. Files that came with it: {named}. Begin."


def _lessons(connection: Connection, space: str, goal: str) -> str:
    """Return what earlier tasks of this space kept for it, each line with its source; "" for nothing."""
    lines = [f"- {line.text} ({line.source})" for line in kept_for(connection, space, goal)]
    return "\n\nWhat earlier tasks here noted:\n" + "\n".join(lines) if lines else ""


def pause_task(connection: Connection, command: PauseTask, now: float) -> HandlerResult:
    """Pause a running task. Raises NotFound, WrongState."""
    task = get_task(connection, command.task_id)
    if task.state != "running":
        raise WrongState(f"Task {task.id} is {task.state}; only a running task can be paused.", _next(task))
    set_state(connection, task, "paused", "", now, "person", command.by)
    return HandlerResult(task.id)


def resume_task(connection: Connection, command: ResumeTask, now: float) -> HandlerResult:
    """Resume a paused task and wake every agent that is ready. Raises NotFound, WrongState."""
    task = get_task(connection, command.task_id)
    if task.state != "paused":
        raise WrongState(f"Task {task.id} is {task.state}; only a paused task can be resumed.", _next(task))
    if task.paused_for == "month" and (why := why_nothing_starts(connection, task.space, task.payer, now)):
        raise WrongState(why.reason, why.next_step)
    return HandlerResult(task.id, reopen(connection, task, "resumed", now, command.by))


def _next(task: AnyRow) -> str:
    """Return what a person can do with a task in this state instead."""
    if task.model == DEMONSTRATION and task.state in ENDED:
        return "It was a demonstration. Start a task of your own: /task new."
    if task.state in ENDED:
        return "Continue it: /task continue."
    return "Resume it: /task resume." if task.state == "paused" else "Use /task status to follow it."


def stop_task(connection: Connection, command: StopTask, now: float) -> HandlerResult:
    """Stop a task that has not ended. Raises NotFound, WrongState."""
    task = get_task(connection, command.task_id)
    if task.state in ENDED:
        raise WrongState(
            f"Task {task.id} has already ended ({task.state}).",
            f"Its files are kept: /task files. {_next(task)}",
        )
    ending = Ending("stopped", "stopped", command.reason, by=command.by)
    events = end_task(connection, task.id, ending, now)
    append_events(connection, [(f"{run_key(task)}.stop.{n}", body) for n, body in enumerate(events)], now)
    return HandlerResult(task.id)


def raise_cap(connection: Connection, command: RaiseCap, now: float) -> HandlerResult:
    """Set new caps for a task or an agent's subtree, and resume what had stopped at a cap.

    Raises NotFound, WrongState, Invalid.
    """
    task = get_task(connection, command.task_id)
    if task.state in ENDED:
        raise WrongState(f"Task {task.id} has already ended ({task.state}).", _next(task))
    check_limits(command.limits)
    if command.agent_id is not None:
        return _cap_subtree(connection, task, command.agent_id, command, now)
    write_limits(connection, task, command.limits)
    tell_task_caps(connection, task.id, now)
    changed = CapsChanged(task.id, task.root_group_id, command.limits, command.by, command.by_name)
    append_events(connection, [(f"t{task.id}.caps.{new_key()}", changed)], now)
    if task.state == "paused" and task.paused_for == "cap":
        return HandlerResult(task.id, reopen(connection, task, "cap_raised", now, command.by))
    return HandlerResult(task.id)


def _cap_subtree(
    connection: Connection, task: AnyRow, agent_id: int, command: RaiseCap, now: float
) -> HandlerResult:
    belongs = sa.select(AGENTS).where(AGENTS.c.id == agent_id, AGENTS.c.task_id == task.id)
    agent = connection.execute(belongs).first()
    if agent is None:
        raise NotFound(f"Task {task.id} has no agent {agent_id}.", "Use /task status to see who works on it.")
    limits, by = command.limits, command.by
    caps = SubtreeCaps(limits.cost_micros, limits.tokens, limits.agents, limits.minutes)
    if caps == SubtreeCaps():
        raise Invalid("The budget of a group is money, tokens, agents or minutes.", "Give one of them.")
    budget = set_budget(connection, agent_id, replace(caps, by=by), now)
    tell_subtree_caps(connection, budget, now)
    changed = CapsChanged(task.id, agent.group_id, limits, by, command.by_name, agent_id, agent.name)
    closed = close_subtree_cap_gates(connection, [agent_id], "cap_raised")
    keyed: list[tuple[str, EventBody]] = [(f"gate{body.gate_id}.closed", body) for body in closed]
    append_events(connection, [(f"t{task.id}.caps.{new_key()}", changed), *keyed], now)
    return HandlerResult(task.id, ready_agents(connection, task.id))
