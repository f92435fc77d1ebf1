"""Commit of a step: one transaction makes all its effects visible, or none.

Order: lock the agent and its recipients by ascending id, compare and set the fence, consume the inbox,
apply the effects, write the step, settle the budget, append events (docs/architecture.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.settlement import settle_budget, under_budget
from engine.domain.doing import dump_doing
from engine.domain.effects import (
    AmendAssignment,
    Assign,
    ChangeAssignment,
    ChangeFile,
    CheckRoom,
    CollectWords,
    Dismiss,
    Finish,
    Notice,
    ProposePlan,
    Recruit,
    SendMessage,
    SetTodo,
    ShowRun,
    StepOutcome,
    Verdict,
    WaitFor,
    one_change_a_file,
)
from engine.domain.state import Turn
from engine.errors import Fenced, Stale
from engine.events import MessageRead
from engine.lifecycle.agents import pause_recruits
from engine.ports import Wake
from engine.steps.accepted import notify_changed_submissions, notify_reopened
from engine.steps.effects import apply_effect
from engine.steps.late import undone
from engine.steps.sources import sources_of_turn
from engine.steps.transcript import calls_json, messages_json, summary_json
from engine.steps.unanswered import ends_silently, pass_on_words
from engine.steps.unit_of_work import UnitOfWork
from engine.steps.words import askers_of_words, speak
from engine.store.assignments import parties
from engine.store.core import (
    AGENTS,
    MESSAGES,
    STEPS,
    TASKS,
    WAITS,
    append_events,
    dumps,
    hold_order,
    waking,
)
from engine.store.fate import ResultLost
from engine.store.prepared import (
    FetchedRow,
    Prepared,
    PreparedLists,
    demand,
    denied,
    insert_into,
    listed,
    to_the_end,
)
from engine.store.transcript import rest_json

_fence = Prepared(
    AGENTS.update()
    .where(AGENTS.c.id == sa.bindparam("agent"), AGENTS.c.fence == sa.bindparam("old"))
    .values(
        fence=sa.bindparam("new"),
        turn=sa.bindparam("new_turn"),
        in_turn=sa.bindparam("open"),
        turn_steps=sa.bindparam("steps"),
        bad_answers=sa.bindparam("bad"),
        doing_json=sa.bindparam("new_doing"),
        summary_json=sa.bindparam("new_summary"),
        summary_upto=sa.bindparam("upto"),
        last_prompt_tokens=sa.bindparam("prompt"),
        answer_tokens=sa.bindparam("answer"),
        too_long=sa.bindparam("long"),
        refusals=sa.bindparam("refused"),
        rest_json=sa.bindparam("rest"),
        parts=AGENTS.c.parts + sa.bindparam("part", type_=sa.Integer),
        reserved_micros=sa.literal_column("0"),
        reserved_tokens=sa.literal_column("0"),
        held_in=sa.literal_column("''"),
        call=sa.literal_column("''"),
        spent_micros=AGENTS.c.spent_micros + sa.bindparam("micros"),
        prompt_tokens=AGENTS.c.prompt_tokens + sa.bindparam("prompt"),
        completion_tokens=AGENTS.c.completion_tokens + sa.bindparam("completion"),
        last_calls_json=sa.bindparam("calls"),
        active_at=sa.bindparam("now"),
    )
)


def _consuming(length: int) -> sa.Update:
    return (
        MESSAGES.update()
        .where(MESSAGES.c.id.in_(listed("ids", length)), MESSAGES.c.consumed_step.is_(None))
        .values(consumed_step=sa.bindparam("step"))
    )


_consume = PreparedLists(_consuming)
_consume_all = PreparedLists(lambda length: demand(_consuming(length).returning(MESSAGES.c.id), length))


_waits = sa.select(WAITS.c.id).where(WAITS.c.agent_id == AGENTS.c.id).correlate(AGENTS).exists()


def _taking(ids: int, names: int, groups: int, waiting: int) -> sa.Select[*tuple[Any, ...]]:
    """Lock the agents of a commit by ascending id and select the columns that it needs, in one statement.

    `waiting`: those who wait for something in the task, too, for this commit may be what they wait for.
    """
    wanted: list[sa.ColumnElement[bool]] = [AGENTS.c.id.in_(listed("ids", ids))]
    if names:
        named = AGENTS.c.name_key.in_(listed("names", names))
        wanted.append(sa.and_(AGENTS.c.task_id == sa.bindparam("task"), named))
    if groups:
        wanted.append(AGENTS.c.group_id.in_(listed("groups", groups)))
        wanted.append(AGENTS.c.leads_group_id.in_(listed("groups", groups)))
    if waiting:
        waits = sa.select(WAITS.c.agent_id).where(WAITS.c.task_id.in_(listed("waiting", waiting)))
        wanted.append(AGENTS.c.id.in_(waits))
    return (
        sa.select(
            AGENTS.c.id,
            AGENTS.c.name,
            AGENTS.c.name_key,
            AGENTS.c.status,
            AGENTS.c.refused,
            AGENTS.c.group_id,
            AGENTS.c.leads_group_id,
            AGENTS.c.fence,
            AGENTS.c.budget_id,
            AGENTS.c.reserved_micros,
            AGENTS.c.reserved_tokens,
            AGENTS.c.held_in,
            TASKS.c.space,
            TASKS.c.payer,
            TASKS.c.state.label("task_state"),
            _waits.label("waits"),
        )
        .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
        .where(sa.or_(*wanted))
        .order_by(AGENTS.c.id)
        .with_for_update(of=AGENTS)
    )


_take = PreparedLists(_taking)
_progress = Prepared(
    TASKS.update()
    .where(TASKS.c.id == sa.bindparam("task"))
    .values(progress_at=sa.bindparam("now"), quiet_rounds=sa.literal_column("0"))
)
_insert_step = insert_into(
    STEPS,
    "task_id",
    "agent_id",
    "step",
    "turn",
    "input",
    "said",
    "calls_json",
    "messages_json",
    "kept",
    "continues",
    "started_at",
    "ended_at",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "cost_micros",
    "model",
)

_LEAN = (SendMessage, ChangeFile, CheckRoom, ShowRun, SetTodo)
"""Effects made of prepared statements only, which may be sent in one batch with the rest."""

_MOVES_TASK = (
    AmendAssignment,
    Assign,
    ChangeAssignment,
    ChangeFile,
    CollectWords,
    Finish,
    ProposePlan,
    Recruit,
    Verdict,
    Dismiss,
)
"""Effects that change the task's row, which is always locked before the budget's."""


_ORDERED = (ChangeFile, ChangeAssignment, WaitFor)
"""Effects that number revisions, end waits or begin one: none may miss another."""


class InboxChanged(Stale):
    """A person edited or withdrew a message that this answer is based on: load again, call the model
    again."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What the runtime does next: the agents to wake, and whether this agent continues."""

    wakes: tuple[Wake, ...]
    again: bool
    files: bool = False
    dropped: bool = False
    woke: bool = False


def _all_left(_connection: Connection, wakes: Sequence[Wake]) -> Sequence[Wake]:
    return wakes


def commit_step(
    connection: Connection,
    turn: Turn,
    outcome: StepOutcome,
    now: float,
    enlist: Callable[[Connection, Sequence[Wake]], Sequence[Wake]] = _all_left,
    *,
    leave: bool = False,
) -> Committed:
    """Commit one step. Raises Fenced (drop it) or Stale (reload and act again) without any change.

    `enlist` is the dispatcher's; with `leave` the agent's turn returns to the dispatcher instead of
    continuing.

    When the task ended or the agent was dismissed during the model call, only spending and a transcript that
    says so are stored (`engine.steps.late`). Rows are locked in one order everywhere: agents by id, task,
    budgets, those of the month, then the lock that orders events and revisions.
    """
    outcome = replace(outcome, effects=one_change_a_file(outcome.effects))
    unit = UnitOfWork(connection, turn, now)
    unit.askers = askers_of_words(connection, turn, outcome)
    me = _take_agents(connection, unit, outcome)
    unit.sources = sources_of_turn(connection, turn.facts)
    if me.budget_id != unit.agent.budget_id:
        turn = unit.turn = under_budget(connection, turn, me.budget_id)
    dropped = me.task_state not in ("running", "paused") or me.status == "dismissed"
    if dropped:
        outcome = undone(outcome, turn)
    step = _Step(connection, unit, turn, outcome, me, dropped)
    if leave or step.silent or not all(isinstance(e, _LEAN) for e in step.outcome.effects):
        return _in_two(step, enlist, leave=leave)
    try:
        with to_the_end(connection):
            consumed, unread = step.write()
            left = step.close(enlist, list(unit.wakes.values()))
    except Exception as error:
        if denied(error):
            raise _changed() from error
        raise
    step.check(consumed)
    return step.committed(left, again=step.continues(unread), woke=bool(unit.wakes))


def _in_two(
    step: _Step, enlist: Callable[[Connection, Sequence[Wake]], Sequence[Wake]], *, leave: bool
) -> Committed:
    """Commit a step whose first statements must be checked before the rest is sent."""
    consumed, unread = step.write()
    step.check(consumed)
    again, wakes = step.continues(unread), list(step.unit.wakes.values())
    if again and leave:
        wakes, again = [*wakes, Wake(step.unit.agent.id, step.unit.task_id)], False
    with to_the_end(step.connection):
        left = step.close(enlist, wakes)
    return step.committed(left, again=again, woke=bool(wakes))


@dataclass(frozen=True, slots=True)
class _Step:
    """One step being written; the agents it affects are locked."""

    connection: Connection
    unit: UnitOfWork
    turn: Turn
    outcome: StepOutcome
    me: FetchedRow
    dropped: bool

    @property
    def silent(self) -> bool:
        """Return whether the turn ends with this step, which holds neither an answer nor an effect."""
        return not self.dropped and ends_silently(self.outcome)

    @property
    def holds_order(self) -> bool:
        """Return whether the order of changes is locked from the first effect on."""
        return any(isinstance(effect, _ORDERED) for effect in self.outcome.effects)

    def write(self) -> tuple[Any, Any]:
        """Write all but wake-ups and events. Return cursors of the consumed and of the remaining messages."""
        connection, unit, turn, outcome = self.connection, self.unit, self.turn, self.outcome
        self._set_fence()
        consumed = _consume_inbox(connection, turn, unit) if self.outcome.reads else None
        if any(isinstance(effect, _MOVES_TASK) for effect in self.outcome.effects):
            _progress.run(connection, task=unit.task_id, now=unit.now)
        if self.holds_order:
            settle_budget(connection, turn, outcome, self.me, unit.now)
            hold_order(connection)
        if not self.dropped:
            speak(unit, outcome, waits=bool(self.me.waits))
        for effect in self.outcome.effects:
            apply_effect(effect, unit)
        notify_reopened(unit)
        notify_changed_submissions(unit)
        if self.me.status == "paused" and any(isinstance(effect, Recruit) for effect in self.outcome.effects):
            pause_recruits(connection, unit.agent.id, unit.now)
        _write_step(connection, turn, outcome, unit, dropped=self.dropped)
        if self.silent:
            pass_on_words(unit)
        return consumed, waking.run(connection, agent=unit.agent.id)

    def _set_fence(self) -> None:
        """Advance the agent's row, which is locked since `_take_agents` compared the fence.

        A turn that the end of the task cut short stays open: whoever continues the task continues it.
        """
        turn, outcome, agent = self.turn, self.outcome, self.turn.facts.agent
        closes = self.me.status == "dismissed" or (outcome.ends_turn and not self.dropped)
        # A step that read nothing does not start the turn: the next one gets the state of the work again.
        begun = self.outcome.reads or agent.in_turn
        values = {
            "agent": agent.id,
            "old": agent.fence,
            "new": agent.fence + 1,
            "new_turn": agent.turn + (0 if agent.in_turn else 1),
            "open": begun and not closes,
            "steps": 0 if closes else agent.turn_steps + (outcome.rest is None),
            "bad": outcome.bad_answers,
            "new_doing": dumps(dump_doing(outcome.doing)),
            "new_summary": summary_json(turn.summary),
            "upto": turn.upto,
            "prompt": outcome.usage.prompt,
            "rest": rest_json(outcome.rest),
            "part": int(turn.rest is not None),
            "answer": outcome.state.answer_tokens,
            "long": outcome.state.too_long,
            "refused": outcome.state.refusals,
            "completion": outcome.usage.completion,
            "micros": outcome.cost_micros or 0,
            "calls": dumps(outcome.last_calls),
            "now": self.unit.now,
        }
        _fence.run(self.connection, **values)

    def close(
        self, enlist: Callable[[Connection, Sequence[Wake]], Sequence[Wake]], wakes: Sequence[Wake]
    ) -> tuple[Wake, ...]:
        """Write wake-ups, budget and events last, because many steps compete for these rows.

        Return the wake-ups that are left for after the commit.
        """
        left = tuple(enlist(self.connection, wakes))
        if not self.holds_order:
            settle_budget(self.connection, self.turn, self.outcome, self.me, self.unit.now)
        append_events(self.connection, self.unit.events, self.unit.now)
        return left

    def check(self, consumed: Any) -> None:
        """Raise InboxChanged when a message was withdrawn meanwhile (on PostgreSQL the statement fails)."""
        inbox = self.turn.facts.inbox
        asked = self.outcome.reads and self.connection.dialect.name != "postgresql"
        if asked and inbox and consumed.rowcount != len(inbox):
            raise _changed()

    def continues(self, unread: Any) -> bool:
        if self.dropped or not self.outcome.ends_turn:
            return not self.dropped
        try:
            return unread.fetchone() is not None
        except ResultLost:
            return True  # the next load finds out

    def committed(self, left: tuple[Wake, ...], *, again: bool, woke: bool) -> Committed:
        return Committed(left, again, self.unit.wrote_files, self.dropped, woke)


def _changed() -> InboxChanged:
    return InboxChanged("a message was withdrawn while the agent was reading it")


def _take_agents(connection: Connection, unit: UnitOfWork, outcome: StepOutcome) -> FetchedRow:
    """Lock the agent and every receiver of this step. Return the agent's row. Raises Fenced."""
    names: set[str] = set()
    groups: set[int] = set()
    ids = {unit.agent.id, *(asker.id for asker in unit.askers)}
    for effect in outcome.effects:
        if isinstance(effect, SendMessage):
            names.update(effect.to)
            groups |= {effect.to_group} if effect.to_group else set()
        elif isinstance(effect, Assign):
            names.add(effect.to)
        elif isinstance(effect, ChangeAssignment | AmendAssignment):
            ids |= parties(connection, unit.task_id, effect.assignment_id)
    tells_head = ends_silently(outcome) or any(isinstance(effect, Notice) for effect in outcome.effects)
    if tells_head and unit.agent.head_id is not None:
        ids.add(unit.agent.head_id)
    waiting = [unit.task_id] if any(isinstance(e, _ORDERED) for e in outcome.effects) else []
    take, values = _take.of(ids=sorted(ids), names=sorted(names), groups=sorted(groups), waiting=waiting)
    rows = take.all(connection, **values, task=unit.task_id)
    unit.known.update((row.name_key, row) for row in rows if row.name_key in names)
    unit.taken = rows
    for row in rows:
        if row.id == unit.agent.id and row.fence == unit.agent.fence:
            return row
    raise Fenced(f"agent {unit.agent.id} moved past step {unit.agent.fence}, or is no more")


def _consume_inbox(connection: Connection, turn: Turn, unit: UnitOfWork) -> Any:
    inbox = turn.facts.inbox
    if not inbox:
        return None
    all_or_none = connection.dialect.name == "postgresql"
    consume, ids = (_consume_all if all_or_none else _consume).of(ids=[message.id for message in inbox])
    consumed = consume.run(connection, **ids, step=turn.facts.step)
    for message in inbox:
        if message.ref:
            unit.event(MessageRead(unit.task_id, unit.agent.id, message.ref))
    return consumed


def _write_step(
    connection: Connection, turn: Turn, outcome: StepOutcome, unit: UnitOfWork, *, dropped: bool
) -> None:
    agent = turn.facts.agent
    row = {
        "task_id": unit.task_id,
        "agent_id": agent.id,
        "step": turn.facts.step,
        "turn": agent.turn + (0 if agent.in_turn else 1),
        "input": turn.input if outcome.reads or dropped or not turn.facts.inbox else "",
        "said": outcome.said,
        "calls_json": calls_json(outcome.calls, unit),
        "messages_json": messages_json(turn.facts.inbox if outcome.reads else ()),
        "kept": outcome.kept,
        "continues": turn.rest is not None,
        "started_at": outcome.started_at,
        "ended_at": outcome.ended_at,
        "prompt_tokens": outcome.usage.prompt,
        "cached_tokens": outcome.usage.cached,
        "completion_tokens": outcome.usage.completion,
        "cost_micros": outcome.cost_micros,
        "model": outcome.model,
    }
    _insert_step.run(connection, **row)
