"""Insertion of the engine's messages into agents' inboxes."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.outside import CallEnd
from engine.domain.state import About
from engine.store.core import (
    AGENTS,
    ASSIGNMENTS,
    MESSAGES,
    STEPS,
    AnyRow,
)
from engine.store.prepared import FetchedRow, Prepared

SYSTEM = "system"
"""The name at a message of the engine that tells nobody's answer."""

_NEEDS_ANSWER = sa.and_(MESSAGES.c.wakes, MESSAGES.c.about != "told")


def askers_of(connection: Connection, task_id: int, agent_id: int) -> list[str]:
    """Return the names of agents whose newest message that needs an answer the agent has not answered yet.

    Those that have handed in all their work and lead nobody no longer need it.
    """
    return [row.name for row in _asking.all(connection, task=task_id, agent=agent_id)]


def _unanswered_askers() -> sa.Select[tuple[str]]:
    newest = (
        sa.select(MESSAGES.c.from_agent, sa.func.max(MESSAGES.c.id).label("number"))
        .where(
            MESSAGES.c.task_id == sa.bindparam("task"),
            MESSAGES.c.to_agent == sa.bindparam("agent"),
            MESSAGES.c.from_agent.is_not(None),
            MESSAGES.c.from_kind == "agent",
            _NEEDS_ANSWER,
        )
        .group_by(MESSAGES.c.from_agent)
        .subquery()
    )
    answer = MESSAGES.alias("answer")
    answered = (
        sa.select(answer.c.id)
        .where(
            answer.c.from_agent == sa.bindparam("agent"),
            answer.c.to_agent == newest.c.from_agent,
            answer.c.from_kind == "agent",
            answer.c.id > newest.c.number,
        )
        .exists()
    )
    return (
        sa.select(AGENTS.c.name)
        .join(newest, newest.c.from_agent == AGENTS.c.id)
        .where(~answered, _needs_answers())
    )


def _needs_answers() -> sa.ColumnElement[bool]:
    """Return the condition that an agent has not handed in all its work, or leads others."""
    return sa.or_(AGENTS.c.leads_group_id.is_not(None), ~_has("submitted"), _has("open"))


def _has(state: str) -> sa.ColumnElement[bool]:
    """Return the condition that an agent has an assignment in this state."""
    mine = sa.and_(ASSIGNMENTS.c.assignee_id == AGENTS.c.id, ASSIGNMENTS.c.state == state)
    return sa.select(ASSIGNMENTS.c.id).where(mine).correlate(AGENTS).exists()


_asking = Prepared(_unanswered_askers())


def asked_in_turn(
    connection: Connection, task_id: int, agent_id: int, turn: int, newest: int
) -> list[FetchedRow]:
    """Return who asked the agent a question that it read in this turn and has not answered, lowest id first.

    `newest`: the last unread message that the step reads. Of each: `needs`, whether it still has a use for
    the answer; `stands`, whether nothing but the answer wakes it.
    """
    return _asked.all(connection, task=task_id, agent=agent_id, turn=turn, newest=newest)


def _askers_of_turn() -> sa.Select[tuple[int, str, int, bool, bool]]:
    in_turn = sa.select(STEPS.c.step).where(
        STEPS.c.agent_id == sa.bindparam("agent"), STEPS.c.turn == sa.bindparam("turn")
    )
    read_now = sa.and_(MESSAGES.c.consumed_step.is_(None), MESSAGES.c.id <= sa.bindparam("newest"))
    question = (
        sa.select(MESSAGES.c.id)
        .where(
            MESSAGES.c.to_agent == sa.bindparam("agent"),
            MESSAGES.c.from_agent == AGENTS.c.id,
            MESSAGES.c.from_kind == "agent",
            _NEEDS_ANSWER,
            sa.or_(read_now, MESSAGES.c.consumed_step.in_(in_turn)),
            ~_answered_since(MESSAGES),
        )
        .correlate(AGENTS)
        .exists()
    )
    unread = sa.and_(MESSAGES.c.to_agent == AGENTS.c.id, MESSAGES.c.consumed_step.is_(None), MESSAGES.c.wakes)
    busy = sa.or_(AGENTS.c.in_turn, sa.select(MESSAGES.c.id).where(unread).correlate(AGENTS).exists())
    given = sa.and_(ASSIGNMENTS.c.giver_id == AGENTS.c.id, ASSIGNMENTS.c.state == "open")
    gave = sa.select(ASSIGNMENTS.c.id).where(given).correlate(AGENTS).exists()
    return (
        sa.select(
            AGENTS.c.id,
            AGENTS.c.name,
            AGENTS.c.group_id,
            _needs_answers().label("needs"),
            sa.or_(_has("open"), sa.and_(~busy, ~gave)).label("stands"),
        )
        .where(AGENTS.c.task_id == sa.bindparam("task"), AGENTS.c.status != "dismissed", question)
        .order_by(AGENTS.c.id)
    )


def _answered_since(asked: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition that the agent wrote to the sender of a message after it."""
    answer = MESSAGES.alias("answer")
    since = sa.and_(
        answer.c.from_agent == sa.bindparam("agent"),
        answer.c.to_agent == asked.c.from_agent,
        answer.c.from_kind == "agent",
        answer.c.id > asked.c.id,
    )
    return sa.select(answer.c.id).where(since).correlate(asked).exists()


_asked = Prepared(_askers_of_turn())


def owing_answers(connection: Connection, task_id: int, agent_id: int) -> set[int]:
    """Return the active agents that have not answered the newest question of this agent to them."""
    return {row.id for row in _unanswered.all(connection, task=task_id, agent=agent_id)}


def _unanswered_questions() -> sa.Select[tuple[int]]:
    asked = (
        sa.select(MESSAGES.c.to_agent, sa.func.max(MESSAGES.c.id).label("number"))
        .where(
            MESSAGES.c.task_id == sa.bindparam("task"),
            MESSAGES.c.from_agent == sa.bindparam("agent"),
            MESSAGES.c.from_kind == "agent",
            _NEEDS_ANSWER,
        )
        .group_by(MESSAGES.c.to_agent)
        .subquery()
    )
    answer = MESSAGES.alias("answer")
    answered = (
        sa.select(answer.c.id)
        .where(
            answer.c.from_agent == asked.c.to_agent,
            answer.c.to_agent == sa.bindparam("agent"),
            answer.c.from_kind == "agent",
            answer.c.id > asked.c.number,
        )
        .exists()
    )
    there = sa.and_(AGENTS.c.id == asked.c.to_agent, AGENTS.c.status == "active")
    return sa.select(AGENTS.c.id).join(asked, there).where(~answered)


_unanswered = Prepared(_unanswered_questions())


def add_system_message(
    connection: Connection,
    task_id: int,
    to: int,
    text: str,
    key: str,
    now: float,
    *,
    priority: int = 3,
    wakes: bool = True,
    about: tuple[About, int | None] = ("", None),
    name: str = "",
) -> None:
    """Insert a message of the engine into an agent's inbox, unless one with this key exists.

    `name`: the person whose answer it tells.
    """
    if connection.execute(sa.select(MESSAGES.c.id).where(MESSAGES.c.key == key)).first():
        return
    connection.execute(
        MESSAGES.insert(),
        {
            "task_id": task_id,
            "to_agent": to,
            "from_kind": "system",
            "from_name": name or SYSTEM,
            "text": text,
            "key": key,
            "wakes": wakes,
            "priority": priority,
            "about": about[0],
            "about_id": about[1],
            "created_at": now,
        },
    )


CALL_ENDS: Mapping[CallEnd, str] = {
    "done": "it was made",
    "failed": "it was made and failed",
    "not_sent": "it was not made",
    "unknown": "nobody knows whether it was made",
    "refused": "a person refused it",
}
"""What became of a call, in the heading of its message."""


def add_outside_message(connection: Connection, call: AnyRow, end: CallEnd, text: str, now: float) -> None:
    """Insert the answer of a call to the world outside into its agent's inbox, unless it is there.

    It is a message of its own kind: foreign text that is neither a person's nor the engine's.
    """
    key = f"outside.{call.id}"
    if connection.execute(sa.select(MESSAGES.c.id).where(MESSAGES.c.key == key)).first():
        return
    connection.execute(
        MESSAGES.insert(),
        {
            "task_id": call.task_id,
            "to_agent": call.agent_id,
            "from_kind": "outside",
            "from_name": f"your call {call.id} of {call.tool} of {call.server}: {CALL_ENDS[end]}",
            "text": text or "(nothing)",
            "key": key,
            "wakes": True,
            "priority": 3,
            "about": "outside",
            "about_id": call.id,
            "created_at": now,
        },
    )
