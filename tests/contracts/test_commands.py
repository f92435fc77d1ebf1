"""Commands of people and their error messages, on every backend."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

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
    PauseAgent,
    PauseTask,
    RaiseCap,
    RecordArchive,
    ReplaceAgent,
    ResumeAgent,
    ResumeTask,
    SayToAgent,
    StartTask,
    StopTask,
    WithdrawMessage,
)
from engine.errors import EngineError, Invalid, NotFound, WrongState
from engine.llm.scripted import say
from engine.ports import ChatAnswer, ChatRequest
from engine.runtime.clock import SystemClock
from engine.store.core import AGENTS, MESSAGES, TASKS
from tests.contracts.conftest import World

UNKNOWN: list[Command] = [
    SayToAgent(99, "hi", "me", "Me"),
    EditMessage("nope", "text"),
    WithdrawMessage("nope"),
    AnswerGate(99, "me", text="yes"),
    PauseTask(99, "me"),
    ContinueTask(99, "me", "Me"),
    ResumeTask(99, "me"),
    StopTask(99, "me"),
    RaiseCap(99, Limits(tokens=1), "me"),
    RecordArchive(99, True, "me"),
    PauseAgent(99, "me"),
    ResumeAgent(99, "me"),
    EditAgent(99, "do", "me"),
    DismissAgent(99, "me"),
    ReplaceAgent(99, "me"),
    ForgetMemory(99, "me"),
    EndRepeat(99, "me"),
]


def quiet(_request: ChatRequest) -> ChatAnswer:
    """Says nothing of interest."""
    return say("fine")


async def test_unknown_ids_are_answered_in_plain_sentences(world: World) -> None:
    """Every command with an unknown id raises NotFound with a sentence, and changes nothing."""
    engine = await world.start(quiet)
    for command in UNKNOWN:
        with pytest.raises(NotFound, match=r"\w+ .*\."):
            await engine.handle(command)
    assert await world.rows(sa.select(TASKS)) == []


async def test_commands_in_the_wrong_state_are_refused(world: World) -> None:
    """What has ended, is paused already, or was never paused, says so."""
    engine = await world.start(quiet)
    task = await engine.handle(StartTask("g", "me", "here"))
    boss = int(await world.scalar(sa.select(AGENTS.c.id)))
    with pytest.raises(WrongState):
        await engine.handle(ResumeTask(task, "me"))
    with pytest.raises(WrongState):
        await engine.handle(ResumeAgent(boss, "me"))
    for never in (DismissAgent(boss, "me"), ReplaceAgent(boss, "me")):
        with pytest.raises(WrongState):
            await engine.handle(never)
    await engine.handle(StopTask(task, "me"))
    for late in (
        StopTask(task, "me"),
        PauseTask(task, "me"),
        EditAgent(boss, "do", "me"),
        DismissAgent(boss, "me"),
        ReplaceAgent(boss, "me"),
    ):
        with pytest.raises(WrongState):
            await engine.handle(late)


@pytest.mark.parametrize(
    "bad",
    [
        StartTask("  ", "me", "here"),
        StartTask("x" * 8_001, "me", "here"),
        StartTask("g", "me", "here", Limits(tokens=-1)),
        StartTask("g", "me", "here", files={"../etc/passwd": b"x"}),
    ],
)
async def test_tasks_that_cannot_be_are_refused_whole(world: World, bad: StartTask) -> None:
    """A goal, a limit or a file path out of bounds raises Invalid; no task is left behind."""
    engine = await world.start(quiet)
    with pytest.raises(Invalid):
        await engine.handle(bad)
    assert await world.rows(sa.select(TASKS)) == []


async def test_files_are_there_before_anybody_runs(world: World) -> None:
    """A task's own files can be read by its first step, and are revisions of it."""
    found: list[int] = []

    async def looks(_request: ChatRequest) -> ChatAnswer:
        found.append(len(await engine.look.files(task_ids[0])))
        return say("seen")

    task_ids = [1]
    engine = await world.start(looks)
    files = {f"in/{n}.txt": b"x" * 100 for n in range(5)}
    assert await engine.handle(StartTask("g", "me", "here", files=files)) == 1
    await world.until(lambda: _some(found))
    assert found[0] == 5
    assert await engine.look.read_file(1, "in/3.txt") == b"x" * 100


async def _some(found: list[int]) -> bool:
    return bool(found)


async def test_the_same_message_sent_twice_under_one_ref_arrives_once(world: World) -> None:
    """A person's message retried by the bot is one message: the same id comes back."""
    engine = await world.start(quiet)
    await engine.handle(StartTask("g", "me", "here"))
    boss = int(await world.scalar(sa.select(AGENTS.c.id)))
    said = SayToAgent(boss, "hello", "me", "Me", ref="discord:1")
    assert await engine.handle(said) == await engine.handle(said)


class StandingClock(SystemClock):
    """A clock that always says the same time."""

    def now(self) -> float:
        """Return the one time."""
        return 1_800_000_000.0


async def test_commands_in_one_tick_of_the_clock_all_count(world: World) -> None:
    """Words and changes of state of one instant are told apart: a coarse clock, or one that was set back,
    drops none of them."""
    engine = await world.start(lambda _: say("done"), clock=StandingClock())
    task = await engine.handle(StartTask("g", "ann", "s"))
    boss = (await engine.look.task(task)).boss_id
    for _ in range(2):
        await engine.handle(PauseTask(task, "ann"))
        await engine.handle(PauseAgent(boss, "ann"))
        await engine.handle(EditAgent(boss, "Write.", "ann"))
        await engine.handle(SayToAgent(boss, "more", "ann", "Ann"))
        await engine.handle(ResumeAgent(boss, "ann"))
        await engine.handle(ResumeTask(task, "ann"))
    said = sa.select(MESSAGES.c.id).where(MESSAGES.c.text == "more")
    assert len(await world.rows(said)) == 2


async def test_refusals_are_all_engine_errors(world: World) -> None:
    """Whatever id a person names, only errors made for people come out."""
    engine = await world.start(quiet)
    for number in (0, -1, 2**31 - 1):
        for command in (StopTask(number, "me"), PauseAgent(number, "me"), AnswerGate(number, "me", text="a")):
            with pytest.raises(EngineError):
                await engine.handle(command)


async def test_who_follows_events_can_stop_at_the_moment_something_happens(world: World) -> None:
    """A reader that is cancelled while news comes in ends: a bot that closes just then must not hang."""
    engine = await world.start(quiet)
    task = await engine.handle(StartTask("g", "me", "here"))

    async def follow() -> None:
        async for _ in engine.events():
            pass

    for command in (PauseTask(task, "me"), ResumeTask(task, "me"), PauseTask(task, "me")):
        reader = asyncio.create_task(follow())
        await asyncio.sleep(0.5)  # it has read all there is and waits
        await engine.handle(command)
        reader.cancel()
        await asyncio.wait([reader], timeout=20)
        assert reader.cancelled()
