"""Handlers of commands to one agent: pause, resume, edit, dismiss, replace."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import (
    DismissAgent,
    EditAgent,
    PauseAgent,
    ReplaceAgent,
    ResumeAgent,
)
from engine.domain.addresses import addresses_in_text
from engine.domain.text import foreign_name
from engine.errors import Invalid, Refusal, WrongState
from engine.events import AgentChanged
from engine.handlers.messages import MAX_CHARS
from engine.handlers.result import HandlerResult
from engine.lifecycle.agents import clear_refusal, dismiss, subtree
from engine.lifecycle.ending import ENDED
from engine.lifecycle.replacement import replace_agent as put_successor
from engine.lifecycle.task_state import ready_agents
from engine.ports import Wake
from engine.store.addresses import add_addresses
from engine.store.core import (
    AGENTS,
    AnyRow,
    append_events,
    new_key,
)
from engine.store.lookup import get_agent, get_task
from engine.store.messages import add_system_message

_NOT_IN_STATE = {
    "active": Refusal("{name} is not paused.", "Write to it, or pause it: /agent pause."),
    "paused": Refusal("{name} is already paused.", "Resume it: /agent resume."),
    "dismissed": Refusal("{name} has left the task.", "Use /task tree to see who is there."),
}
"""Why an agent cannot be paused or resumed, by the state in which it is."""


def pause_agent(connection: Connection, command: PauseAgent, now: float) -> HandlerResult:
    """Pause an active agent and all active agents below it. Raises NotFound, WrongState."""
    agent = get_agent(connection, command.agent_id)
    _check_state(agent, "active")
    below = [row.id for row in subtree(connection, agent.id)]
    paused = {"status": "paused", "refused": "", "paused_with": agent.id}
    still = sa.and_(AGENTS.c.id.in_(below), AGENTS.c.status == "active")
    count = connection.execute(AGENTS.update().where(still).values(**paused)).rowcount
    _switched(connection, agent, "paused", command.by_name, count - 1, now)
    return HandlerResult(agent.id)


def resume_agent(connection: Connection, command: ResumeAgent, now: float) -> HandlerResult:
    """Resume a paused agent and those below it that were paused with it. Raises NotFound, WrongState."""
    agent = get_agent(connection, command.agent_id)
    _check_state(agent, "paused")
    below = [row.id for row in subtree(connection, agent.id) if row.id != agent.id]
    together = AGENTS.c.paused_with.in_([agent.id, agent.paused_with])
    still = sa.and_(AGENTS.c.id.in_(below), AGENTS.c.status == "paused", together)
    back = {"status": "active", "refused": "", "paused_with": None}
    count = connection.execute(AGENTS.update().where(still).values(**back)).rowcount
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent.id).values(**back))
    _switched(connection, agent, "resumed", command.by_name, count, now)
    return HandlerResult(agent.id, ready_agents(connection, agent.task_id))


def _check_state(agent: AnyRow, wanted: str) -> None:
    if agent.status != wanted:
        why = _NOT_IN_STATE[agent.status].format(name=agent.name)
        raise WrongState(why.reason, why.next_step)


def _switched(
    connection: Connection,
    agent: AnyRow,
    change: Literal["paused", "resumed"],
    by_name: str,
    below: int,
    now: float,
) -> None:
    body = AgentChanged(
        agent.task_id, agent.group_id, agent.id, agent.name, change, by_name=by_name, below=below
    )
    append_events(connection, [(f"agent{agent.id}.{change}.{new_key()}", body)], now)


def edit_agent(connection: Connection, command: EditAgent, now: float) -> HandlerResult:
    """Replace an agent's instructions or model from its next step on. Raises WrongState, Invalid.

    The agent is notified of new instructions, and shown what it gave to others that they may concern.
    """
    agent = get_agent(connection, command.agent_id)
    _check_not_ended(connection, agent)
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} has left the task.", "Change its successor or its head.")
    clear_refusal(connection, agent.id)
    wakes: tuple[Wake, ...] = ()
    if command.instructions is not None:
        wakes = _instruct(connection, agent, command.instructions.strip(), command.by_name, now)
    if command.model is not None:
        _set_model(connection, agent, command.model, command.by_name, now)
    return HandlerResult(agent.id, wakes)


def _instruct(connection: Connection, agent: AnyRow, text: str, by_name: str, now: float) -> tuple[Wake, ...]:
    if not text or len(text) > MAX_CHARS:
        raise Invalid(
            f"Instructions have 1 to {MAX_CHARS:,} characters.",
            "Shorten them, or say what the agent should do.",
        )
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent.id).values(instructions=text))
    _add_new_words(connection, agent, text, now)
    who = foreign_name(by_name) or "A person"
    notice = f"{who}, a person, changed your instructions. They are now:\n{text}"
    key = f"edit.{agent.id}.{new_key()}"
    add_system_message(
        connection, agent.task_id, agent.id, notice, key, now, priority=0, about=("correction", None)
    )
    body = AgentChanged(
        agent.task_id, agent.group_id, agent.id, agent.name, "edited", by_name, agent.instructions, text
    )
    append_events(connection, [(f"agent{agent.id}.edited.{new_key()}", body)], now)
    return (Wake(agent.id, agent.task_id, 0),)


def _add_new_words(connection: Connection, agent: AnyRow, text: str, now: float) -> None:
    """Note the addresses that a person wrote into instructions; those that stood there were an agent's."""
    before = addresses_in_text(agent.instructions)
    added = [address for address in addresses_in_text(text) if address not in before]
    add_addresses(connection, agent.task_id, added, "person", now)


def _set_model(connection: Connection, agent: AnyRow, model: str, by_name: str, now: float) -> None:
    usual = get_task(connection, agent.task_id).model
    before, after = agent.model or usual, model or usual
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent.id).values(model=model))
    body = AgentChanged(agent.task_id, agent.group_id, agent.id, agent.name, "model", by_name, before, after)
    append_events(connection, [(f"agent{agent.id}.model.{new_key()}", body)], now)


def dismiss_agent(connection: Connection, command: DismissAgent, now: float) -> HandlerResult:
    """Remove an agent and everyone below it from the task and notify its head. Raises WrongState."""
    agent = get_agent(connection, command.agent_id)
    _check_not_ended(connection, agent)
    if agent.role == "boss":
        raise WrongState("The boss cannot be dismissed.", "Stop the task instead.")
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} has already left the task.", "Use /task tree to see who is there.")
    reason = _because(command.reason, "dismissed", command.by_name)
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
        raise WrongState("The boss cannot be replaced.", "Change its instructions, or stop the task.")
    if agent.role == "auditor":
        raise WrongState(
            f"{agent.name} judges the result and cannot be replaced.",
            "Write to it, or pause the task: /task pause.",
        )
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} has already left the task.", "Use /task tree to see who is there.")
    text = command.instructions.strip()
    if len(text) > MAX_CHARS:
        raise Invalid(f"Instructions have at most {MAX_CHARS:,} characters.", "Shorten them.")
    reason = _because(command.reason, "replaced", command.by_name)
    successor = put_successor(connection, agent, reason, now, text)
    key = f"agent{agent.id}.replaced"
    append_events(connection, [(f"{key}.{n}", body) for n, body in enumerate(successor.events)], now)
    notice = f"A person replaced {agent.name} by {successor.name}: {reason}. It continues the work."
    add_system_message(connection, agent.task_id, agent.head_id, notice, key, now, wakes=False)
    return HandlerResult(successor.id, (Wake(successor.id, agent.task_id, 0),))


def _because(reason: str, what: str, by_name: str) -> str:
    """Return why an agent leaves, with the person who wants it."""
    who = f"{what} by {foreign_name(by_name) or 'a person'}"
    return f"{reason.strip()} ({who})" if reason.strip() else who


def _check_not_ended(connection: Connection, agent: AnyRow) -> None:
    task = get_task(connection, agent.task_id)
    if task.state in ENDED:
        raise WrongState(
            f"Task {task.id} has ended ({task.state}), so its agents do not work.",
            "Continue it first: /task continue.",
        )
