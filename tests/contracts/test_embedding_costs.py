"""Calls to the embedding model are counted on task, month and spending, and never pass a cap."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from engine import TurnOptions
from engine.commands import Limits, MonthRule, SetMonthRule, StartTask
from engine.errors import ModelUnavailable
from engine.events import TaskEnded
from engine.llm.scripted import call
from engine.ports import ChatAnswer, ChatRequest, Embedding, Quote, Usage
from engine.store.core import AGENTS, BUDGETS, MONTHS, TASKS
from engine.tools import ToolOptions
from tests.contracts.conftest import World, ended
from tests.fakes.cast import View

QUIET = TurnOptions(tools=ToolOptions(audit_rounds=0))
CHAT = 10
"""Micro-dollars of an answer of the scripted model; it quotes 100."""


class Priced:
    """An embedder that quotes 50 micro-dollars a call and takes 30; `said` are the texts that reached it."""

    model = "meanings"

    def __init__(self, *, guessed: bool = False, fault: Exception | None = None) -> None:
        self.guessed, self.fault = guessed, fault
        self.said: list[str] = []

    def quote(self, texts: Sequence[str]) -> Quote:
        """The same for all."""
        return Quote(600, 50, self.guessed)

    async def embed(self, texts: Sequence[str]) -> Embedding:
        """The same vector for all."""
        self.said += texts
        if self.fault is not None:
            raise self.fault
        return Embedding([[1.0, 0.0]] * len(texts), Usage(7), 30, self.guessed)


def boss(request: ChatRequest) -> ChatAnswer:
    """Remember, recall, finish with a lesson and with what was recalled."""
    view = View(request)
    if not view.did("remember"):
        return call(("remember", {"text": "A kitten sat."}))
    if not view.did("recall"):
        return call(("recall", {"query": "feline"}))
    return call(("finish", {"report": view.last, "lessons": ["Feed it."]}))


async def test_each_call_is_booked_once_on_task_agent_month_and_spending(world: World) -> None:
    """A remembered fact, a query and the lessons are a call each; an unknown price is told as such."""
    embedder = Priced(guessed=True)
    engine = await world.start(boss, embedder=embedder, turn=QUIET)
    task = await engine.handle(StartTask("g", "ann", "s"))
    await ended(engine, task)
    assert embedder.said == ["A kitten sat.", "feline", "Feed it."]
    spent = (await engine.look.task(task)).spend
    assert (spent.cost_micros, spent.calls, spent.priced) == (3 * CHAT + 3 * 30, 6, False)
    rows = await engine.look.spending("s", 0.0)
    assert {row.name: (row.cost_micros, row.tokens, row.calls, row.unpriced) for row in rows} == {
        "scripted": (30, 660, 3, 0),
        "meanings": (90, 21, 3, 3),
    }
    months = await world.rows(sa.select(MONTHS.c.spent_micros, MONTHS.c.spent_tokens))
    assert [tuple(row) for row in months] == [(120, 681)] * 2
    (row,) = await world.rows(sa.select(BUDGETS))
    assert (row.spent_tokens, row.prompt_tokens, row.reserved_micros, row.unpriced) == (681, 621, 0, 3)
    assert await world.scalar(sa.select(AGENTS.c.spent_micros)) == 120


CAPS = {
    # Beside the step's own reservation of 100 (1,000 tokens) 49 (599) are left at most: one too few.
    "money": (Limits(cost_micros=149), MonthRule()),
    "tokens": (Limits(tokens=1_599), MonthRule()),
    "month": (Limits(), MonthRule(person_micros=149)),
}


@pytest.mark.parametrize("cap", CAPS)
async def test_where_a_cap_has_no_room_no_call_is_made_and_words_decide(world: World, cap: str) -> None:
    """The agent is told so, and its task goes on; nothing is booked on any budget."""
    embedder, (limits, rule) = Priced(), CAPS[cap]
    engine = await world.start(boss, embedder=embedder, turn=QUIET)
    await engine.handle(SetMonthRule("s", rule, "boss"))
    task = await engine.handle(StartTask("g", "ann", "s", limits))
    body = (await ended(engine, task))[-1].body
    assert isinstance(body, TaskEnded) and body.state == "done"
    assert "A kitten sat." not in body.report and "the budget has no room" in body.report
    assert embedder.said == []
    assert (await engine.look.task(task)).spend.cost_micros == 3 * CHAT
    (spent,) = await engine.look.spending("s", 0.0)
    assert (spent.name, spent.title) == ("scripted", "g")
    await world.db.write(lambda c: c.execute(TASKS.update().values(title="Kittens")))
    assert [row.title for row in await engine.look.spending("s", 0.0)] == ["Kittens"]


@pytest.mark.parametrize("world", ["sqlite-local"], indirect=True)
@pytest.mark.parametrize(("free", "cost"), [(True, 0), (False, 3 * 50)])
async def test_a_failed_call_counts_by_its_estimate_unless_it_was_refused(
    world: World, free: bool, cost: int
) -> None:
    """What may have been paid is not free; what the endpoint refused is."""
    fault = ModelUnavailable("away")
    fault.free = free
    engine = await world.start(boss, embedder=Priced(guessed=True, fault=fault), turn=QUIET)
    task = await engine.handle(StartTask("g", "ann", "s"))
    await ended(engine, task)
    spent = (await engine.look.task(task)).spend
    assert (spent.cost_micros, spent.calls, spent.priced) == (3 * CHAT + cost, 3 if free else 6, free)
    months = await world.rows(sa.select(MONTHS.c.spent_micros, MONTHS.c.reserved_micros))
    assert [tuple(row) for row in months] == [(3 * CHAT + cost, 0)] * 2


@pytest.mark.parametrize("world", ["sqlite-local"], indirect=True)
async def test_an_estimate_stays_booked_where_the_process_dies_in_the_call(world: World) -> None:
    """The repeated step calls again, and both calls count, as does the answer that asked for them; nothing
    stays reserved."""
    reached = asyncio.Event()

    class Deaf(Priced):
        async def embed(self, texts: Sequence[str]) -> Embedding:
            reached.set()
            await asyncio.Event().wait()
            raise AssertionError("never answered")

    first = await world.start(boss, embedder=Deaf(), turn=QUIET)
    task = await first.handle(StartTask("g", "ann", "s"))
    await asyncio.wait_for(reached.wait(), 60)
    await world.stop(first, drain=False)
    engine = await world.start(boss, embedder=Priced(), turn=QUIET)
    await ended(engine, task)
    assert (await engine.look.task(task)).spend.cost_micros == 4 * CHAT + 50 + 3 * 30
    assert await world.rows(sa.select(BUDGETS.c.id).where(BUDGETS.c.reserved_micros != 0)) == []
