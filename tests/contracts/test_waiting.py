"""While a model works its call is written down for people: how far it is, and how long steps took so far."""

from __future__ import annotations

import asyncio

import pytest

from engine.commands import PauseAgent, PauseTask, StartTask
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest, Written
from engine.queries import ModelCallView
from engine.runtime import cut_off
from engine.store.core import STEPS
from tests.contracts.conftest import World

WRITING = Written(34, 1.0, "write_file", "main.py", 9, "print('hello')")


class Slow:
    """Every call waits for `answers`; a boss tells what it writes once it `hears`, others say nothing."""

    def __init__(self) -> None:
        self.hears, self.answers = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Answer as the agent that is asked."""
        if request.messages[-1].role == "tool":
            return say("done")
        if request.task_id == 1:
            await self.hears.wait()
            assert request.heard is not None
            request.heard(WRITING)
        await self.answers.wait()
        return call(("list_files", {}))


async def test_a_call_is_written_down_while_it_lasts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits, it writes, it is over: seen over the store by whoever asks, each task its own calls; no
    commit is needed for it, and none of a call that is over soon."""
    monkeypatch.setattr(cut_off, "LOOK_S", 0.02)
    monkeypatch.setattr(cut_off, "NOTE_S", 0.02)
    monkeypatch.setattr(cut_off, "WORTH_NOTING_S", 0.1)
    slow = Slow()
    engine = await world.start(slow)
    first, other = [await engine.handle(StartTask("g", "ann", space)) for space in ("here", "there")]

    async def calls_are(sent: bool) -> bool:
        calls = await engine.look.model_calls(first)
        return bool(calls) and calls[0].sent == sent

    await world.until(lambda: calls_are(sent=False))
    slow.hears.set()
    await world.until(lambda: calls_are(sent=True))
    (seen,) = await engine.look.model_calls(first)
    boss = (await engine.look.task(first)).boss_id
    assert seen == ModelCallView(first, boss, seen.began_at, seen.at, sent=True, written=WRITING)
    assert 0.1 <= seen.at - seen.began_at < 60

    async def both_are_seen() -> bool:
        return {c.task_id for c in await engine.look.model_calls()} == {first, other}

    await world.until(both_are_seen)
    assert not (await engine.look.model_calls(other))[0].sent
    groups = [(await engine.look.task(each)).root_group_id for each in (first, other)]
    assert await engine.look.working_groups() == groups
    assert await engine.look.working_groups(other) == groups[1:]
    assert await engine.look.usual_seconds(first) is None

    paused = (await engine.look.task(other)).boss_id
    await engine.handle(PauseAgent(paused, "ann"))
    assert not await engine.look.model_calls(other), "a paused agent waits for no model"
    assert await engine.look.working_groups() == groups[:1]
    slow.answers.set()

    async def quiet() -> bool:
        return (await engine.look.agent(boss)).state != "working"

    await world.until(quiet)
    assert not await engine.look.model_calls() and not await engine.look.working_groups()


async def test_a_call_that_a_pause_of_its_task_leaves_running_is_shown(world: World) -> None:
    """A paused task works no more than what is under way: until that is answered, its agent is at work."""
    slow = Slow()
    slow.hears.set()
    engine = await world.start(slow)
    task = await engine.handle(StartTask("g", "ann", "here"))

    async def is_sent() -> bool:
        calls = await engine.look.model_calls(task)
        return bool(calls) and calls[0].sent

    await world.until(is_sent)
    await engine.handle(PauseTask(task, "ann"))
    view = await engine.look.task(task)
    assert (view.state, view.working) == ("paused", 1)
    assert (await engine.look.agent(view.boss_id)).state == "working"
    assert len(await engine.look.model_calls(task)) == 1
    slow.answers.set()

    async def rests() -> bool:
        return not (await engine.look.task(task)).working

    await world.until(rests)
    assert (await engine.look.agent(view.boss_id)).state == "idle"
    assert not await engine.look.model_calls(task)


async def test_the_usual_time_is_the_median_of_the_newest_steps_of_the_space(world: World) -> None:
    """Of this task and those before it in its space, where a model was asked; never of another space."""
    engine = await world.start(lambda _: say("fine"))
    tasks = [await engine.handle(StartTask("g", "ann", space)) for space in ("here", "there", "here", "here")]

    async def all_over() -> bool:
        return not any([(await engine.look.task(task)).working for task in tasks])

    await world.until(all_over)
    await world.write(lambda c: c.execute(STEPS.delete()))

    def step(task: int, number: int, seconds: float, completion: int = 5) -> dict[str, object]:
        row = dict.fromkeys(("input", "said", "kept", "model"), "")
        numbers = {"turn": 1, "prompt_tokens": 9, "cached_tokens": 0, "cost_micros": 0, "continues": False}
        times = {"started_at": 1000.0, "ended_at": 1000.0 + seconds}
        own = {"task_id": task, "agent_id": task, "step": number, "completion_tokens": completion}
        return {**row, **numbers, **times, **own, "calls_json": "[]", "messages_json": "[]"}

    here, there, later, latest = tasks
    rows = [step(here, 1, 40.0), step(later, 2, 0.0, completion=0)]
    rows += [step(there, n, 900.0) for n in (1, 2, 3)] + [step(latest, n, 500.0) for n in (1, 2, 3)]
    await world.write(lambda c: c.execute(STEPS.insert(), rows))
    assert await engine.look.usual_seconds(later) is None, "one step is too few"
    await world.write(lambda c: c.execute(STEPS.insert(), [step(later, 1, 20.0), step(later, 3, 30.0)]))
    assert await engine.look.usual_seconds(later) == 30.0
    assert await engine.look.usual_seconds(there) == 900.0
