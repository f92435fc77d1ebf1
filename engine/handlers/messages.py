"""Handlers of people's messages to agents: send, edit, withdraw."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import (
    EditMessage,
    SayToAgent,
    WithdrawMessage,
)
from engine.domain.clean import clean_line
from engine.domain.models import DEMONSTRATION
from engine.errors import Invalid, NotFound, WrongState
from engine.handlers.attachments import named_files
from engine.handlers.result import HandlerResult
from engine.lifecycle.agents import clear_refusal
from engine.lifecycle.ending import ENDED
from engine.lifecycle.open_messages import TAKEN_BACK
from engine.ports import Wake
from engine.store.addresses import add_words
from engine.store.core import (
    MESSAGES,
    TASKS,
    AnyRow,
    new_id,
    new_key,
)
from engine.store.lookup import get_agent, hold_task
from engine.workspace import folder_of

MAX_CHARS = 20_000
MAX_QUOTED = 160
"""Characters that are quoted of the words that a message is a reply to."""


def say_to_agent(connection: Connection, command: SayToAgent, now: float) -> HandlerResult:
    """Add a person's message to an agent's inbox with the highest priority, and wake the agent.

    The task's row is locked: the task cannot end between the check of its state and the commit. The same
    `ref` sent twice is one message. A task that has ended keeps the message unread until it is continued;
    for an agent that left, its head keeps it. A demonstration that has ended takes none. Raises NotFound,
    WrongState, Invalid.
    """
    agent = get_agent(connection, command.agent_id)
    clear_refusal(connection, agent.id)
    task = hold_task(connection, agent.task_id)
    left = ""
    if task.state in ENDED and task.model == DEMONSTRATION:
        raise WrongState(
            f"Task {task.id} was a demonstration: its agents' answers are recorded.",
            "Start a task of your own: /task new.",
        )
    if task.state in ENDED and agent.status == "dismissed":
        left, agent = f"(said to {agent.name}, who has left)\n", _still_there(connection, agent, task.boss_id)
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} was dismissed.", "Write to its head instead.")
    text = command.text.strip()
    if not text and not command.files:
        raise Invalid("The message is empty.", "Write what the agent should know.")
    if len(text) > MAX_CHARS:
        raise Invalid(f"The message has {len(text):,} characters; {MAX_CHARS:,} fit.", "Attach it as a file.")
    before = f"{left}{_quoting(command.quoted)}"
    text = f"{before}{_with_files(text, command.files, command.left_out)}"
    key = f"say.{command.ref}" if command.ref else f"say.{agent.id}.{new_key()}"
    known = connection.execute(sa.select(MESSAGES.c.id).where(MESSAGES.c.key == key)).scalar()
    if known is not None:
        return HandlerResult(int(known))
    values = {
        "task_id": task.id,
        "to_agent": agent.id,
        "from_kind": "person",
        "from_name": command.by_name,
        "text": text,
        "preface": before,
        "key": key,
        "ref": command.ref,
        "priority": 0,
        "created_at": now,
    }
    number = new_id(connection, MESSAGES, values)
    add_words(connection, task.id, command.text, now)
    connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(progress_at=now, quiet_rounds=0))
    return HandlerResult(number, (Wake(agent.id, task.id, 0),))


def _still_there(connection: Connection, agent: AnyRow, boss_id: int) -> AnyRow:
    """Return the nearest agent above one that left, or the boss."""
    while agent.status == "dismissed":
        agent = get_agent(connection, agent.head_id or boss_id)
    return agent


def edit_message(connection: Connection, command: EditMessage, now: float) -> HandlerResult:
    """Replace an unread message by a new row with the same ref, so that a step that is reading the old row
    is repeated. Whom it was said to first stays before it. Raises NotFound, WrongState."""
    old = _take_back(connection, command.ref)
    values = {k: v for k, v in old._mapping.items() if k != "id"}
    text = f"{old.preface}{_with_files(command.text.strip(), list(map(folder_of, command.files)))}"
    values |= {"text": text, "key": f"say.{command.ref}.{new_key()}"}
    add_words(connection, old.task_id, command.text, now)
    return HandlerResult(new_id(connection, MESSAGES, values), (Wake(old.to_agent, old.task_id, 0),))


def _quoting(words: str) -> str:
    """Return the line that says which words a message is a reply to, "" for none: without them a person's
    "not that one" means nothing."""
    line = clean_line(words).replace('"', "'")
    short = line if len(line) <= MAX_QUOTED else f"{line[: MAX_QUOTED - 1]}…"
    return f'(in reply to "{short}")\n' if line else ""


def _with_files(text: str, files: Collection[str], left_out: Collection[str] = ()) -> str:
    return f"{text}\n(files brought: {named_files(files, left_out)})".strip() if files else text


def withdraw_message(connection: Connection, command: WithdrawMessage, now: float) -> HandlerResult:
    """Withdraw an unread message. Raises NotFound, WrongState."""
    return HandlerResult(_take_back(connection, command.ref).id)


def _take_back(connection: Connection, ref: str) -> AnyRow:
    """Mark an unread message as withdrawn and return its row as it was. The row stays, emptied: SQLite reuses
    ids of deleted rows, and a step that read the old text would consume a new message with the same id."""
    row = connection.execute(sa.select(MESSAGES).where(MESSAGES.c.ref == ref)).first()
    if row is None:
        raise NotFound("That message was not sent to an agent.", "Reply to an agent's message instead.")
    taken = connection.execute(
        MESSAGES.update()
        .where(MESSAGES.c.id == row.id, MESSAGES.c.consumed_step.is_(None))
        .values(consumed_step=TAKEN_BACK, text="", ref=None)
    )
    if taken.rowcount != 1:
        raise WrongState("The agent has already read that message.", "Write a new one instead.")
    return row
