"""Replace an agent by a new one that takes over its group, work, unread messages and budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.checks import typed
from engine.domain.prompt import sender
from engine.domain.speech import of_people
from engine.domain.state import About
from engine.events import AgentJoined, AgentLeft, AssignmentChanged, EventBody
from engine.lifecycle.agents import NewAgent, add_agent
from engine.lifecycle.calls import forward_calls
from engine.lifecycle.open_messages import TAKEN_BACK, forward_messages, open_messages
from engine.store.core import (
    AGENTS,
    ASSIGNMENTS,
    BUDGETS,
    GATES,
    GROUPS,
    MEMORIES,
    MESSAGES,
    REVISIONS,
    STEPS,
    TASKS,
    AnyRow,
    loads,
    new_id,
)
from engine.store.messages import add_system_message
from engine.store.transcript import past_messages, past_summary

NOTE_FILES = 20
NOTE_CHARS = 1_500


@dataclass(frozen=True, slots=True)
class Successor:
    """The agent that took over, and the events to append."""

    id: int
    name: str
    events: tuple[EventBody, ...]


def replace_agent(
    connection: Connection, old: AnyRow, reason: str, now: float, instructions: str = ""
) -> Successor:
    """Replace `old` (its row, locked by the caller) by a new agent.

    The successor gets the same role, head, members and budget, the open assignments, the unread messages,
    people's words that its predecessor was acting on, and a message with its predecessor's notes.
    `instructions`, when given, replace the old ones.
    """
    work = _work_of(connection, old.id)
    begun = [each for each in open_messages(connection, old.task_id) if each.to_id == old.id and each.read]
    events: list[EventBody] = [_mark_dismissed(connection, old, reason, now)]
    new = NewAgent(
        task_id=old.task_id,
        group_id=old.group_id,
        head_id=old.head_id,
        budget_id=old.budget_id,
        name=old.name,
        title=old.title,
        instructions=instructions or old.instructions,
        role=old.role,
        depth=old.depth,
        to_lead=old.to_lead,
    )
    fresh, name = add_agent(connection, new, now)
    leads = old.leads_group_id
    events.append(AgentJoined(old.task_id, old.group_id, fresh, name, old.title, leads, replaces=old.name))
    _transfer(connection, old, fresh, now)
    _write_note(connection, old, fresh, name, reason, now)  # first: the rest was written to somebody else
    forward_messages(connection, begun, fresh, "who read it and has left")
    given = _forward_unread(connection, old.id, fresh)
    _notify_members(connection, old, fresh, name, now)
    for row in work:
        if row.id not in given:
            _announce_assignment(connection, row, fresh, old.name, now)
    giver = connection.execute(sa.select(AGENTS.c.name).where(AGENTS.c.id == old.head_id)).scalar() or ""
    note = f"taken over from {old.name}"
    events += [
        AssignmentChanged(
            w.task_id, w.group_id, w.id, w.title, giver, name, "open", note, taken_from=old.name
        )
        for w in work
        if w.state == "open"
    ]
    return Successor(fresh, name, tuple(events))


def _work_of(connection: Connection, agent_id: int) -> Sequence[AnyRow]:
    query = sa.select(ASSIGNMENTS).where(
        ASSIGNMENTS.c.assignee_id == agent_id, ASSIGNMENTS.c.state.in_(("open", "submitted"))
    )
    return connection.execute(query.order_by(ASSIGNMENTS.c.id)).all()


def _mark_dismissed(connection: Connection, old: AnyRow, reason: str, now: float) -> AgentLeft:
    gone = {"status": "dismissed", "in_turn": False, "leads_group_id": None}
    connection.execute(AGENTS.update().where(AGENTS.c.id == old.id).values(**gone))
    left = {"agents": TASKS.c.agents - 1, "progress_at": now, "quiet_rounds": 0}
    connection.execute(TASKS.update().where(TASKS.c.id == old.task_id).values(**left))
    return AgentLeft(old.task_id, old.group_id, old.id, old.name, reason)


def _transfer(connection: Connection, old: AnyRow, fresh: int, now: float) -> None:
    """Transfer members, group, received and given assignments, budget, open gates and memories."""
    kept = {"leads_group_id": old.leads_group_id, "model": old.model}
    connection.execute(AGENTS.update().where(AGENTS.c.id == fresh).values(**kept))
    members = sa.and_(AGENTS.c.head_id == old.id, AGENTS.c.status != "dismissed")
    connection.execute(AGENTS.update().where(members).values(head_id=fresh))
    # The successor works, and so do those who were only paused with its predecessor.
    together = sa.and_(AGENTS.c.paused_with == old.id, AGENTS.c.status == "paused")
    connection.execute(AGENTS.update().where(together).values(status="active", paused_with=None))
    connection.execute(GROUPS.update().where(GROUPS.c.head_id == old.id).values(head_id=fresh))
    still = ASSIGNMENTS.c.state.in_(("open", "submitted"))
    mine, given = ASSIGNMENTS.c.assignee_id == old.id, ASSIGNMENTS.c.giver_id == old.id
    taken = {"assignee_id": fresh, "changed_at": now}
    connection.execute(ASSIGNMENTS.update().where(mine, still).values(**taken))
    connection.execute(ASSIGNMENTS.update().where(given, still).values(giver_id=fresh))
    connection.execute(BUDGETS.update().where(BUDGETS.c.agent_id == old.id).values(agent_id=fresh))
    asked = sa.and_(GATES.c.agent_id == old.id, GATES.c.basis.is_(None))
    connection.execute(GATES.update().where(asked).values(agent_id=fresh))
    forward_calls(connection, old.id, fresh)
    connection.execute(MEMORIES.update().where(MEMORIES.c.agent_id == old.id).values(agent_id=fresh))


def _forward_unread(connection: Connection, old: int, fresh: int) -> set[int | None]:
    """Copy unread messages to new rows, so that a running step of the old agent cannot consume them. Return
    the assignments that they give as they are now."""
    unread = sa.and_(MESSAGES.c.to_agent == old, MESSAGES.c.consumed_step.is_(None))
    messages = connection.execute(sa.select(MESSAGES).where(unread).order_by(MESSAGES.c.id)).all()
    back = {"consumed_step": TAKEN_BACK, "text": "", "ref": None}
    connection.execute(MESSAGES.update().where(unread).values(**back))
    for message in messages:
        values = {name: value for name, value in message._mapping.items() if name != "id"}
        new_id(connection, MESSAGES, values | {"to_agent": fresh, "key": f"{message.key}.to{fresh}"})
    return {message.about_id for message in messages if message.about == "assignment"}


def _write_note(connection: Connection, old: AnyRow, fresh: int, name: str, reason: str, now: float) -> None:
    parts = [f"You are {name} and take over from {old.name}, who has left: {reason}"]
    parts += _notes_of(connection, old)
    parts += _group_of(connection, fresh)
    add_system_message(connection, old.task_id, fresh, "\n".join(parts), f"takeover.{fresh}", now)


def _notes_of(connection: Connection, old: AnyRow) -> list[str]:
    """Return the predecessor's notes: summary, todo list, unanswered messages, last text, files written."""
    steps = sa.select(STEPS.c.messages_json, STEPS.c.said).where(STEPS.c.agent_id == old.id)
    last = connection.execute(steps.order_by(STEPS.c.step.desc()).limit(1)).first()
    turn = connection.execute(steps.where(STEPS.c.turn == old.turn).order_by(STEPS.c.step)).all()
    read = [message for row in turn for message in past_messages(row.messages_json)] if old.in_turn else []
    # Work that is still open is announced by itself; what came with it may have changed since.
    left = [message for message in read if not of_people(message) and message.about != "assignment"]
    unanswered = "\n".join(f"[from {sender(message)}] {message.text}" for message in left)
    noted = "\n".join(line.text for line in past_summary(old.summary_json))
    files = connection.execute(
        sa.select(REVISIONS.c.path)
        .where(REVISIONS.c.task_id == old.task_id, REVISIONS.c.agent == old.name)
        .group_by(REVISIONS.c.path)
        .order_by(sa.func.max(REVISIONS.c.id).desc())
        .limit(NOTE_FILES)
    ).scalars()
    todo = [f"[{status}] {text}" for text, status in loads(old.todo_json)]
    found = (
        ("It had noted", noted),
        ("Its list", "; ".join(todo)),
        ("It had read and not answered", unanswered),
        ("It said last", last.said if last else ""),
        ("It wrote", ", ".join(files)),
    )
    return [f"{label}: {text[:NOTE_CHARS]}" for label, text in found if text]


def _group_of(connection: Connection, head: int) -> list[str]:
    """Return lines about the group that the successor leads: its members and their open assignments."""
    members = connection.execute(
        sa.select(AGENTS.c.name).where(AGENTS.c.head_id == head, AGENTS.c.status != "dismissed")
    ).scalars()
    named = ", ".join(members)
    given = connection.execute(
        sa.select(ASSIGNMENTS.c.id, ASSIGNMENTS.c.title, ASSIGNMENTS.c.state, AGENTS.c.name)
        .join(AGENTS, AGENTS.c.id == ASSIGNMENTS.c.assignee_id)
        .where(ASSIGNMENTS.c.giver_id == head, ASSIGNMENTS.c.state.in_(("open", "submitted")))
        .order_by(ASSIGNMENTS.c.id)
    )
    waits = {"open": "in work", "submitted": "waits for your review"}
    lines = [f"#{row.id} {row.title} ({row.name}): {waits[row.state]}" for row in given]
    return ([f"You lead: {named}."] if named else []) + lines


def _notify_members(connection: Connection, old: AnyRow, fresh: int, name: str, now: float) -> None:
    members = sa.select(AGENTS.c.id).where(AGENTS.c.head_id == fresh, AGENTS.c.status != "dismissed")
    text = f"Your head is now {name}, in the place of {old.name}."
    for member in connection.execute(members).scalars().all():
        add_system_message(
            connection, old.task_id, member, text, f"newhead.{fresh}.{member}", now, wakes=False
        )


def _announce_assignment(connection: Connection, row: AnyRow, fresh: int, old: str, now: float) -> None:
    done = f"\nDone when: {row.acceptance}" if row.acceptance else ""
    command = loads(row.command_json)
    check = f"\nIt is checked by running: {typed(command)}" if command else ""
    then = (
        "Look at the files first: part of it may be there."
        if row.state == "open"
        else "It was submitted and waits for review: continue only if it is rejected."
    )
    text = f"Assignment #{row.id}, taken over from {old}: {row.title}\n{row.details}{done}{check}\n{then}"
    about: tuple[About, int] = ("assignment", row.id)
    add_system_message(connection, row.task_id, fresh, text, f"takeover.{fresh}.{row.id}", now, about=about)
