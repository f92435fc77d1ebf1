"""A cap holds also for calls for vectors, and for those of agents that leave or are paused meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest
import sqlalchemy as sa

from engine import Engine, TurnOptions
from engine.commands import Command, DismissAgent, Limits, PauseAgent, ReplaceAgent, StartTask
from engine.errors import WrongState
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest, Embedding, Quote, Usage
from engine.store.core import AGENTS, BUDGETS, MONTHS, SPENDING
from engine.tools import ToolOptions
from tests.contracts.conftest import World
from tests.contracts.test_lost_calls import die
from tests.fakes.cast import View

QUOTE = 100
"""Micro-dollars that the scripted model quotes for a call; one here costs all of that."""

VECTOR = 30
MEMBERS, FIT = 24, 30
CAP = 10 + FIT * QUOTE
QUIET = TurnOptions(tools=ToolOptions(audit_rounds=0, plan_approval_over=9_999))
LEAVING: list[Callable[[int], Command]] = [
    lambda agent: DismissAgent(agent, "me"),
    lambda agent: ReplaceAgent(agent, "me"),
    lambda agent: PauseAgent(agent, "me"),
]


class Endpoint:
    """Charges the whole quote for every call it took, also where nobody waits for the answer any more; it is
    the embedder too.

    `most`: what it charged, and would for the calls under way, at the worst moment.
    """

    def __init__(self) -> None:
        self.dice = random.Random(11)
        self.charged = self.most = 0
        self.running = self.embedded = self.leaving = 0
        self.leave: asyncio.Queue[int] = asyncio.Queue()

    model = "vectors"

    def quote(self, texts: Sequence[str]) -> Quote:
        """Return the price of a call for vectors."""
        return Quote(5, VECTOR)

    async def embed(self, texts: Sequence[str]) -> Embedding:
        """Charge a call for vectors."""
        self.charged += VECTOR
        self.embedded += 1
        self.most = max(self.most, self.charged + QUOTE * self.running)
        await asyncio.sleep(self.dice.random() / 100)
        return Embedding([[1.0, 0.0]] * len(texts), Usage(5), VECTOR)

    async def script(self, request: ChatRequest) -> ChatAnswer:
        """The boss recruits all at once; everybody else calls on and on."""
        if request.role == "boss" and not View(request).did("recruit"):
            members = [{"name": f"M {n}", "role": "w", "instructions": "w"} for n in range(MEMBERS)]
            begin = ("send_message", {"to": ["group"], "text": "Begin."})
            self.charged += 10
            return call(("recruit", {"members": members}), begin)
        self.running += 1
        self.most = max(self.most, self.charged + QUOTE * self.running)
        if request.role != "boss" and self.leaving < MEMBERS * 3 // 4 and self.dice.random() < 0.8:
            self.leaving += 1
            self.leave.put_nowait(request.agent_id)
        try:
            await asyncio.sleep(0.03 + self.dice.random() / 20)
        except asyncio.CancelledError:
            # It ends a little later, and half of the calls are answered all the same.
            await asyncio.sleep(0.05 + self.dice.random() / 20)
            if self.dice.random() < 0.5:
                raise
        finally:
            self.running -= 1
            self.charged += QUOTE
        answer = say("I wait.") if request.role == "boss" else call(("recall", {"query": "x"}))
        return ChatAnswer(answer.text, answer.tool_calls, answer.usage, "scripted", "stop", QUOTE)


async def test_dismissals_in_mid_call_never_let_a_cap_be_passed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever leaves when: what is booked and what is under way fit the cap together, and all is booked."""
    monkeypatch.setattr("engine.runtime.turn.CAP_RETRY_S", 0.01)
    endpoint = Endpoint()
    engine = await world.start(endpoint.script, slots=64, turn=QUIET, embedder=endpoint)
    task = await engine.handle(StartTask("g", "ann", "s", Limits(cost_micros=CAP, agents=99)))

    leaving = asyncio.create_task(_let_go(engine, endpoint))

    async def done() -> bool:
        held = await world.scalar(sa.select(sa.func.sum(AGENTS.c.reserved_micros)))
        return (await engine.look.task(task)).state == "paused" and held == 0

    await world.until(done)
    leaving.cancel()
    assert endpoint.most <= CAP and endpoint.embedded > 0
    (budget,) = await world.rows(sa.select(BUDGETS))
    assert (budget.spent_micros, budget.reserved_micros) == (endpoint.charged, 0)
    assert CAP - QUOTE < budget.spent_micros <= CAP
    months = await world.rows(sa.select(MONTHS.c.spent_micros, MONTHS.c.reserved_micros))
    assert [tuple(row) for row in months] == [(endpoint.charged, 0)] * 2
    assert await world.scalar(sa.select(sa.func.sum(SPENDING.c.cost_micros))) == endpoint.charged


async def _let_go(engine: Engine, endpoint: Endpoint) -> None:
    """Dismiss, replace or pause who is to leave while it calls."""
    while True:
        leaving = endpoint.dice.choice(LEAVING)(await endpoint.leave.get())
        try:
            await engine.handle(leaving)
        except WrongState:
            continue  # it has left already


@pytest.mark.parametrize("leaving", LEAVING, ids=["dismiss", "replace", "pause"])
async def test_what_a_dead_process_held_for_who_left_is_booked_at_the_next_start(
    world: World, leaving: Callable[[int], Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it is held: nobody knows yet that the call will never be answered."""
    calling: asyncio.Queue[int] = asyncio.Queue()
    told = asyncio.Event()

    async def deaf(request: ChatRequest) -> ChatAnswer:
        if request.role == "boss":
            recruit = ("recruit", {"members": [{"name": "Ada", "role": "w", "instructions": "w"}]})
            begin = ("send_message", {"to": ["Ada"], "text": "Begin."})
            return say("I wait.") if View(request).did("recruit") else call(recruit, begin)
        calling.put_nowait(request.agent_id)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not told.is_set():
                told.set()
                await asyncio.Event().wait()
            raise
        raise AssertionError("the call is never answered")

    async def rests() -> bool:
        return not await world.rows(sa.select(AGENTS.c.id).where(AGENTS.c.in_turn, AGENTS.c.name == "Boss"))

    first = await world.start(deaf, turn=QUIET)
    await first.handle(StartTask("g", "ann", "s"))
    ada = await asyncio.wait_for(calling.get(), 60)
    await world.until(rests)
    await first.handle(leaving(ada))
    await asyncio.wait_for(told.wait(), 60)
    await die(world, first, monkeypatch)
    held = sa.select(AGENTS.c.reserved_micros).where(AGENTS.c.id == ada)
    assert await world.scalar(held) == QUOTE
    await world.start(lambda _: say("I wait."), turn=QUIET)

    async def free() -> bool:
        budgets = [await world.scalar(sa.select(sa.func.max(t.c.reserved_micros))) for t in (BUDGETS, MONTHS)]
        return budgets == [0, 0] and not await world.scalar(held)

    await world.until(free)
    assert await world.scalar(sa.select(AGENTS.c.spent_micros).where(AGENTS.c.id == ada)) == QUOTE
    assert await world.scalar(sa.select(BUDGETS.c.estimated)) >= 1  # others may have been called too


@pytest.mark.parametrize("world", ["sqlite-local"], indirect=True)
async def test_a_call_that_is_slow_to_end_keeps_no_other_from_being_cancelled(world: World) -> None:
    """The next command is carried out, and the call that it concerns ends at once."""
    calling: dict[str, int] = {}
    told, go, cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Boss":
            recruit = ("recruit", {"members": [{"name": n, "role": "w", "instructions": "w"} for n in "AB"]})
            begin = ("send_message", {"to": ["group"], "text": "Begin."})
            return say("I wait.") if view.did("recruit") else call(recruit, begin)
        calling[view.name] = request.agent_id
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            (told if view.name == "A" else cancelled).set()
            if view.name == "A":
                await go.wait()
            raise
        raise AssertionError("the call is never answered")

    async def both() -> bool:
        return len(calling) == 2

    engine = await world.start(script, turn=QUIET)
    await engine.handle(StartTask("g", "ann", "s"))
    await world.until(both)
    await engine.handle(DismissAgent(calling["A"], "me"))
    await asyncio.wait_for(told.wait(), 60)
    await engine.handle(DismissAgent(calling["B"], "me"))
    await asyncio.wait_for(cancelled.wait(), 60)
    go.set()
