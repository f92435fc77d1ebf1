"""The in-memory engine of the bot's tests keeps the real one's contract: same refusals, same events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import pytest
import sqlalchemy as sa

from bot.ports import EngineApi
from engine.commands import (
    AnswerGate,
    Command,
    ContinueTask,
    DismissAgent,
    EditAgent,
    EditMessage,
    EndRepeat,
    ForgetMemory,
    Limits,
    MonthRule,
    PauseAgent,
    PauseTask,
    Protections,
    RaiseCap,
    RecordArchive,
    RecordRules,
    RecordSignIn,
    RecordSignOut,
    RepeatTask,
    ReplaceAgent,
    ResumeAgent,
    ResumeRepeat,
    ResumeTask,
    SayToAgent,
    SetGateRule,
    SetMonthRule,
    SetProtections,
    StartDemonstration,
    StartTask,
    StopTask,
    WithdrawMessage,
)
from engine.errors import EngineError
from engine.llm.scripted import say
from engine.store.core import EVENTS
from tests.fakes.engine import FakeEngine
from tests.fakes.parts import build_engine, make_tables, sqlite_url

NOBODY = 9_999
"""A number that nothing has."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the commands of a case may name."""

    task: int
    boss: int


Case = Callable[[Known], list[Command]]
CASES: dict[str, Case] = {
    "an empty goal": lambda k: [StartTask(" ", "me", "here")],
    "a goal too long": lambda k: [StartTask("x" * 8_001, "me", "here")],
    "files with a goal": lambda k: [StartTask("go", "me", "here", files={"a.md": b"1"})],
    "the demonstration": lambda k: [StartDemonstration("me", "here")],
    "a message": lambda k: [SayToAgent(k.boss, "hello", "me", "Me", ref="m1")],
    "a message twice": lambda k: [SayToAgent(k.boss, "hello", "me", "Me", ref="m1")] * 2,
    "an empty message": lambda k: [SayToAgent(k.boss, " ", "me", "Me")],
    "a message to nobody": lambda k: [SayToAgent(NOBODY, "hello", "me", "Me")],
    "a message edited and withdrawn": lambda k: [
        SayToAgent(k.boss, "hello", "me", "Me", ref="m1"),
        EditMessage("m1", "bye"),
        WithdrawMessage("m1"),
        EditMessage("m1", "again"),
        WithdrawMessage("m1"),
    ],
    "a message with files edited": lambda k: [
        SayToAgent(k.boss, "see", "me", "Me", ref="m1", files={"a.md": b"1"}),
        EditMessage("m1", "look", ("a.md",)),
    ],
    "a message that nobody sent": lambda k: [EditMessage("m2", "bye"), WithdrawMessage("m2")],
    "a gate that is not there": lambda k: [AnswerGate(NOBODY, "me", "approve")],
    "how long questions wait": lambda k: [
        SetGateRule("here", "plan", 3_600.0, "approve", "me"),
        SetGateRule("here", "plan", 3_600.0, "decide", "me"),
        SetGateRule("here", "wish", 3_600.0, "stop", "me"),
        SetGateRule("here", "tool", 3_600.0, "allow_call", "me"),
        SetGateRule("here", "cap", 1.0, "stop", "me"),
        SetMonthRule("here", MonthRule("Europe/Berlin", 5_000_000, None, 2_000_000, 10_000), "me"),
        SetProtections("here", Protections(True, 5, True, True), "me"),
        RecordRules("here", {"approve": "@&7"}, "me"),
        RecordSignIn("here", "calendar", "me"),
        RecordSignOut("here", "calendar", "me"),
        SetMonthRule("here", MonthRule("Mars/Base"), "me"),
        SetMonthRule("here", MonthRule(space_tokens=0), "me"),
        SetGateRule("here", "cap", 3_600.0, "raise_half", "me"),
    ],
    "a task paused and resumed": lambda k: [
        ResumeTask(k.task, "me"),
        PauseTask(k.task, "me"),
        PauseTask(k.task, "me"),
        ResumeTask(k.task, "me"),
    ],
    "no such task": lambda k: [
        PauseTask(NOBODY, "me"),
        ResumeTask(NOBODY, "me"),
        StopTask(NOBODY, "me"),
        RaiseCap(NOBODY, Limits(tokens=9), "me"),
        RecordArchive(NOBODY, True, "me"),
    ],
    "a task stopped": lambda k: [
        RecordArchive(k.task, False, "me"),
        StopTask(k.task, "me"),
        RecordArchive(k.task, True, "me"),
        StopTask(k.task, "me"),
        PauseTask(k.task, "me"),
        SayToAgent(k.boss, "hello", "me", "Me"),
    ],
    "a task continued": lambda k: [
        ContinueTask(k.task, "me", "Me"),
        ContinueTask(NOBODY, "me", "Me"),
        StopTask(k.task, "me"),
        ContinueTask(k.task, "me", "Me"),
        ContinueTask(k.task, "me", "Me"),
    ],
    "caps": lambda k: [RaiseCap(k.task, Limits(minutes=500), "me")],
    "an agent paused and resumed": lambda k: [PauseAgent(k.boss, "me"), ResumeAgent(k.boss, "me")],
    "instructions": lambda k: [EditAgent(k.boss, "Be brief.", "me"), EditAgent(k.boss, " ", "me")],
    "the boss stays": lambda k: [DismissAgent(k.boss, "me"), ReplaceAgent(k.boss, "me")],
    "no such agent": lambda k: [
        PauseAgent(NOBODY, "me"),
        ResumeAgent(NOBODY, "me"),
        EditAgent(NOBODY, "Be brief.", "me"),
        DismissAgent(NOBODY, "me"),
        ReplaceAgent(NOBODY, "me"),
    ],
    "a repeat": lambda k: [RepeatTask("go", "me", "here", "0 9 * * 1")],
    "a repeat at no time": lambda k: [RepeatTask("go", "me", "here", "0 99 * * 1")],
    "a repeat too often": lambda k: [RepeatTask("go", "me", "here", "* * * * *")],
    "no such repeat": lambda k: [EndRepeat(NOBODY, "me"), ResumeRepeat(NOBODY, "me")],
    "no such memory": lambda k: [ForgetMemory(NOBODY, "me")],
}


@dataclass
class Trial:
    """An engine, and what its commands come to."""

    engine: EngineApi
    events: Callable[[], Awaitable[list[str]]]
    """Return the kinds of all events so far."""

    async def run(self, case: Case) -> list[tuple[str, list[str]]]:
        """Start a task; return the error (or "") and the events of each command of a case."""
        task = await self.engine.handle(StartTask("make it", "me", "here"))
        known = Known(task, (await self.engine.look.task(task)).boss_id)
        results, seen = [], len(await self.events())
        for command in case(known):
            error = ""
            try:
                await self.engine.handle(command)
            except EngineError as refused:
                error = type(refused).__name__
            events = await self.events()
            results.append((error, events[seen:]))
            seen = len(events)
        return results


async def on_the_fake(case: Case) -> list[tuple[str, list[str]]]:
    """Run a case on the engine of the bot's tests."""
    fake = FakeEngine()

    async def events() -> list[str]:
        return [type(event.body).__name__ for event in fake.log]

    return await Trial(cast(EngineApi, fake), events).run(case)


async def on_the_real_one(case: Case, folder: Path) -> list[tuple[str, list[str]]]:
    """Run a case on the engine, not started: commands are carried out, no agent thinks."""
    make_tables(sqlite_url(folder))
    engine, database = build_engine(sqlite_url(folder), folder, lambda _: say(""))

    async def events() -> list[str]:
        query = sa.select(EVENTS.c.kind).order_by(EVENTS.c.seq)
        return list(await database.read(lambda c: list(c.execute(query).scalars())))

    try:
        return await Trial(engine, events).run(case)
    finally:
        await database.close()


@pytest.mark.parametrize("name", CASES)
async def test_commands_come_to_the_same(name: str, tmp_path: Path) -> None:
    """What people's commands come to: the kind of refusal, and the events."""
    wanted = await on_the_real_one(CASES[name], tmp_path)
    assert await on_the_fake(CASES[name]) == wanted


def test_every_command_is_compared() -> None:
    """A command that the engine learns is taught to the one in memory too."""
    compared = {type(command) for case in CASES.values() for command in case(Known(1, 2))}
    assert compared == set(get_args(Command))
