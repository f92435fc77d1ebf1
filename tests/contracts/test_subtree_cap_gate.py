"""A cap that a person set for a part of a task: said at 80 %, asked about at 100 %, on every backend."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import sqlalchemy as sa

from engine import Engine, TurnOptions
from engine.commands import AnswerGate, DismissAgent, Limits, RaiseCap, StartTask
from engine.domain.snapshot import WatchOptions
from engine.errors import Invalid
from engine.events import CapReached, EventBody, Intervened, load_event
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.queries import GateView
from engine.store.core import AGENTS, EVENTS, loads
from engine.tools import ToolOptions
from tests.contracts.conftest import World
from tests.fakes.cast import View

SWEEPING = TurnOptions(
    tools=ToolOptions(audit_rounds=0, plan_approval_over=1_000, watch=WatchOptions(sweep_s=0.05, quiet_s=60))
)
CAP, COST = 1_000, 50
"""Micro-dollars: of Ada's part, and of each call of hers."""


class Pair:
    """The boss recruits Ada, who works on and on; `raises`: the boss once tries to raise Ada's cap itself."""

    def __init__(self, raises: bool = False) -> None:
        self.capped, self.raises, self.near = asyncio.Event(), raises, asyncio.Event()
        self.heard: list[str] = []
        self.ada = 0

    async def script(self, request: ChatRequest) -> ChatAnswer:
        """What each does."""
        view = View(request)
        if view.name == "Ada":
            await self.capped.wait()
            self.ada += 1
            if self.ada > 0.85 * CAP / COST:
                await self.near.wait()
            return replace(call(("search_files", {"pattern": f"x{view.steps}"})), cost_micros=COST)
        self.heard.append(view.last)
        if not view.did("recruit"):
            member = {"name": "Ada", "role": "w", "instructions": "w"}
            begin = ("send_message", {"to": ["Ada"], "text": "Begin."})
            return call(("recruit", {"members": [member]}), begin)
        if self.raises and "no budget left" in view.last:
            return call(("set_budget", {"name": "Ada", "usd": 5.0}))
        return say("I wait.")


async def events_of(world: World, kind: type) -> list[EventBody]:
    """Events of a kind so far."""
    query = sa.select(EVENTS.c.kind, EVENTS.c.payload_json).where(EVENTS.c.kind == kind.__name__)
    return [load_event(r.kind, loads(r.payload_json)) for r in await world.rows(query.order_by(EVENTS.c.seq))]


async def capped(world: World, pair: Pair, attended: bool = True) -> tuple[Engine, int, int]:
    """Ada works under a cap that a person set -> engine, task, Ada."""
    engine = await world.start(pair.script, turn=SWEEPING, sweeps=True)
    task = await engine.handle(StartTask("wait", "me", "here", Limits(steps=9_000), attended=attended))
    found = sa.select(AGENTS.c.id).where(AGENTS.c.name == "Ada")

    async def joined() -> bool:
        return bool(await world.rows(found))

    await world.until(joined)
    ada = int(await world.scalar(found))
    await engine.handle(RaiseCap(task, Limits(cost_micros=CAP), "discord:7", ada))
    pair.capped.set()

    async def near() -> bool:
        return bool(await events_of(world, CapReached))

    await world.until(near)
    pair.near.set()
    return engine, task, ada


async def asked(world: World, engine: Engine, task: int, count: int = 1) -> GateView:
    """The question about the part's cap, the `count`-th."""

    async def there() -> bool:
        return len(await engine.look.gates(task, open_only=False)) == count

    await world.until(there)
    return max(await engine.look.gates(task, open_only=False), key=lambda g: g.id)


async def stopped(engine: Engine, ada: int) -> bool:
    """Whether Ada's part stands still at its cap."""
    budget = (await engine.look.agent(ada)).budget
    return budget is not None and budget.stopped


async def test_who_set_a_cap_hears_once_at_80_and_is_asked_at_100(world: World) -> None:
    """Named in both; the task continues; half more resumes the subtree until the next question."""
    pair = Pair()
    engine, task, ada = await capped(world, pair)
    gate = await asked(world, engine, task)
    assert (gate.kind, [c.effect for c in gate.choices]) == ("share", ["raise_half", "wrap_up", "dismiss"])
    assert "Ada and all below it" in gate.question
    near, full = await events_of(world, CapReached)
    assert isinstance(near, CapReached) and isinstance(full, CapReached)
    assert (near.percent, full.percent) == (80, 100)
    for one in (near, full):
        assert (one.cap, one.limit, one.agent_id, one.name, one.by) == ("cost", CAP, ada, "Ada", "discord:7")
    assert await stopped(engine, ada) and (await engine.look.task(task)).state == "running"
    shown = await engine.look.agent(ada)  # its turn is open, but it does nothing: it counts as waiting
    assert (shown.state, shown.is_at_cap) == ("idle", True)
    calls = pair.ada
    await engine.handle(AnswerGate(gate.id, "discord:7", "raise_half"))
    await asked(world, engine, task, 2)
    assert pair.ada > calls
    budget = (await engine.look.agent(ada)).budget
    assert budget is not None and budget.caps.cost_micros == CAP + CAP // 2
    assert [e.percent for e in await events_of(world, CapReached) if isinstance(e, CapReached)][:2] == [
        80,
        100,
    ]


async def test_wrapping_up_a_subtree_notifies_it_and_gives_a_tenth(world: World) -> None:
    """Its agent reads what is wanted; nobody else is stopped; there is no second tenth."""
    engine, task, ada = await capped(world, Pair())
    gate = await asked(world, engine, task)
    steps = await engine.look.steps(ada, 200)
    await engine.handle(AnswerGate(gate.id, "discord:7", "wrap_up"))
    budget = (await engine.look.agent(ada)).budget
    assert budget is not None and budget.caps.cost_micros == CAP + CAP // 10
    again = await asked(world, engine, task, 2)
    assert len(await engine.look.steps(ada, 200)) > len(steps)
    assert [c.effect for c in again.choices] == ["raise_half", "dismiss"]
    assert (gate.default, again.default) == ("wrap_up", "dismiss")  # what silence comes to, as people read it
    with pytest.raises(Invalid):
        await engine.handle(AnswerGate(again.id, "discord:7", "wrap_up"))
    assert await stopped(engine, ada) and (await engine.look.gate(again.id)).basis is None
    assert (await engine.look.task(task)).state == "running"


class Family:
    """The boss recruits Ada, who leads Bob and Col; those two work on until they are told to wrap up."""

    def __init__(self) -> None:
        self.capped, self.heard = asyncio.Event(), dict[str, list[str]]()

    async def script(self, request: ChatRequest) -> ChatAnswer:
        """What each does."""
        view = View(request)
        self.heard.setdefault(view.name, []).append(view.last)
        if view.name in ("Bob", "Col"):
            await self.capped.wait()
            if "Wrap up" in view.last:
                return call(("submit", {"assignment": view.given, "summary": "what there is"}))
            return call(("search_files", {"pattern": f"x{view.steps}"}))
        if view.did("recruit"):
            return say("I wait.")
        below = {"Boss": ("Ada",), "Ada": ("Bob", "Col")}[view.name]
        members = [{"name": name, "role": "w", "task": "work", "leads": name == "Ada"} for name in below]
        return call(("recruit", {"members": members, "wait": True}))


async def test_those_below_hear_of_the_wrap_up_and_the_cap_is_told_once(world: World) -> None:
    """Whoever is not told goes on and uses up the tenth, so that people are asked again at once; two that
    reach the cap in the same moment are one stop for their boss."""
    family = Family()
    engine = await world.start(family.script, turn=SWEEPING, sweeps=True)
    task = await engine.handle(StartTask("wait", "me", "here", Limits(steps=9_000), attended=True))
    found = sa.select(AGENTS.c.id).where(AGENTS.c.name == "Ada")

    async def recruited() -> bool:
        return len(await engine.look.agents(task)) == 4

    await world.until(recruited)
    ada = int(await world.scalar(found))
    await engine.handle(RaiseCap(task, Limits(cost_micros=CAP), "discord:7", ada))
    family.capped.set()
    gate = await asked(world, engine, task)
    await engine.handle(AnswerGate(gate.id, "discord:7", "wrap_up"))

    async def handed_in() -> bool:
        return [w.state for w in await engine.look.assignments(task)].count("submitted") == 2

    await world.until(handed_in)
    assert len(await engine.look.gates(task, open_only=False)) == 1
    told = [words for words in family.heard["Boss"] if "its group has stopped" in words]
    assert [words.count("its group has stopped") for words in told] == [1]


async def test_a_subtree_is_dismissed_at_its_cap(world: World) -> None:
    """It is dismissed, its head is notified, the task continues."""
    pair = Pair()
    engine, task, ada = await capped(world, pair)
    gate = await asked(world, engine, task)
    await engine.handle(AnswerGate(gate.id, "discord:7", "dismiss"))
    assert (await engine.look.agent(ada)).state == "dismissed"

    async def heard() -> bool:
        return any("was dismissed by a person" in words for words in pair.heard)

    await world.until(heard)
    assert (await engine.look.task(task)).state == "running"


async def test_the_question_answers_itself_when_it_is_moot(world: World) -> None:
    """A cap raised by command, or the agent dismissed, closes it."""
    engine, task, ada = await capped(world, Pair())
    first = await asked(world, engine, task)
    await engine.handle(RaiseCap(task, Limits(cost_micros=2 * CAP), "discord:7", ada))
    assert (await engine.look.gate(first.id)).basis == "cap_raised"
    second = await asked(world, engine, task, 2)
    await engine.handle(DismissAgent(ada, "discord:7"))
    assert (await engine.look.gate(second.id)).basis == "dismissed"


async def test_a_head_does_not_change_what_a_person_set(world: World) -> None:
    """Its set_budget is refused with what to do instead; the cap stays."""
    pair = Pair(raises=True)
    engine, task, ada = await capped(world, pair)
    await asked(world, engine, task)

    async def refused() -> bool:
        return any("only people change it" in words for words in pair.heard)

    await world.until(refused)
    budget = (await engine.look.agent(ada)).budget
    assert budget is not None and budget.caps.cost_micros == CAP and budget.stopped


async def test_nobody_is_asked_where_nobody_attends(world: World) -> None:
    """Its head hears what it can do without them."""
    pair = Pair()
    engine, task, ada = await capped(world, pair, attended=False)

    async def heard() -> bool:
        return any("nobody attends" in words for words in pair.heard)

    await world.until(heard)
    assert await stopped(engine, ada) and await engine.look.gates(task, open_only=False) == []
    seen = [e for e in await events_of(world, Intervened) if isinstance(e, Intervened) and e.rule == "budget"]
    assert [e.action for e in seen] == ["nudged", "paused"]
