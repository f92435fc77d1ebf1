"""Budgets of a month on every backend: no crowd of tasks exceeds them, and everything counts."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from engine import Engine, TurnOptions
from engine.budget import month_caps
from engine.commands import (
    AnswerGate,
    ContinueTask,
    EndRepeat,
    Limits,
    MonthRule,
    RepeatTask,
    ResumeTask,
    SetMonthRule,
    StartDemonstration,
    StartTask,
    StopTask,
)
from engine.domain.snapshot import WatchOptions
from engine.errors import Invalid, WrongState
from engine.events import GateRaised, MonthBudgetReached, TaskChanged, load_event
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.runtime.clock import SystemClock
from engine.store.core import AGENTS, EVENTS, GATES, MONTHS, REPEATS, SPENDING, TASKS, loads
from engine.store.months import open_months, settle_months
from engine.tools import ToolOptions
from tests.contracts.conftest import World, ended
from tests.fakes.outside import Shop, tool

QUOTE = 100
"""Micro-dollars that the scripted model quotes for a call; it then costs that or less."""

QUIET = TurnOptions(tools=ToolOptions(audit_rounds=0, watch=WatchOptions(sweep_s=0.1, quiet_s=0.05)))
ONE = ["sqlite-local"]
"""For rules that hold in Python alone."""

DONE: tuple[str, dict[str, Any]] = ("finish", {"report": "Done."})


async def set_rule(engine: Engine, **caps: Any) -> None:
    """Budgets of the space "s"."""
    await engine.handle(SetMonthRule("s", MonthRule(**caps), "boss"))


async def of_kind(world: World, kind: type) -> list[Any]:
    """All events of a kind."""
    query = sa.select(EVENTS.c.payload_json).where(EVENTS.c.kind == kind.__name__).order_by(EVENTS.c.seq)
    return [load_event(kind.__name__, loads(row.payload_json)) for row in await world.rows(query)]


class Crowd:
    """Bosses of many tasks and people who all call at once; who is under way is counted by person."""

    def __init__(self, people: int, tasks: int) -> None:
        self.dice, self.people, self.tasks = random.Random(7), people, tasks
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.cost = 0
        self.finishes = False
        self.begin = asyncio.Event()

    async def script(self, request: ChatRequest) -> ChatAnswer:
        """Call on and on, at a price that nobody knows; finish once that is asked."""
        if self.finishes:
            return call(DONE)
        payer = f"p{request.task_id % self.people}"
        for who in (payer, ""):
            self.running[who] += 1
            self.most[who] = max(self.most[who], self.running[who])
        await self.begin.wait()
        await asyncio.sleep(self.dice.random() / 20)
        for who in (payer, ""):
            self.running[who] -= 1
        cost = self.dice.randint(QUOTE // 2, QUOTE)
        self.cost += cost
        listing = call(("list_files", {"prefix": str(self.dice.random())}))
        return replace(listing, cost_micros=cost, guessed=True)


async def test_many_tasks_of_many_people_at_once_never_pass_a_month(world: World) -> None:
    """No more calls are under way than fit, of a person and of all; all tasks pause, are told once, and all
    resume when the budget is raised."""
    crowd = Crowd(people=3, tasks=24)
    engine = await world.start(crowd.script, slots=48, turn=QUIET, sweeps=True)
    of_all, of_one = 12 * QUOTE, 6 * QUOTE
    await set_rule(engine, space_micros=of_all, person_micros=of_one)
    for number in range(1, crowd.tasks + 1):
        await engine.handle(StartTask("spend", f"p{number % 3}", "s", Limits(cost_micros=10**9)))
    crowd.begin.set()

    async def all_paused() -> bool:
        paused = sa.and_(TASKS.c.state == "paused", TASKS.c.paused_for == "month")
        held = sa.select(sa.func.sum(MONTHS.c.reserved_micros)).scalar_subquery()
        count = sa.select(sa.func.count()).where(paused).scalar_subquery()
        row = (await world.rows(sa.select(count, held)))[0]
        return (row[0], row[1]) == (crowd.tasks, 0)

    await world.until(all_paused)
    assert crowd.most[""] <= 12 and all(crowd.most[f"p{n}"] <= 6 for n in range(3))
    spent = {row.by: row.spent_micros for row in await world.rows(sa.select(MONTHS))}
    assert of_all - QUOTE < spent[""] <= of_all
    assert all(spent[f"p{n}"] <= of_one for n in range(3))
    rows = await world.rows(sa.select(SPENDING))
    assert sum(row.cost_micros for row in rows) == crowd.cost == spent[""]
    assert all(row.unpriced == row.calls for row in rows)
    told = [each for each in await of_kind(world, MonthBudgetReached) if each.percent == 100]
    assert len({(each.by, each.cap) for each in told}) == len(told) and any(not each.by for each in told)
    assert len(await of_kind(world, GateRaised)) == crowd.tasks
    with pytest.raises(Invalid, match="used up"):
        await engine.handle(StartTask("more", "somebody", "s"))
    await engine.handle(StartTask("elsewhere", "p1", "other"))
    crowd.finishes = True
    await set_rule(engine, space_micros=10**9)

    async def all_ended() -> bool:
        query = sa.select(sa.func.count()).where(TASKS.c.ended_at.is_not(None))
        return bool(await world.scalar(query) == crowd.tasks + 1)

    await world.until(all_ended)
    assert not await world.rows(sa.select(GATES.c.id).where(GATES.c.basis.is_(None)))


class LaterClock(SystemClock):
    """A clock that a test moves on."""

    ahead = 0.0

    def now(self) -> float:
        """Return the time of the machine and what the test has added."""
        return super().now() + self.ahead


async def test_repeats_continued_tasks_and_tokens_count_and_a_new_month_resumes(world: World) -> None:
    """In whose name a task goes on pays; a repeat that finds nothing left waits for the next month, and what
    is paused goes on then by itself."""
    clock = LaterClock()
    noon_of_the_tenth = time.mktime(time.strptime("2030-01-10 12", "%Y-%m-%d %H"))
    clock.ahead = noon_of_the_tenth - time.time()
    engine = await world.start(lambda _: call(DONE), turn=QUIET, clock=clock)
    await set_rule(engine, zone="Pacific/Auckland", person_tokens=2_500)
    task = await engine.handle(StartTask("g", "ann", "s"))
    await ended(engine, task)
    await engine.handle(ContinueTask(task, "bob", "Bob"))
    await world.until(lambda: _ends(engine, task))
    repeat = await engine.handle(RepeatTask("again", "bob", "s", "0 * * * *"))
    for expected in (220, 440):
        left = {each.by: each for each in await engine.look.month_left("bob", "s", clock.now())}
        assert (left["bob"].spent_tokens, left["bob"].zone) == (expected, "Pacific/Auckland")
        assert left[""].spent_tokens == expected + 220 and left["bob"].month == "2030-01"
        await world.write(lambda c: c.execute(REPEATS.update().values(next_at=clock.now() - 1)))
        await engine.sweep()
        count = expected // 220 + 1
        await world.until(lambda count=count: _all_ended(world, count))  # type: ignore[misc]
    # Three calls of 220 tokens are booked; a fourth, quoted at 1,000, fits; under 1,500 it does not.
    await set_rule(engine, person_tokens=1_500)
    with pytest.raises(Invalid, match="more than 0"):
        await set_rule(engine, person_tokens=0)
    waits = await engine.handle(StartTask("g", "bob", "s"))
    await world.until(lambda: _state(engine, waits, "paused"))
    (changed,) = [each for each in await of_kind(world, TaskChanged) if each.state == "paused"]
    assert changed.cause == "month" and "2030-01" in changed.reason
    gate = (await engine.look.gates(waits))[0]
    assert (gate.kind, gate.default) == ("month", "wait_month")
    for command in (ResumeTask(waits, "bob"), StartTask("g", "bob", "s"), ContinueTask(task, "bob", "Bob")):
        with pytest.raises((WrongState, Invalid), match="next month"):
            await engine.handle(command)
    await engine.handle(StartDemonstration("bob", "s"))
    skipped = await world.scalar(sa.select(REPEATS.c.skipped))
    await world.write(lambda c: c.execute(REPEATS.update().values(next_at=clock.now() - 1)))
    await engine.sweep()
    assert await world.scalar(sa.select(REPEATS.c.skipped)) == skipped + 1
    await engine.handle(EndRepeat(repeat, "bob"))
    await engine.handle(AnswerGate(gate.id, "bob", "wait_month"))
    assert (await engine.look.task(waits)).state == "paused"
    clock.ahead += 22 * 86_400  # the first of February in Auckland, the last of January in UTC
    await engine.sweep()
    await world.until(lambda: _ends(engine, waits))
    (_, mine) = await engine.look.month_left("bob", "s", clock.now())
    assert (mine.by, mine.month, mine.spent_tokens) == ("bob", "2030-02", 220)


async def _state(engine: Engine, task: int, state: str) -> bool:
    return (await engine.look.task(task)).state == state


async def _ends(engine: Engine, task: int) -> bool:
    return (await engine.look.task(task)).ended_at is not None


async def _all_ended(world: World, count: int) -> bool:
    query = sa.select(sa.func.count()).where(TASKS.c.ended_at.is_not(None))
    return bool(await world.scalar(query) == count)


async def test_a_priced_call_outside_counts_and_one_that_does_not_fit_is_not_made(world: World) -> None:
    """Its price is booked on task and month before it is sent; where one has no room, on neither."""
    shop = Shop(tool("buy", price_micros=600))
    bought = [[("shop__buy", {"item": "tea"})], [("shop__buy", {"item": "milk"})], [DONE]]

    def script(request: ChatRequest) -> ChatAnswer:
        return call(*bought[sum(message.role == "assistant" for message in request.messages)])

    engine = await world.start(script, outside=shop)
    await set_rule(engine, space_micros=1_000)
    task = await engine.handle(StartTask("g", "ann", "s"))
    await ended(engine, task)
    assert shop.made == [("buy", "tea")]
    (month,) = await world.rows(sa.select(MONTHS).where(MONTHS.c.by == ""))
    assert (month.spent_micros, month.reserved_micros) == (630, 0)
    assert (await engine.look.task(task)).spend.cost_micros == 630
    kinds = {row.kind: (row.name, row.cost_micros) for row in await world.rows(sa.select(SPENDING))}
    assert kinds == {"model": ("scripted", 30), "outside": ("shop", 600)}


async def test_parts_of_a_month_are_told_once_each_and_a_raise_by_half_resumes_all(world: World) -> None:
    """50, 80 and 100 %; raised caps tell only what is new; the gate of one task resumes the others too."""
    both_began = asyncio.Event()

    async def script(_: ChatRequest) -> ChatAnswer:
        await both_began.wait()
        return call(("list_files", {}))

    engine = await world.start(script, turn=QUIET, sweeps=False)
    await set_rule(engine, space_micros=1_000, space_tokens=10**9)
    first, second = [await engine.handle(StartTask("g", who, "s")) for who in ("ann", "bob")]
    # One step costs 10 and is quoted at 100, so no second call fits before the rule is larger.
    await set_rule(engine, space_micros=40, space_tokens=10**9)
    both_began.set()
    await world.until(lambda: _state(engine, first, "paused"))
    await world.until(lambda: _state(engine, second, "paused"))
    *_, full = await of_kind(world, MonthBudgetReached)
    assert (full.percent, full.cap, full.limit, full.by) == (100, "cost", 40, "") and full.spent < 40
    of_all = MONTHS.update().where(MONTHS.c.by == "")
    await world.write(lambda c: c.execute(of_all.values(cap_micros=90, spent_micros=75)))
    (gate,) = await engine.look.gates(first)
    await engine.handle(AnswerGate(gate.id, "boss", "raise_month"))
    await world.until(lambda: _both_wait_again(engine, first, second))
    for task in (first, second):
        await engine.handle(StopTask(task, "boss"))
    await set_rule(engine, space_micros=1_000)
    for spent in (75, 510, 520, 810, 1_000):
        await world.write(lambda c, spent=spent: c.execute(of_all.values(spent_micros=spent)))  # type: ignore[misc]
        await engine.sweep()
        await engine.sweep()
    told = [(each.percent, each.limit) for each in await of_kind(world, MonthBudgetReached)]
    # Half is told, too, where both steps are charged before either task asks for its next.
    told = [each for each in told if each != (50, 40)]
    assert told == [(100, 40), (100, 135), (50, 1_000), (80, 1_000), (100, 1_000)]


async def test_a_rule_that_is_set_while_a_month_is_opened_holds_for_it(world: World) -> None:
    """Whichever of the two is first, the month has the new caps."""
    engine = await world.start(lambda _: say("ok"), sweeps=False)
    await set_rule(engine, space_micros=1_000)
    opened, sets = threading.Event(), threading.Event()

    def opening(connection: sa.Connection) -> None:
        open_months(connection, "s", "ann", time.time())
        opened.set()
        sets.wait(0.3)
        time.sleep(0.1)  # a rule that does not wait is set meanwhile

    def setting(connection: sa.Connection) -> None:
        sets.set()
        month_caps.set_rule(connection, SetMonthRule("s", MonthRule(space_micros=40), "boss"), time.time())

    first = asyncio.create_task(world.write(opening))
    await asyncio.to_thread(opened.wait, 20)
    await asyncio.gather(first, world.write(setting))
    caps = await world.rows(sa.select(MONTHS.c.cap_micros).where(MONTHS.c.by == ""))
    assert [row.cap_micros for row in caps] == [40]


async def _both_wait_again(engine: Engine, *tasks: int) -> bool:
    views = [await engine.look.task(task) for task in tasks]
    return all(view.state == "paused" and view.open_gates == 1 for view in views)


@pytest.mark.parametrize("world", ONE, indirect=True)
async def test_a_dismissed_agents_last_call_counts_in_its_month_too(world: World) -> None:
    """Its reservation is gone; what it costs is booked all the same."""
    engine = await world.start(lambda _: say("ok"))
    await engine.handle(StartTask("g", "ann", "s"))
    await world.until(lambda: _spent(world))
    held = await world.rows(sa.select(AGENTS.c.held_in))
    assert [row.held_in for row in held] == [""]
    months = await world.rows(sa.select(MONTHS.c.by, MONTHS.c.spent_micros, MONTHS.c.reserved_micros))
    assert sorted(tuple(row) for row in months) == [("", 10, 0), ("ann", 10, 0)]


async def _spent(world: World) -> bool:
    return bool(await world.scalar(sa.select(sa.func.max(MONTHS.c.spent_micros))) == 10)


@pytest.mark.parametrize(("moment", "month"), [(99.9, "first"), (100.0, "second"), (199.9, "second")])
async def test_a_call_whose_reservation_is_gone_counts_in_the_month_of_its_moment(
    world: World, moment: float, month: str
) -> None:
    """A month has its first moment, and the next one its end."""

    def book(connection: sa.Connection) -> list[str]:
        for name, begins_at in (("first", 0.0), ("second", 100.0)):
            values = {
                "space": "s",
                "by": "",
                "month": name,
                "begins_at": begins_at,
                "ends_at": begins_at + 100,
            }
            connection.execute(MONTHS.insert().values(**values))
        at = SimpleNamespace(held_in="", space="s", payer="")
        settle_months(connection, at, (0, 0), (5, 1), moment)
        found = sa.select(MONTHS.c.month).where(MONTHS.c.space == "s", MONTHS.c.spent_micros == 5)
        return list(connection.execute(found).scalars())

    assert await world.db.write(book) == [month]
