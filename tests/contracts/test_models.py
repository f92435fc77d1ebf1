"""A task uses the model it names, if the operator allows that one; the clock asks again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.commands import RepeatTask, StartTask
from engine.errors import Invalid
from engine.llm.scripted import call
from engine.ports import ChatAnswer, ChatRequest
from tests.contracts.conftest import World, ended
from tests.contracts.test_repeats import HOURLY, SWEEPING, missed, started

ALLOWED = ("usual", "large")


async def test_every_agent_of_a_task_uses_the_model_it_names(world: World) -> None:
    """And a task that names none the usual ones."""
    used: dict[int, set[str]] = {}

    def script(request: ChatRequest) -> ChatAnswer:
        used.setdefault(request.task_id, set()).add(request.model)
        return call(("finish", {"report": "done"}))

    engine = await world.start(script, models=ALLOWED)
    named = await engine.handle(StartTask("g", "me", "here", model="large", attended=False))
    plain = await engine.handle(StartTask("g", "me", "here", attended=False))
    for task in (named, plain):
        await ended(engine, task)
    assert used == {named: {"large"}, plain: {""}}


async def test_a_model_that_is_not_allowed_starts_nothing(world: World) -> None:
    """Neither at once nor by the clock; the refusal names those that may be used."""
    engine = await world.start(lambda _: call(("finish", {"report": "done"})), models=ALLOWED)
    for command in (StartTask("g", "me", "here", model="dear"), replace(HOURLY, model="dear")):
        with pytest.raises(Invalid, match=r"'dear' is not one the operator allows.*usual, large"):
            await engine.handle(command)
    assert await engine.look.tasks("here") == []


async def test_the_clock_uses_no_model_that_is_not_allowed_any_more(world: World) -> None:
    """The operator took it off the list between two runs: the repeat is paused with why."""
    before = await world.start(lambda _: call(("finish", {"report": "done"})), turn=SWEEPING, models=ALLOWED)
    command: RepeatTask = replace(HOURLY, model="large")
    await before.handle(command)
    await world.stop(before)
    engine = await world.start(
        lambda _: call(("finish", {"report": "done"})), turn=SWEEPING, models=("usual",)
    )
    await missed(world, 1)
    await engine.sweep()
    (view,) = await engine.look.repeats(HOURLY.space)
    assert "'large' is not one the operator allows" in view.paused_why
    assert await started(world) == 0
