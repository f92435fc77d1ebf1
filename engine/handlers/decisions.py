"""The audit trail: every decision of a person, written in the transaction that carries it out.

What people say to agents is kept as messages, and is no decision. Rows are only ever added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from engine import commands as c
from engine.domain.gates import Choice, choice_of, load_choices
from engine.store.core import (
    ACTION_REQUESTS,
    AGENTS,
    DECISIONS,
    GATES,
    MEMORIES,
    OUTSIDE_CALLS,
    REPEATS,
    TASKS,
    dumps,
    loads,
)

MESSAGES = (c.SayToAgent, c.EditMessage, c.WithdrawMessage)
_LEFT_OUT = {"by", "by_name", "space"}
_UNKNOWN: tuple[int | None, str] = (None, "")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a command is about: its task and space where it has them, and the SHA-256 of what was decided on.

    `digest`: of an answer, the question with its choices and the exact call it is about; otherwise of the
    command itself. `asked`: of an answer, the kind of gate and its question.
    """

    task_id: int | None
    space: str
    digest: str
    asked: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()

    def answered(self, choice_id: str | None) -> dict[str, Any]:
        """Return the question and the choice that answered it, by its effect and an agent's own words."""
        choice = choice_of(self.choices, choice_id)
        return {**self.asked, **({"effect": choice.effect, "choice": choice.text} if choice else {})}


def subject_of(connection: Connection, command: c.Command) -> Subject | None:
    """Return what a command is about, read before it is carried out; None for a message."""
    if isinstance(command, MESSAGES):
        return None
    if isinstance(command, c.AnswerGate):
        return gate_subject(connection, command.gate_id)
    task_id, space = _place(connection, command)
    return Subject(task_id, space, digest(content_of(command)))


def gate_subject(connection: Connection, gate_id: int) -> Subject:
    """Return what an answer to a gate decides on."""
    query = sa.select(GATES, TASKS.c.space).join(TASKS, TASKS.c.id == GATES.c.task_id)
    gate = connection.execute(query.where(GATES.c.id == gate_id)).first()
    if gate is None:
        return Subject(None, "", "")
    call = sa.select(OUTSIDE_CALLS.c.digest).where(OUTSIDE_CALLS.c.gate_id == gate_id)
    action = sa.select(ACTION_REQUESTS.c.digest).where(ACTION_REQUESTS.c.gate_id == gate_id)
    exactly = connection.execute(call).scalar() or connection.execute(action).scalar() or ""
    asked = [gate.kind, gate.question, gate.choices_json, exactly]
    named = {"gate": gate.kind, "question": gate.question}
    return Subject(gate.task_id, gate.space, digest(asked), named, load_choices(loads(gate.choices_json)))


def record_decision(
    connection: Connection, command: c.Command, subject: Subject, made: int, now: float
) -> None:
    """Add a person's command to the trail. `made`: the id that it returned."""
    begins = isinstance(command, c.StartTask | c.StartDemonstration)
    task_id = made if begins else subject.task_id
    by, content = str(getattr(command, "by", "")), content_of(command)
    if isinstance(command, c.AnswerGate):
        content |= subject.answered(command.choice_id)
    record(connection, type(command).__name__, by, subject, (task_id, made), content, now)


def record(
    connection: Connection,
    kind: str,
    by: str,
    subject: Subject,
    about: tuple[int | None, int],
    content: Mapping[str, Any],
    now: float,
) -> None:
    """Add one decision. `about`: the task's id and the subject's; `by` is "" when nobody answered in time."""
    task_id, subject_id = about
    connection.execute(
        DECISIONS.insert().values(
            at=now,
            by=by,
            space=subject.space,
            task_id=task_id,
            kind=kind,
            subject_id=subject_id,
            digest=subject.digest,
            content_json=dumps(content),
        )
    )


def content_of(command: c.Command) -> dict[str, Any]:
    """Return what a command says, without defaults; of a file its size and SHA-256."""
    given: dict[str, Any] = {}
    for each in fields(command):
        value = getattr(command, each.name)
        if each.name == "files":
            value = {path: [len(data), hashlib.sha256(data).hexdigest()] for path, data in value.items()}
        elif is_dataclass(value) and not isinstance(value, type):
            value = {
                name.name: part for name in fields(value) if (part := getattr(value, name.name)) is not None
            }
        if each.name not in _LEFT_OUT and value not in (None, "", {}):
            given[each.name] = value
    return given


def digest(content: object) -> str:
    """Return the SHA-256 of content as compact JSON."""
    return hashlib.sha256(dumps(content).encode("utf-8", "surrogatepass")).hexdigest()


def _place(connection: Connection, command: c.Command) -> tuple[int | None, str]:
    space = str(getattr(command, "space", ""))
    if space:
        return None, space
    if (repeat := getattr(command, "repeat_id", None)) is not None:
        query = sa.select(sa.null(), REPEATS.c.space).where(REPEATS.c.id == repeat)
    elif (memory := getattr(command, "memory_id", None)) is not None:
        query = sa.select(sa.null(), MEMORIES.c.space).where(MEMORIES.c.id == memory)
    else:
        query = sa.select(TASKS.c.id, TASKS.c.space)
        if (agent := getattr(command, "agent_id", None)) is not None:
            query = query.join(AGENTS, AGENTS.c.task_id == TASKS.c.id).where(AGENTS.c.id == agent)
        else:
            query = query.where(TASKS.c.id == getattr(command, "task_id", 0))
    row = connection.execute(query).first()
    return (row[0], row[1] or "") if row is not None else _UNKNOWN
