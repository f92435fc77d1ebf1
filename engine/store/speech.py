"""Commands of people to agents, as transactions."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import (
    DismissAgent,
    EditAgent,
    EditMessage,
    ForgetMemory,
    PauseAgent,
    ReplaceAgent,
    ResumeAgent,
    SayToAgent,
    WithdrawMessage,
)
from engine.errors import Invalid, NotFound, WrongState
from engine.events import AgentChanged, EventBody
from engine.ports import Wake
from engine.store.core import (
    AGENTS,
    MEMORIES,
    MESSAGES,
    TASKS,
    AnyRow,
    append_events,
    new_id,
)
from engine.store.ending import ENDED
from engine.store.people import dismiss, system_letter, take_up
from engine.store.replace import replace_agent as put_successor
from engine.store.tasks import Done, get_task

MAX_WORDS = 20_000
WITHDRAWN = -1
"""In place of the step that read a message: its person took it back first."""


def get_agent(connection: Connection, agent_id: int, *, alone: bool = False) -> AnyRow:
    """The agent's row, locked with `alone`. Raises NotFound."""
    query = sa.select(AGENTS).where(AGENTS.c.id == agent_id)
    row = connection.execute(query.with_for_update() if alone else query).first()
    if row is None:
        raise NotFound(f"There is no agent {agent_id}. Use /task status to see who works on a task.")
    return row


def say_to_agent(connection: Connection, command: SayToAgent, now: float) -> Done:
    """A person's words go ahead of everything else in the inbox's order of service."""
    agent = get_agent(connection, command.agent_id)
    task = get_task(connection, agent.task_id)
    if task.state in ENDED:
        raise WrongState(f"Task {task.id} has ended ({task.state}); its agents no longer answer.")
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} was dismissed. Write to its head instead.")
    text = command.text.strip()
    if not text and not command.files:
        raise Invalid("The message is empty. Write what the agent should know.")
    if len(text) > MAX_WORDS:
        raise Invalid(f"The message has {len(text):,} characters; {MAX_WORDS:,} fit. Attach it as a file.")
    if command.files:
        text = f"{text}\n(files brought: {', '.join(sorted(command.files))})".strip()
    key = f"say.{command.ref}" if command.ref else f"say.{agent.id}.{now:.6f}"
    known = connection.execute(sa.select(MESSAGES.c.id).where(MESSAGES.c.key == key)).scalar()
    if known is not None:
        return Done(int(known))
    values = {
        "task_id": task.id,
        "to_agent": agent.id,
        "from_kind": "person",
        "from_name": command.by_name,
        "text": text,
        "key": key,
        "ref": command.ref,
        "priority": 0,
        "created_at": now,
    }
    number = new_id(connection, MESSAGES, values)
    take_up(connection, agent.id)
    connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(progress_at=now, quiet_rounds=0))
    return Done(number, (Wake(agent.id, task.id, 0),))


def edit_message(connection: Connection, command: EditMessage, now: float) -> Done:
    """A new row under the same ref, so that an agent reading the old one at this moment begins anew."""
    old = _take_back(connection, command.ref)
    values = {k: v for k, v in old._mapping.items() if k != "id"}
    values |= {"text": command.text.strip(), "key": f"say.{command.ref}.{now:.6f}"}
    return Done(new_id(connection, MESSAGES, values), (Wake(old.to_agent, old.task_id, 0),))


def withdraw_message(connection: Connection, command: WithdrawMessage, now: float) -> Done:
    """Gone, as if it had never been said."""
    return Done(_take_back(connection, command.ref).id)


def _take_back(connection: Connection, ref: str) -> AnyRow:
    """The unread message as it was. Its row stays, empty: SQLite gives the ids of deleted rows again, and
    an answer being made from the old words would consume the new ones under that id."""
    row = connection.execute(sa.select(MESSAGES).where(MESSAGES.c.ref == ref)).first()
    if row is None:
        raise NotFound("That message is not one an agent was sent.")
    taken = connection.execute(
        MESSAGES.update()
        .where(MESSAGES.c.id == row.id, MESSAGES.c.consumed_step.is_(None))
        .values(consumed_step=WITHDRAWN, text="", ref=None)
    )
    if taken.rowcount != 1:
        raise WrongState("The agent has read that message already. Write a new one instead.")
    return row


def pause_agent(connection: Connection, command: PauseAgent, now: float) -> Done:
    """active -> paused."""
    agent = get_agent(connection, command.agent_id)
    _switch(connection, agent, "active", "paused", now)
    return Done(agent.id)


def resume_agent(connection: Connection, command: ResumeAgent, now: float) -> Done:
    """paused -> active."""
    agent = get_agent(connection, command.agent_id)
    _switch(connection, agent, "paused", "active", now)
    return Done(agent.id, (Wake(agent.id, agent.task_id),))


def _switch(connection: Connection, agent: AnyRow, old: str, new: str, now: float) -> None:
    if agent.status != old:
        raise WrongState(f"{agent.name} is {agent.status}, not {old}.")
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent.id).values(status=new, refused=""))
    change: EventBody = AgentChanged(
        agent.task_id, agent.group_id, agent.id, agent.name, "paused" if new == "paused" else "resumed"
    )
    append_events(connection, [(f"agent{agent.id}.{new}.{now:.6f}", change)], now)


def edit_agent(connection: Connection, command: EditAgent, now: float) -> Done:
    """New instructions from the next turn on; the agent hears of it."""
    agent = get_agent(connection, command.agent_id)
    _check_going(connection, agent)
    text = command.instructions.strip()
    if not text or len(text) > MAX_WORDS:
        raise Invalid(f"Instructions have 1 to {MAX_WORDS:,} characters.")
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent.id).values(instructions=text))
    take_up(connection, agent.id)
    words = f"A person changed your instructions. They are now:\n{text}"
    system_letter(connection, agent.task_id, agent.id, words, f"edit.{agent.id}.{now:.6f}", now, priority=0)
    change: EventBody = AgentChanged(agent.task_id, agent.group_id, agent.id, agent.name, "edited")
    append_events(connection, [(f"agent{agent.id}.edited.{now:.6f}", change)], now)
    return Done(agent.id, (Wake(agent.id, agent.task_id, 0),))


def dismiss_agent(connection: Connection, command: DismissAgent, now: float) -> Done:
    """The agent and those below leave; its head hears of it."""
    agent = get_agent(connection, command.agent_id)
    _check_going(connection, agent)
    if agent.role == "boss":
        raise WrongState("The boss cannot be dismissed. Stop the task instead.")
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} was dismissed already.")
    reason = command.reason or "dismissed by a person"
    events = dismiss(connection, agent.id, reason, now)
    append_events(connection, [(f"agent{agent.id}.left.{n}", body) for n, body in enumerate(events)], now)
    if agent.head_id is None:
        return Done(agent.id)
    words = (
        f"A person dismissed {agent.name}: {reason}. Its open assignments are cancelled; give them to others."
    )
    system_letter(connection, agent.task_id, agent.head_id, words, f"agent{agent.id}.left", now)
    return Done(agent.id, (Wake(agent.head_id, agent.task_id),))


def replace_agent(connection: Connection, command: ReplaceAgent, now: float) -> Done:
    """A fresh agent takes the place; its head hears of it."""
    agent = get_agent(connection, command.agent_id, alone=True)
    _check_going(connection, agent)
    if agent.role == "boss":
        raise WrongState("The boss cannot be replaced. Change its instructions, or stop the task.")
    if agent.role == "auditor":
        raise WrongState(f"{agent.name} judges the result and cannot be replaced.")
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} was dismissed already.")
    text = command.instructions.strip()
    if len(text) > MAX_WORDS:
        raise Invalid(f"Instructions have at most {MAX_WORDS:,} characters.")
    reason = command.reason.strip() or "replaced by a person"
    successor = put_successor(connection, agent, reason, now, text)
    key = f"agent{agent.id}.replaced"
    append_events(connection, [(f"{key}.{n}", body) for n, body in enumerate(successor.events)], now)
    words = f"A person put {successor.name} in the place of {agent.name}: {reason}. It goes on with the work."
    system_letter(connection, agent.task_id, agent.head_id, words, key, now, wakes=False)
    return Done(successor.id, (Wake(successor.id, agent.task_id, 0),))


def _check_going(connection: Connection, agent: AnyRow) -> None:
    task = get_task(connection, agent.task_id)
    if task.state in ENDED:
        raise WrongState(f"Task {task.id} has ended ({task.state}); its agents no longer work.")


def forget_memory(connection: Connection, command: ForgetMemory, now: float) -> Done:
    """Delete a kept line."""
    gone = connection.execute(
        MEMORIES.delete().where(MEMORIES.c.id == command.memory_id, MEMORIES.c.space.is_not(None))
    )
    if gone.rowcount != 1:
        raise NotFound(f"There is no kept memory {command.memory_id}. Use /memory list.")
    return Done(command.memory_id)
