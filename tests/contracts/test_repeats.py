"""Tasks that start again and again, on every backend and over restarts of the process."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import sqlalchemy as sa

from engine import TurnOptions
from engine.commands import EndRepeat, Limits, PauseTask, RepeatTask, ResumeRepeat, StopTask
from engine.domain.snapshot import WatchOptions
from engine.errors import Invalid, NotFound, WrongState
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import EVENTS, REPEATS, TASKS
from engine.tools import ToolOptions
from tests.contracts.conftest import World
from tests.fakes.parts import CAPS

HOURLY = RepeatTask("look for news", "me", "guild:1", "0 * * * *", origin="channel:7")
SWEEPING = TurnOptions(tools=ToolOptions(audit_rounds=0, watch=WatchOptions(sweep_s=0.1, quiet_s=0.05)))


def finishes(_request: ChatRequest) -> ChatAnswer:
    """Done at once."""
    return call(("finish", {"report": "no news"}))


async def started(world: World) -> int:
    """How many tasks there are."""
    return int(await world.scalar(sa.select(sa.func.count()).select_from(TASKS)))


async def missed(world: World, hours: float) -> None:
    """As if the process had been away for so long."""
    at = time.time() - hours * 3600
    await world.write(lambda c: c.execute(REPEATS.update().values(next_at=at)))


async def all_ended(world: World, count: int) -> None:
    """Wait until so many tasks have ended."""
    over = sa.select(sa.func.count()).select_from(TASKS).where(TASKS.c.ended_at.is_not(None))

    async def holds() -> bool:
        return bool(await world.scalar(over) == count)

    await world.until(holds)


async def test_starts_missed_while_nobody_ran_come_as_one(world: World) -> None:
    """A repeat outlives the process; ten missed starts are one task, and the next lies ahead."""
    first = await world.start(finishes, turn=SWEEPING, sweeps=True)
    number = await first.handle(HOURLY)
    await world.stop(first)
    await missed(world, 10)
    again = await world.start(finishes, turn=SWEEPING, sweeps=True)
    await all_ended(world, 1)
    (view,) = await again.look.repeats("guild:1")
    assert (view.id, view.runs, view.skipped) == (number, 1, 0)
    assert view.next_at > time.time() and view.next_at % 3600 == 0
    task = await again.look.task(view.last_task_id or 0)
    assert (task.goal, task.by, task.space, task.state) == ("look for news", "me", "guild:1", "done")
    published = sa.select(EVENTS.c.payload_json).where(EVENTS.c.kind == "TaskAccepted")
    said = str(await world.scalar(published))
    assert f'"repeat_id":{number}' in said and '"origin":"channel:7"' in said
    await again.sweep()
    assert await started(world) == 1


async def test_each_run_keeps_to_the_caps_that_were_said(world: World) -> None:
    """Those given and those that were usual then, whatever is usual later."""
    engine = await world.start(finishes, turn=SWEEPING)
    await engine.handle(replace(HOURLY, limits=Limits(cost_micros=700_000, agents=3)))
    (view,) = await engine.look.repeats("guild:1")
    usual = CAPS
    assert view.limits == Limits(
        agents=3,
        depth=usual.depth,
        members=usual.members,
        steps=usual.steps,
        cost_micros=700_000,
        tokens=usual.tokens,
        minutes=usual.minutes,
    )
    await missed(world, 1)
    await engine.sweep()
    await all_ended(world, 1)
    assert (await engine.look.task(1)).limits == view.limits


async def test_a_run_is_skipped_while_the_previous_one_is_active(world: World) -> None:
    """Runs never pile up: a paused one holds the next, and the list says how many were left out."""
    engine = await world.start(lambda _: say("Hm."), turn=SWEEPING)
    await engine.handle(HOURLY)
    for _ in range(3):
        await missed(world, 1)
        await engine.sweep()
    (view,) = await engine.look.repeats("guild:1")
    assert (await started(world), view.runs, view.skipped) == (1, 1, 2)
    await engine.handle(PauseTask(1, "me"))
    await missed(world, 1)
    await engine.sweep()
    assert await started(world) == 1
    await engine.handle(StopTask(1, "me"))
    await missed(world, 1)
    await engine.sweep()
    assert await started(world) == 2


async def test_a_stopped_repeat_starts_nothing(world: World) -> None:
    """Its active run is left alone; a second stop reports that there is none."""
    engine = await world.start(lambda _: say("Hm."), turn=SWEEPING)
    number = await engine.handle(HOURLY)
    await missed(world, 1)
    await engine.sweep()
    await engine.handle(EndRepeat(number, "me"))
    await engine.handle(StopTask(1, "me"))
    await missed(world, 1)
    await engine.sweep()
    assert await started(world) == 1
    assert await engine.look.repeats("guild:1") == []
    with pytest.raises(NotFound):
        await engine.handle(EndRepeat(number, "me"))


@pytest.mark.parametrize(
    "bad",
    [
        replace(HOURLY, goal=" "),
        replace(HOURLY, cron="* * * * *"),
        replace(HOURLY, cron="0 9 31 2 *"),
        replace(HOURLY, cron="soon"),
        replace(HOURLY, zone="Mars/Base"),
        replace(HOURLY, limits=Limits(tokens=0)),
    ],
)
async def test_what_cannot_repeat_is_refused(world: World, bad: RepeatTask) -> None:
    """A goal, a time, a zone or a cap out of bounds raises Invalid; nothing is kept."""
    engine = await world.start(finishes)
    with pytest.raises(Invalid):
        await engine.handle(bad)
    assert await engine.look.repeats("guild:1") == []


async def test_a_repeat_runs_by_itself_and_asks_nobody(world: World) -> None:
    """At its cap a run wraps up and ends, so that the next one can begin."""

    def endless(request: ChatRequest) -> ChatAnswer:
        if "Wrap up:" in request.messages[-1].content:
            return call(("finish", {"report": "half of it"}))
        steps = sum(message.role == "assistant" for message in request.messages)
        return call(("search_files", {"pattern": f"x{steps}"}))

    engine = await world.start(endless, turn=SWEEPING)
    await engine.handle(replace(HOURLY, limits=Limits(cost_micros=300, steps=900)))
    await missed(world, 1)
    await engine.sweep()
    await all_ended(world, 1)
    assert (await engine.look.task(1)).report.startswith("half of it")
    assert await engine.look.gates(1, open_only=False) == []


class Rights:
    """Return who may start tasks, as the test sets it; None if unknown."""

    def __init__(self) -> None:
        self.answer: str | None = ""
        self.asked: list[tuple[str, str]] = []
        self.limits = Limits()

    async def why_not(self, by: str, space: str, limits: Limits, model: str = "") -> str | None:
        """See `StartRight`."""
        self.limits = limits
        self.asked.append((by, space))
        return self.answer


async def test_who_lost_the_right_starts_nothing_by_the_clock(world: World) -> None:
    """Its repeat is paused with a reason, starts nothing, and resumes in another person's name."""
    engine, rights = await world.start(finishes, turn=SWEEPING), Rights()
    engine.ask_before_starts(rights)
    number = await engine.handle(HOURLY)
    rights.answer = "you left"
    for _ in range(2):
        await missed(world, 1)
        await engine.sweep()
    (view,) = await engine.look.repeats(HOURLY.space)
    assert (view.id, view.paused_why, view.runs, view.skipped) == (number, "you left", 0, 0)
    assert view.paused_at is not None and await started(world) == 0
    assert rights.asked == [("me", "guild:1")]
    published = sa.select(EVENTS.c.payload_json).where(EVENTS.c.kind == "RepeatPaused")
    ((said,),) = await world.rows(published)
    assert f'"repeat_id":{number}' in said and '"origin":"channel:7"' in said and "you left" in said
    assert rights.limits.agents == CAPS.agents
    assert await engine.handle(ResumeRepeat(number, "she")) == number
    (view,) = await engine.look.repeats("guild:1")
    assert (view.by, view.paused_at, view.paused_why) == ("she", None, "") and view.next_at > time.time()
    with pytest.raises(WrongState):
        await engine.handle(ResumeRepeat(number, "she"))
    rights.answer = ""
    await missed(world, 1)
    await engine.sweep()
    await all_ended(world, 1)
    assert (await engine.look.task(1)).by == "she" and rights.asked[-1] == ("she", "guild:1")


async def test_a_run_waits_while_the_right_to_start_it_is_unknown(world: World) -> None:
    """Not started, not paused, not left out: it starts as soon as the answer is there."""
    engine, rights = await world.start(finishes, turn=SWEEPING), Rights()
    engine.ask_before_starts(rights)
    await engine.handle(HOURLY)
    rights.answer = None
    await missed(world, 1)
    await engine.sweep()
    (view,) = await engine.look.repeats("guild:1")
    assert (view.paused_at, view.runs, view.skipped, await started(world)) == (None, 0, 0, 0)
    rights.answer = ""
    await engine.sweep()
    await all_ended(world, 1)


async def test_only_what_is_there_can_be_resumed(world: World) -> None:
    """The number of no repeat or of a stopped one is refused."""
    engine = await world.start(finishes)
    number = await engine.handle(HOURLY)
    await engine.handle(EndRepeat(number, "me"))
    for gone in (number, 99):
        with pytest.raises(NotFound):
            await engine.handle(ResumeRepeat(gone, "me"))
