"""Handlers of commands to one agent: pause, resume, edit, dismiss, replace."""

from __future__ import annotations

from sqlalchemy import Connection

from engine.commands import (
    DismissAgent,
    EditAgent,
    PauseAgent,
    ReplaceAgent,
    ResumeAgent,
)
from engine.errors import Invalid, WrongState
from engine.events import AgentChanged, EventBody
from engine.handlers.messages import MAX_CHARS
from engine.handlers.result import HandlerResult
from engine.lifecycle.agents import clear_refusal, dismiss
from engine.lifecycle.ending import ENDED
from engine.lifecycle.replacement import replace_agent as put_successor
from engine.ports import Wake
from engine.store.core import (
    AGENTS,
    AnyRow,
    append_events,
)
from engine.store.lookup import get_agent, get_task
from engine.store.messages import add_system_message


def pause_agent(connection: Connection, command: PauseAgent, now: float) -> HandlerResult:
    """Pause an active agent. Raises NotFound, WrongState."""
    agent = get_agent(connection, command.agent_id)
    _switch(connection, agent, "active", "paused", now)
    return HandlerResult(agent.id)


def resume_agent(connection: Connection, command: ResumeAgent, now: float) -> HandlerResult:
    """Resume a paused agent and wake it. Raises NotFound, WrongState."""
    agent = get_agent(connection, command.agent_id)
    _switch(connection, agent, "paused", "active", now)
    return HandlerResult(agent.id, (Wake(agent.id, agent.task_id),))


def _switch(connection: Connection, agent: AnyRow, old: str, new: str, now: float) -> None:
    if agent.status != old:
        raise WrongState(f"{agent.name} is {agent.status}, not {old}.")
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent.id).values(status=new, refused=""))
    change: EventBody = AgentChanged(
        agent.task_id, agent.group_id, agent.id, agent.name, "paused" if new == "paused" else "resumed"
    )
    append_events(connection, [(f"agent{agent.id}.{new}.{now:.6f}", change)], now)


def edit_agent(connection: Connection, command: EditAgent, now: float) -> HandlerResult:
    """Replace an agent's instructions from its next turn on and notify it. Raises WrongState, Invalid."""
    agent = get_agent(connection, command.agent_id)
    _check_not_ended(connection, agent)
    text = command.instructions.strip()
    if not text or len(text) > MAX_CHARS:
        raise Invalid(f"Instructions have 1 to {MAX_CHARS:,} characters.")
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent.id).values(instructions=text))
    clear_refusal(connection, agent.id)
    notice = f"A person changed your instructions. They are now:\n{text}"
    add_system_message(
        connection, agent.task_id, agent.id, notice, f"edit.{agent.id}.{now:.6f}", now, priority=0
    )
    change: EventBody = AgentChanged(agent.task_id, agent.group_id, agent.id, agent.name, "edited")
    append_events(connection, [(f"agent{agent.id}.edited.{now:.6f}", change)], now)
    return HandlerResult(agent.id, (Wake(agent.id, agent.task_id, 0),))


def dismiss_agent(connection: Connection, command: DismissAgent, now: float) -> HandlerResult:
    """Remove an agent and everyone below it from the task and notify its head. Raises WrongState."""
    agent = get_agent(connection, command.agent_id)
    _check_not_ended(connection, agent)
    if agent.role == "boss":
        raise WrongState("The boss cannot be dismissed. Stop the task instead.")
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} has already been dismissed.")
    reason = command.reason or "dismissed by a person"
    events = dismiss(connection, agent.id, reason, now)
    append_events(connection, [(f"agent{agent.id}.left.{n}", body) for n, body in enumerate(events)], now)
    if agent.head_id is None:
        return HandlerResult(agent.id)
    notice = (
        f"A person dismissed {agent.name}: {reason}. Its open assignments are cancelled; give them to others."
    )
    add_system_message(connection, agent.task_id, agent.head_id, notice, f"agent{agent.id}.left", now)
    return HandlerResult(agent.id, (Wake(agent.head_id, agent.task_id),))


def replace_agent(connection: Connection, command: ReplaceAgent, now: float) -> HandlerResult:
    """Replace an agent by a new one and notify its head. Raises WrongState, Invalid."""
    agent = get_agent(connection, command.agent_id, alone=True)
    _check_not_ended(connection, agent)
    if agent.role == "boss":
        raise WrongState("The boss cannot be replaced. Change its instructions, or stop the task.")
    if agent.role == "auditor":
        raise WrongState(f"{agent.name} judges the result and cannot be replaced.")
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} has already been dismissed.")
    text = command.instructions.strip()
    if len(text) > MAX_CHARS:
        raise Invalid(f"Instructions have at most {MAX_CHARS:,} characters.")
    reason = command.reason.strip() or "replaced by a person"
    successor = put_successor(connection, agent, reason, now, text)
    key = f"agent{agent.id}.replaced"
    append_events(connection, [(f"{key}.{n}", body) for n, body in enumerate(successor.events)], now)
    notice = f"A person replaced {agent.name} by {successor.name}: {reason}. It continues the work."
    add_system_message(connection, agent.task_id, agent.head_id, notice, key, now, wakes=False)
    return HandlerResult(successor.id, (Wake(successor.id, agent.task_id, 0),))


def _check_not_ended(connection: Connection, agent: AnyRow) -> None:
    task = get_task(connection, agent.task_id)
    if task.state in ENDED:
        raise WrongState(f"Task {task.id} has ended ({task.state}); its agents no longer work.")
