"""The last transaction of a step: everything the step did becomes visible at once, or not at all.

Order: lock the agent and its recipients by ascending id, compare and set the fence, consume the inbox,
apply the effects, write the step, settle the budget, append events (DESIGN §4).
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.effects import SendMessage, StepOutcome
from engine.domain.state import Turn
from engine.errors import Fenced, Stale
from engine.events import AgentSpoke, MessageRead
from engine.ports import Wake
from engine.store import judgement  # noqa: F401 - registers its effects
from engine.store.apply import apply_effect
from engine.store.core import AGENTS, BUDGETS, MESSAGES, STEPS, TASKS, append_events, dumps
from engine.store.load import budget_path
from engine.store.pen import Pen

_fence = (
    AGENTS.update()
    .where(AGENTS.c.id == sa.bindparam("agent"), AGENTS.c.fence == sa.bindparam("old"))
    .values(
        fence=sa.bindparam("new"),
        turn=sa.bindparam("new_turn"),
        in_turn=sa.bindparam("open"),
        turn_steps=sa.bindparam("steps"),
        bad_answers=sa.bindparam("bad"),
        doing=sa.bindparam("new_doing"),
        summary=sa.bindparam("new_summary"),
        summary_upto=sa.bindparam("upto"),
        last_prompt_tokens=sa.bindparam("prompt"),
        reserved_micros=0,
        reserved_tokens=0,
        spent_micros=AGENTS.c.spent_micros + sa.bindparam("micros"),
        prompt_tokens=AGENTS.c.prompt_tokens + sa.bindparam("prompt"),
        completion_tokens=AGENTS.c.completion_tokens + sa.bindparam("completion"),
        last_calls_json=sa.bindparam("calls"),
        active_at=sa.bindparam("now"),
    )
)
_consume = (
    MESSAGES.update()
    .where(MESSAGES.c.id.in_(sa.bindparam("ids", expanding=True)), MESSAGES.c.consumed_step.is_(None))
    .values(consumed_step=sa.bindparam("step"))
)
_settle = (
    BUDGETS.update()
    .where(BUDGETS.c.id.in_(sa.bindparam("path_ids", expanding=True)))
    .values(
        reserved_micros=BUDGETS.c.reserved_micros - sa.bindparam("held_micros"),
        reserved_tokens=BUDGETS.c.reserved_tokens - sa.bindparam("held_tokens"),
        spent_micros=BUDGETS.c.spent_micros + sa.bindparam("micros"),
        spent_tokens=BUDGETS.c.spent_tokens + sa.bindparam("prompt") + sa.bindparam("completion"),
        prompt_tokens=BUDGETS.c.prompt_tokens + sa.bindparam("prompt"),
        cached_tokens=BUDGETS.c.cached_tokens + sa.bindparam("cached"),
        completion_tokens=BUDGETS.c.completion_tokens + sa.bindparam("completion"),
        calls=BUDGETS.c.calls + 1,
        unpriced=BUDGETS.c.unpriced + sa.bindparam("no_price"),
    )
)
_unread = (
    sa.select(MESSAGES.c.priority)
    .where(
        MESSAGES.c.to_agent == sa.bindparam("agent"),
        MESSAGES.c.consumed_step.is_(None),
        MESSAGES.c.wakes,
    )
    .limit(1)
)
_by_name = sa.select(AGENTS.c.id, AGENTS.c.name, AGENTS.c.name_key, AGENTS.c.status, AGENTS.c.group_id).where(
    AGENTS.c.task_id == sa.bindparam("task"), AGENTS.c.name_key.in_(sa.bindparam("names", expanding=True))
)
_lock = (
    sa.select(AGENTS.c.id)
    .where(AGENTS.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(AGENTS.c.id)
    .with_for_update()
)
_task_state = sa.select(TASKS.c.state).where(TASKS.c.id == sa.bindparam("task"))
_insert_step = STEPS.insert()


class InboxChanged(Stale):
    """A person edited or withdrew a message that this answer was made from: read again, think again."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What the runtime does next: whom to wake, and whether this agent goes on."""

    wakes: tuple[Wake, ...]
    again: bool
    files: bool = False
    dropped: bool = False


def commit_step(connection: Connection, turn: Turn, outcome: StepOutcome, now: float) -> Committed:
    """Commit one step. Raises Fenced (drop it) or Stale (reload and act again); nothing is changed then.

    When the task ended while the model thought, only the spending and the transcript are kept.
    """
    pen = Pen(connection, turn, now)
    agent = turn.scene.agent
    _lock_all(connection, pen, outcome)
    ended = connection.execute(_task_state, {"task": turn.scene.task.id}).scalar() not in (
        "running",
        "paused",
    )
    _set_fence(connection, turn, outcome, ended, now)
    _consume_inbox(connection, turn, pen)
    if not ended:
        _speak(pen, turn, outcome)
        for effect in outcome.effects:
            apply_effect(effect, pen)
    _write_step(connection, turn, outcome, pen)
    _settle_budget(connection, turn, outcome)
    append_events(connection, pen.events, now)
    unread = connection.execute(_unread, {"agent": agent.id}).scalar()
    again = not ended and (not outcome.ends_turn or unread is not None)
    return Committed(tuple(pen.wakes.values()), again, pen.wrote_files, ended)


def _lock_all(connection: Connection, pen: Pen, outcome: StepOutcome) -> None:
    names = {name for e in outcome.effects for name in getattr(e, "to", ()) if isinstance(e, SendMessage)}
    names |= {name for e in outcome.effects if isinstance(name := getattr(e, "to", None), str)}
    if names:
        rows = connection.execute(_by_name, {"task": pen.task_id, "names": sorted(names)})
        pen.known.update({row.name_key: row for row in rows})
    if connection.dialect.name == "postgresql":
        ids = sorted({pen.agent.id, *(row.id for row in pen.known.values())})
        connection.execute(_lock, {"ids": ids})


def _set_fence(connection: Connection, turn: Turn, outcome: StepOutcome, ended: bool, now: float) -> None:
    agent = turn.scene.agent
    closes = outcome.ends_turn or ended
    values = {
        "agent": agent.id,
        "old": agent.fence,
        "new": agent.fence + 1,
        "new_turn": agent.turn + (0 if agent.in_turn else 1),
        "open": not closes,
        "steps": 0 if closes else agent.turn_steps + 1,
        "bad": outcome.bad_answers,
        "new_doing": outcome.doing,
        "new_summary": turn.summary,
        "upto": turn.upto,
        "prompt": outcome.usage.prompt,
        "completion": outcome.usage.completion,
        "micros": outcome.cost_micros or 0,
        "calls": dumps(outcome.last_calls),
        "now": now,
    }
    if connection.execute(_fence, values).rowcount != 1:
        raise Fenced(f"agent {agent.id} moved past step {agent.fence}")


def _consume_inbox(connection: Connection, turn: Turn, pen: Pen) -> None:
    inbox = turn.scene.inbox
    if not inbox:
        return
    done = connection.execute(_consume, {"ids": [m.id for m in inbox], "step": turn.scene.step}).rowcount
    if done != len(inbox):
        raise InboxChanged("a message was withdrawn while the agent was reading it")
    for letter in inbox:
        if letter.ref:
            pen.event(MessageRead(pen.task_id, pen.agent.id, letter.ref))


def _speak(pen: Pen, turn: Turn, outcome: StepOutcome) -> None:
    """Plain text is what the persona says; said to a person it answers, it names that person's message."""
    if not outcome.said.strip():
        return
    refs = tuple(letter.ref for letter in turn.scene.inbox if letter.ref)
    pen.event(AgentSpoke(pen.task_id, pen.home_group, pen.agent.id, pen.agent.name, (), outcome.said, refs))


def _write_step(connection: Connection, turn: Turn, outcome: StepOutcome, pen: Pen) -> None:
    agent = turn.scene.agent
    calls = [(c.id, c.name, c.arguments, pen.fill(c.result)) for c in outcome.calls]
    row = {
        "task_id": pen.task_id,
        "agent_id": agent.id,
        "step": turn.scene.step,
        "turn": agent.turn + (0 if agent.in_turn else 1),
        "input": turn.input,
        "said": outcome.said,
        "calls_json": dumps(calls),
        "started_at": outcome.started_at,
        "ended_at": outcome.ended_at,
        "prompt_tokens": outcome.usage.prompt,
        "cached_tokens": outcome.usage.cached,
        "completion_tokens": outcome.usage.completion,
        "cost_micros": outcome.cost_micros,
        "model": outcome.model,
    }
    connection.execute(_insert_step, row)


def _settle_budget(connection: Connection, turn: Turn, outcome: StepOutcome) -> None:
    agent, request = turn.scene.agent, turn.held
    values = {
        "path_ids": budget_path(agent.budget_path),
        "held_micros": request.cost_micros,
        "held_tokens": request.tokens,
        "micros": outcome.cost_micros or 0,
        "prompt": outcome.usage.prompt,
        "cached": outcome.usage.cached,
        "completion": outcome.usage.completion,
        "no_price": int(outcome.cost_micros is None),
    }
    connection.execute(_settle, values)
