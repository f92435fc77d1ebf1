"""People's messages and gate answers that no agent has acted on yet: find, quote, and forward them.

They are open while unread, and while the turn is open in which their agent read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.gates import SAID
from engine.domain.speech import acts
from engine.domain.state import AssignmentFacts
from engine.events import GateClosed, Unheeded
from engine.store.core import AGENTS, BUDGETS, EVENTS, GATES, MESSAGES, STEPS, AnyRow, loads, new_id
from engine.store.messages import SYSTEM
from engine.store.transcript import past_calls

OF_MEANS = frozenset(
    {"raise_half", "raise_month", "wait_month", "allow_call", "allow_tool", "allow_packages", "allow_action"}
)
"""Choices that allow the means, and say nothing about the work."""

NOBODY = "a person"
"""Who answered a question, where no name came with the answer."""

TAKEN_BACK = -1
"""Value of `consumed_step` for a message that was forwarded to another agent or withdrawn by its author."""

_of_people = sa.and_(
    sa.text("messages.from_kind <> 'agent'"),  # as the index says it, so that it is used
    sa.or_(
        sa.and_(MESSAGES.c.from_kind == "person", MESSAGES.c.about != "said"), MESSAGES.c.about == "answer"
    ),
)
_read_in_open_turn = sa.and_(
    AGENTS.c.in_turn,
    sa.select(STEPS.c.id)
    .where(
        STEPS.c.agent_id == AGENTS.c.id,
        STEPS.c.step == MESSAGES.c.consumed_step,
        STEPS.c.turn == AGENTS.c.turn,
    )
    .exists(),
)
_not_taken_back = sa.or_(MESSAGES.c.consumed_step.is_(None), MESSAGES.c.consumed_step != TAKEN_BACK)


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """A person's message or gate answer to one agent. `read`: in the agent's current turn, `turn`;
    `stranded`: the agent cannot run and so will not act on it."""

    id: int
    by: str
    to_id: int
    to: str
    text: str
    read: bool
    turn: int
    stranded: bool

    @property
    def quoted(self) -> str:
        """Return the text with its author and its receiver."""
        return f"{self.by} to {self.to}: {self.text}"


def open_messages(
    connection: Connection, task_id: int, *, acting: int | None = None
) -> tuple[OpenMessage, ...]:
    """Return the people's messages and answers that no agent has acted on, except those that `acting` has
    read and is acting on now."""
    unread = MESSAGES.c.consumed_step.is_(None)
    working = _read_in_open_turn if acting is None else sa.and_(_read_in_open_turn, AGENTS.c.id != acting)
    return _messages(connection, task_id, sa.or_(unread, working))


def messages_since(connection: Connection, task_id: int, auditor: int) -> tuple[OpenMessage, ...]:
    """Return the people's messages and answers since an auditor was called, acted on or not."""
    called = sa.select(sa.func.min(MESSAGES.c.id)).where(MESSAGES.c.to_agent == auditor, sa.not_(_of_people))
    return _messages(connection, task_id, sa.and_(MESSAGES.c.id > called.scalar_subquery(), _not_taken_back))


def read_in_silence(
    connection: Connection, task_id: int, agent_id: int, turn: int, *, cut_short: bool = False
) -> tuple[OpenMessage, ...]:
    """Return the people's messages and answers that an agent read in a turn and that no step of that turn has
    answered or acted on. `cut_short`: the turn did not end by itself."""
    steps = sa.select(STEPS.c.step, STEPS.c.said, STEPS.c.calls_json)
    steps = steps.where(STEPS.c.agent_id == agent_id, STEPS.c.turn == turn).order_by(STEPS.c.step.desc())
    silent: list[int] = []
    for row in connection.execute(steps):
        if acts(row.said, past_calls(row.calls_json), cut_short=cut_short):
            break
        silent.append(row.step)
    read = sa.and_(MESSAGES.c.to_agent == agent_id, MESSAGES.c.consumed_step.in_(silent))
    return _messages(connection, task_id, read) if silent else ()


def _messages(connection: Connection, task_id: int, where: sa.ColumnElement[bool]) -> tuple[OpenMessage, ...]:
    query = (
        sa.select(
            MESSAGES.c.id,
            MESSAGES.c.from_kind,
            MESSAGES.c.from_name,
            MESSAGES.c.text,
            MESSAGES.c.consumed_step,
            AGENTS.c.turn,
            AGENTS.c.id.label("to_id"),
            AGENTS.c.name,
            AGENTS.c.status,
            AGENTS.c.refused,
            BUDGETS.c.frozen,
        )
        .join(AGENTS, AGENTS.c.id == MESSAGES.c.to_agent)
        .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
        .where(AGENTS.c.task_id == task_id, MESSAGES.c.task_id == task_id, _of_people, where)
        .order_by(MESSAGES.c.id)
    )
    return tuple(map(_as_open_message, connection.execute(query)))


def _as_open_message(row: AnyRow) -> OpenMessage:
    return OpenMessage(
        id=row.id,
        by=NOBODY if row.from_kind == "system" and row.from_name == SYSTEM else row.from_name,
        to_id=row.to_id,
        to=row.name,
        text=row.text,
        read=row.consumed_step is not None,
        turn=row.turn,
        stranded=row.status != "active" or bool(row.refused) or bool(row.frozen),
    )


def unheeded(connection: Connection, task_id: int) -> tuple[Unheeded, ...]:
    """Return what people said that no step has answered or acted on, as the event of the task's end has it.

    Of what was read in an open turn, only what came after the last step of that turn that acted; a plan alone
    is no act there.
    """
    words = open_messages(connection, task_id)
    readers = {each.to_id: each.turn for each in words if each.read}
    silent = {
        each.id
        for agent_id, turn in readers.items()
        for each in read_in_silence(connection, task_id, agent_id, turn, cut_short=True)
    }
    return tuple(
        Unheeded(each.by, each.to, each.text) for each in words if not each.read or each.id in silent
    )


def forward_messages(
    connection: Connection, words: Sequence[OpenMessage], to: int, why: str = "who cannot act on it"
) -> None:
    """Forward messages to the inbox of another agent. `why`: what it is told of their first receiver."""
    _move(connection, words, to, wakes=True, note=f"(said to {{}}, {why})\n")


def return_messages(connection: Connection, words: Sequence[OpenMessage], agent_id: int) -> None:
    """Return messages unread to the inbox of the agent that read them. They do not wake it: it reads them
    when it is woken next."""
    _move(connection, words, agent_id, wakes=False, note="")


def _move(connection: Connection, words: Sequence[OpenMessage], to: int, *, wakes: bool, note: str) -> None:
    """Insert messages as new rows, so that a running step of the first receiver cannot consume them."""
    rows = connection.execute(sa.select(MESSAGES).where(MESSAGES.c.id.in_([each.id for each in words]))).all()
    names = {each.id: each.to for each in words}
    for row in rows:
        values = {name: value for name, value in row._mapping.items() if name != "id"}
        first = note.format(names[row.id])
        moved = {
            "to_agent": to,
            "text": f"{first}{row.text}",
            "preface": f"{first}{row.preface}",
            "key": f"{row.key}.to{to}",
            "ref": row.ref if row.consumed_step is None else None,
            "wakes": wakes,
            "consumed_step": None,
        }
        new_id(connection, MESSAGES, values | moved)
    back = {"consumed_step": TAKEN_BACK, "text": "", "ref": None}
    connection.execute(MESSAGES.update().where(MESSAGES.c.id.in_(list(names))).values(**back))


def forward_stranded(connection: Connection, task_id: int, to: int) -> tuple[OpenMessage, ...]:
    """Forward the messages of agents that cannot run to `to`. Return them."""
    stranded = tuple(
        each for each in open_messages(connection, task_id) if each.stranded and each.to_id != to
    )
    if stranded:
        forward_messages(connection, stranded, to)
    return stranded


def withdraw_holds(connection: Connection, boss_id: int) -> None:
    """Withdraw what the boss has not read of ends that waited for people's words: it finishes again."""
    unread = sa.and_(MESSAGES.c.to_agent == boss_id, MESSAGES.c.consumed_step.is_(None))
    held = sa.and_(unread, MESSAGES.c.about == "held")
    connection.execute(MESSAGES.update().where(held).values(consumed_step=TAKEN_BACK, text=""))


def unread_by(connection: Connection, agent_id: int) -> set[int]:
    """Return the ids of an agent's unread messages."""
    unread = sa.and_(MESSAGES.c.to_agent == agent_id, MESSAGES.c.consumed_step.is_(None))
    return set(connection.execute(sa.select(MESSAGES.c.id).where(unread)).scalars())


def unread_on_work(connection: Connection, agent_id: int, work: AssignmentFacts) -> dict[int, str]:
    """Return the author by id of each unread message that may change an agent's work: people's, changes and
    rejections of this assignment, and what its giver wants to be acted on."""
    mine = sa.and_(MESSAGES.c.to_agent == agent_id, MESSAGES.c.consumed_step.is_(None))
    on_it = sa.and_(MESSAGES.c.from_kind == "work", MESSAGES.c.about_id == work.id)
    of_giver = sa.and_(MESSAGES.c.from_kind == "agent", MESSAGES.c.from_agent == work.giver_id)
    acts_on = sa.and_(MESSAGES.c.wakes, sa.or_(on_it, of_giver))
    query = sa.select(MESSAGES.c.id, MESSAGES.c.from_name).where(mine, sa.or_(acts_on, _of_people))
    return {row.id: row.from_name for row in connection.execute(query.order_by(MESSAGES.c.id))}


@dataclass(frozen=True, slots=True)
class Said:
    """A person's message or answer for an auditor: verbatim, after one line with its context."""

    by: str
    text: str


def said_in(connection: Connection, task_id: int) -> tuple[Said, ...]:
    """Return the people's messages and answers of a task since its goal, oldest first."""
    where = sa.and_(MESSAGES.c.from_kind == "person", MESSAGES.c.about != "said", _not_taken_back)
    messages = (
        sa.select(MESSAGES.c.from_name, MESSAGES.c.text, MESSAGES.c.created_at, AGENTS.c.name)
        .join(AGENTS, AGENTS.c.id == MESSAGES.c.to_agent)
        .where(MESSAGES.c.task_id == task_id, where)
        .order_by(MESSAGES.c.id)
    )
    found = [
        (r.created_at, Said(r.from_name, f"To {r.name}:\n{r.text}")) for r in connection.execute(messages)
    ]
    found += _answers(connection, task_id)
    return tuple(said for _, said in sorted(found, key=lambda pair: pair[0]))


def _answers(connection: Connection, task_id: int) -> list[tuple[float, Said]]:
    """Return time and text of each answer of a person to a gate, except those that only allow the means."""
    gates = sa.select(GATES).where(GATES.c.task_id == task_id, GATES.c.basis == "person")
    asked = {row.id: row for row in connection.execute(gates)}
    closed = sa.select(EVENTS.c.at, EVENTS.c.payload_json).where(
        EVENTS.c.task_id == task_id, EVENTS.c.kind == GateClosed.__name__
    )
    seen = [(row.at, loads(row.payload_json)) for row in connection.execute(closed)] if asked else []
    return [
        (at, Said(body.get("by_name") or NOBODY, _answer(asked[body["gate_id"]], body)))
        for at, body in seen
        if body["gate_id"] in asked
        and (body.get("text") or (body.get("choice") or {}).get("id") not in OF_MEANS)
    ]


def _answer(gate: AnyRow, closed: Mapping[str, Any]) -> str:
    choice = closed.get("choice") or {}
    chosen = choice.get("text") or SAID.get(choice.get("effect", ""), choice.get("id", ""))
    answer = (chosen, closed.get("text", ""))
    words = "\n".join(part for part in answer if part)
    what = " for Python packages" if gate.kind == "packages" else ""
    return f"{gate.name or 'The engine'} asked{what}: {gate.question}\nThe answer:\n{words}"
