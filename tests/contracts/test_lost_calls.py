"""No model call is spent uncounted: of a process that died, or an attempt without an answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from engine import Engine, TurnOptions
from engine.commands import Limits, StartTask
from engine.errors import Charge, ModelError, ModelKeyRejected
from engine.llm.admission.model import AdmittedModel
from engine.llm.faults import TooSlow
from engine.llm.scripted import say
from engine.ports import ChatAnswer, ChatRequest, Quote
from engine.runtime import cut_off
from engine.settings import EngineSettings
from engine.store.core import AGENTS, BUDGETS, MONTHS, SPENDING
from engine.tools import ToolOptions
from tests.contracts.conftest import World

QUOTE, ANSWER = 100, 10
"""Micro-dollars that a call is quoted at, and that an answer costs."""

QUIET = TurnOptions(tools=ToolOptions(audit_rounds=0))


@dataclass(slots=True)
class Endpoint:
    """A model that raises `errors` one after the other, then answers; while `holds` it answers nobody."""

    errors: list[ModelError] = field(default_factory=list)
    holds: bool = False
    asked: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event)

    def quote(self, request: ChatRequest) -> Quote:
        """Return the fixed quote."""
        return Quote(1_000, QUOTE)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Raise, wait or answer."""
        self.asked += 1
        self.began.set()
        if self.errors:
            raise self.errors.pop(0)
        if self.holds:
            await asyncio.Event().wait()
        return say("I wait.")


async def die(world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """End an engine as kill -9 does: nothing of its calls is written any more."""

    async def nothing(*_given: object) -> None:
        return None

    with monkeypatch.context() as patch:
        patch.setattr("engine.runtime.turn.TurnRunner._settle_cut", nothing)
        await world.stop(engine, drain=False)


async def booked(world: World) -> tuple[int, int, int, int]:
    """Return (spent, reserved, calls, calls by an estimate) of the task, the same for all who count."""
    (row,) = await world.rows(sa.select(BUDGETS))
    months = await world.rows(sa.select(MONTHS.c.spent_micros, MONTHS.c.reserved_micros))
    assert {tuple(month) for month in months} == {(row.spent_micros, row.reserved_micros)}
    total = sa.select(sa.func.sum(SPENDING.c.cost_micros), sa.func.sum(SPENDING.c.estimated))
    assert tuple((await world.rows(total))[0]) in ((row.spent_micros, row.estimated), (None, None))
    assert await world.scalar(sa.select(sa.func.sum(AGENTS.c.spent_micros))) == row.spent_micros
    return row.spent_micros, row.reserved_micros, row.calls, row.estimated


async def rests(world: World) -> bool:
    """Return whether nobody works or calls."""
    return not await world.rows(
        sa.select(AGENTS.c.id).where(
            sa.or_(AGENTS.c.in_turn, AGENTS.c.reserved_micros > 0, AGENTS.c.fence == 0)
        )
    )


async def test_the_call_of_a_process_that_died_is_booked_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes die one after the other in the same step; the third one's answer ends it."""
    for number in (1, 2):
        endpoint = Endpoint(holds=True)
        engine = await world.start(endpoint.complete, turn=QUIET, model=endpoint)
        if number == 1:
            await engine.handle(StartTask("g", "ann", "s"))
        await asyncio.wait_for(endpoint.began.wait(), 60)
        assert await booked(world) == (QUOTE * (number - 1), QUOTE, number - 1, number - 1)
        await die(world, engine, monkeypatch)
    await world.start(Endpoint().complete, turn=QUIET, model=Endpoint())
    await world.until(lambda: rests(world))
    assert await booked(world) == (2 * QUOTE + ANSWER, 0, 3, 2)
    await world.stop(world.engines[0])
    await world.start(Endpoint().complete, turn=QUIET, model=Endpoint())
    assert await booked(world) == (2 * QUOTE + ANSWER, 0, 3, 2)


async def test_a_lost_call_counts_against_the_cap(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repeated call does not fit beside it: the task pauses instead."""
    endpoint = Endpoint(holds=True)
    engine = await world.start(endpoint.complete, turn=QUIET, model=endpoint)
    task = await engine.handle(StartTask("g", "ann", "s", Limits(cost_micros=2 * QUOTE - 1)))
    await asyncio.wait_for(endpoint.began.wait(), 60)
    await die(world, engine, monkeypatch)
    endpoint = Endpoint()
    engine = await world.start(endpoint.complete, turn=QUIET, model=endpoint)

    async def paused() -> bool:
        return (await engine.look.task(task)).state == "paused"

    await world.until(paused)
    assert (endpoint.asked, await booked(world)) == (0, (QUOTE, 0, 1, 1))


async def test_a_call_that_waited_for_its_turn_costs_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused calls wait for a person; the store learns so, and again when they are sent."""
    monkeypatch.setattr(cut_off, "LOOK_S", 0.02)
    monkeypatch.setattr(cut_off, "UNSENT_S", 0.0)
    refused = ModelKeyRejected("no credit")
    refused.free = True
    endpoint = Endpoint([refused], holds=True)
    admitted = AdmittedModel(endpoint, EngineSettings(_env_file=None))  # type: ignore[call-arg]
    engine = await world.start(endpoint.complete, turn=QUIET, model=admitted)
    await engine.handle(StartTask("g", "ann", "s"))

    async def noted() -> bool:
        return bool(await world.scalar(sa.select(AGENTS.c.call)) == "")

    await asyncio.wait_for(endpoint.began.wait(), 60)
    await world.until(noted)
    await die(world, engine, monkeypatch)

    endpoint = Endpoint([refused], holds=True)
    admitted = AdmittedModel(endpoint, EngineSettings(_env_file=None))  # type: ignore[call-arg]
    engine = await world.start(endpoint.complete, turn=QUIET, model=admitted)
    await asyncio.wait_for(endpoint.began.wait(), 60)
    await world.until(noted)
    assert await booked(world) == (0, QUOTE, 0, 0)
    endpoint.began.clear()
    admitted.retry_now()
    await asyncio.wait_for(endpoint.began.wait(), 60)
    assert await world.scalar(sa.select(AGENTS.c.call)) != ""
    await die(world, engine, monkeypatch)
    await world.start(Endpoint().complete, turn=QUIET, model=Endpoint())
    await world.until(lambda: rests(world))
    assert await booked(world) == (QUOTE + ANSWER, 0, 2, 1)


@pytest.mark.parametrize("world", ["sqlite-local", "postgresql-local"], indirect=True)
@pytest.mark.parametrize("charged", [None, 7], ids=["estimate", "told"])
async def test_an_attempt_without_an_answer_is_booked_and_has_to_fit(
    world: World, charged: int | None
) -> None:
    """Each is booked before the next is sent, which is not sent where a cap has no room for it."""
    slow = TooSlow("too slow")
    slow.charge = None if charged is None else Charge("m", 1, 1, charged)
    cost = QUOTE if charged is None else charged
    endpoint = Endpoint([slow, slow, slow])
    admitted = AdmittedModel(endpoint, EngineSettings(_env_file=None))  # type: ignore[call-arg]
    engine = await world.start(endpoint.complete, turn=QUIET, model=admitted)
    task = await engine.handle(StartTask("g", "ann", "s", Limits(cost_micros=cost + QUOTE)))

    async def paused() -> bool:
        return (await engine.look.task(task)).state == "paused"

    await world.until(paused)
    await world.until(lambda: _free(world))
    estimated = 2 if charged is None else 0
    assert (endpoint.asked, await booked(world)) == (2, (2 * cost, 0, 2, estimated))


async def _free(world: World) -> bool:
    return not await world.scalar(sa.select(BUDGETS.c.reserved_micros))


@pytest.mark.parametrize("world", ["sqlite-local"], indirect=True)
async def test_a_stop_books_the_calls_that_it_cuts_off(world: World) -> None:
    """A usual stop writes what it knows, so that the next start has nothing to guess."""
    endpoint = Endpoint(holds=True)
    engine = await world.start(endpoint.complete, turn=QUIET, model=endpoint)
    await engine.handle(StartTask("g", "ann", "s"))
    await asyncio.wait_for(endpoint.began.wait(), 60)
    await world.stop(engine, drain=False)
    assert await booked(world) == (QUOTE, 0, 1, 1)
