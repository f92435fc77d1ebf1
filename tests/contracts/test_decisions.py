"""The audit trail: who decided what, when, and on what; what is refused leaves no row."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest
import sqlalchemy as sa

from bot.features.audit.texts import DECIDED
from engine.commands import (
    AnswerGate,
    Command,
    EndRepeat,
    Limits,
    PauseTask,
    RaiseCap,
    RepeatTask,
    ResumeTask,
    SayToAgent,
    StartTask,
    StopTask,
)
from engine.errors import WrongState
from engine.handlers.decisions import MESSAGES
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import DECISIONS, loads
from tests.contracts.conftest import World
from tests.contracts.test_isolation import COMMANDS, Act, Lab, P, alone
from tests.fakes.bystanders import NOW
from tests.fakes.cast import View

__all__ = ["alone"]


def ask_once(request: ChatRequest) -> ChatAnswer:
    """The boss asks one question."""
    if View(request).steps:
        return say("Thank you.")
    return call(("ask_human", {"question": "Which?", "options": ["this", "that"]}))


async def test_each_decision_is_kept_with_who_and_on_what(world: World) -> None:
    """Newest first, of this space only; words to agents are messages, not decisions."""
    engine = await world.start(ask_once)
    other = await engine.handle(StartTask("other", "you", "there"))
    task = await engine.handle(StartTask("make it", "me", "here", files={"a.md": b"text"}))

    async def asked() -> bool:
        return bool(await engine.look.gates(task))

    await world.until(asked)
    gate = (await engine.look.gates(task))[0]
    await engine.handle(SayToAgent((await engine.look.task(task)).boss_id, "hello", "me", "Me"))
    await engine.handle(AnswerGate(gate.id, "ann", "o2"))
    with pytest.raises(WrongState):
        await engine.handle(AnswerGate(gate.id, "bob", "o1"))
    await engine.handle(PauseTask(task, "ann"))
    await engine.handle(ResumeTask(task, "ann"))
    await engine.handle(RaiseCap(task, Limits(minutes=700), "bob"))
    await engine.handle(StopTask(task, "bob", "enough"))
    repeat = await engine.handle(RepeatTask("again", "me", "here", "0 9 * * 1"))
    await engine.handle(EndRepeat(repeat, "ann"))
    found = await engine.look.decisions("here")
    assert [(each.kind, each.by, each.task_id) for each in reversed(found)] == [
        ("StartTask", "me", task),
        ("AnswerGate", "ann", task),
        ("PauseTask", "ann", task),
        ("ResumeTask", "ann", task),
        ("RaiseCap", "bob", task),
        ("StopTask", "bob", task),
        ("RepeatTask", "me", None),
        ("EndRepeat", "ann", None),
    ]
    start, answer, _, _, caps, stop, _, _ = reversed(found)
    assert start.content["goal"] == "make it"
    assert start.content["files"]["a.md"][0] == 4
    assert (answer.content["question"], answer.content["choice"]) == ("Which?", "that")
    assert answer.subject_id == gate.id
    assert caps.content["limits"] == {"minutes": 700}
    assert stop.content["reason"] == "enough"
    assert all(len(each.digest) == 64 for each in found)
    assert [each.task_id for each in await engine.look.decisions("there")] == [other]


async def test_the_trail_is_read_in_pages_and_by_task(world: World) -> None:
    """`before` goes on where a page ended."""
    engine = await world.start(lambda _: say("Thinking."))
    tasks = [await engine.handle(StartTask(f"make {n}", "me", "here")) for n in range(3)]
    newest = await engine.look.decisions("here", limit=2)
    assert [each.task_id for each in newest] == [tasks[2], tasks[1]]
    rest = await engine.look.decisions("here", before=newest[-1].id, limit=2)
    assert [each.task_id for each in rest] == [tasks[0]]
    assert [each.task_id for each in await engine.look.decisions("here", tasks[1])] == [tasks[1]]


async def test_the_digest_tells_what_was_decided_on(world: World) -> None:
    """The same question twice has one digest, another question another."""
    asked = iter(["Which?", "Which?", "Why?"])

    def ask(request: ChatRequest) -> ChatAnswer:
        if View(request).steps:
            return say("Thank you.")
        return call(("ask_human", {"question": next(asked), "options": ["this", "that"]}))

    engine = await world.start(ask)
    for number in range(3):
        task = await engine.handle(StartTask(f"make {number}", "me", "here"))

        async def is_asked(task: int = task) -> bool:
            return bool(await engine.look.gates(task))

        await world.until(is_asked)
        await engine.handle(AnswerGate((await engine.look.gates(task))[0].id, "me", "o1"))
    answers = [each for each in await engine.look.decisions("here") if each.kind == "AnswerGate"]
    third, second, first = (each.digest for each in answers)
    assert first == second != third


def test_every_command_names_its_person_and_has_words_for_the_trail() -> None:
    """A new command without one of them is noticed here."""
    decisions = set(get_args(Command)) - set(MESSAGES)
    assert {kind.__name__ for kind in decisions} == set(DECIDED)
    for kind in decisions:
        assert {"by", "by_name"} <= {each.name for each in fields(kind)}, kind.__name__


async def test_every_command_is_in_the_trail_with_who_what_and_when(alone: Lab) -> None:
    """Each command that there is, also a new one, adds exactly one row; words to agents add none."""
    for kind, acts in COMMANDS.items():
        for act in acts:
            rows = await _trail_of(alone, act)
            if kind in MESSAGES:
                assert rows == [], act.name
                continue
            assert rows == [(kind.__name__, P, NOW)], act.name


async def _trail_of(lab: Lab, act: Act) -> list[tuple[str, str, float]]:
    """Carry out a command as the subject's, and return what it added to the trail of the subject's space."""
    side = lab.trio().subject
    lab.store.write_now(lambda db: [ready(db, side) for ready in act.ready])
    connection = lab.store.connection
    newest = connection.execute(sa.select(sa.func.max(DECISIONS.c.id))).scalar() or 0
    await act.do(lab, side)
    found = connection.execute(sa.select(DECISIONS).where(DECISIONS.c.id > newest)).all()
    for row in found:
        assert row.space == side.space and len(row.digest) == 64, act.name
        assert row.task_id is None or row.task_id >= side.task, act.name
        assert loads(row.content_json) or "demonstration" in act.name, act.name
    return [(row.kind, row.by, row.at) for row in found]
