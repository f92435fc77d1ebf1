"""A cap on a subtree set while its agents call, on every backend: held is what is under way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import sqlalchemy as sa

from engine import Engine
from engine.commands import DismissAgent, Limits, RaiseCap, StartTask
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import AGENTS, BUDGETS, MESSAGES
from tests.contracts.conftest import World
from tests.fakes.cast import View

QUOTE = 100
"""Micro-dollars that the scripted model quotes for a call."""


@dataclass
class Line:
    """The boss recruits Ada, who recruits Bob, who recruits Cy; all but the boss then wait in a call."""

    thinking: set[str] = field(default_factory=set)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    deaf: bool = False

    async def script(self, request: ChatRequest) -> ChatAnswer:
        """Each recruits the next, then thinks until `go`."""
        view = View(request)
        below = {"Boss": "Ada", "Ada": "Bob", "Bob": "Cy"}.get(view.name)
        if below and not view.did("recruit"):
            member = {"name": below, "role": "w", "instructions": "w"}
            begin = ("send_message", {"to": [below], "text": "Begin."})
            return call(("recruit", {"members": [member]}), begin)
        if view.name == "Boss":
            return say("I wait.")
        self.thinking.add(view.name)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            if not self.deaf:
                raise
            await self.go.wait()
        return call(("wait_for", {"what": ["never.md"]}))  # words would answer who said to begin


async def ids_of(world: World) -> dict[str, int]:
    """Agents by name."""
    return {row.name: row.id for row in await world.rows(sa.select(AGENTS.c.name, AGENTS.c.id))}


async def all_thinking(world: World) -> tuple[Engine, Line, int, dict[str, int]]:
    """Ada, Bob and Cy are in a call each."""
    line = Line()
    engine = await world.start(line.script)
    task = await engine.handle(StartTask("wait", "me", "here"))

    async def there() -> bool:
        return line.thinking == {"Ada", "Bob", "Cy"}

    await world.until(there)
    return engine, line, task, await ids_of(world)


async def held(world: World) -> list[int]:
    """What each budget of the task holds, the task's own first."""
    query = sa.select(BUDGETS.c.reserved_micros, BUDGETS.c.reserved_tokens).order_by(BUDGETS.c.path)
    rows = await world.rows(query)
    assert all((row.reserved_micros == 0) == (row.reserved_tokens == 0) for row in rows)
    return [row.reserved_micros for row in rows]


async def at_rest(world: World) -> None:
    """Until nobody calls any more, nor will."""
    busy = sa.or_(AGENTS.c.in_turn, AGENTS.c.reserved_tokens != 0, AGENTS.c.id.in_(unread))

    async def rests() -> bool:
        return bool(await world.scalar(sa.select(sa.func.count()).select_from(AGENTS).where(busy)) == 0)

    await world.until(rests)


unread = (
    sa.select(MESSAGES.c.to_agent)
    .join(AGENTS, AGENTS.c.id == MESSAGES.c.to_agent)
    .where(MESSAGES.c.consumed_step.is_(None), MESSAGES.c.wakes, AGENTS.c.status == "active")
)


async def cap(engine: Engine, task: int, agent: int, micros: int = 10**6) -> None:
    """A person caps an agent and all below it."""
    await engine.handle(RaiseCap(task, Limits(cost_micros=micros), "me", agent))


async def test_dismissed_after_a_cap_set_in_mid_call_it_holds_until_the_call_is_booked(world: World) -> None:
    """Calls under way are paid from the new budget, with what they held there; nothing stays held."""
    engine, line, task, agents = await all_thinking(world)
    await engine.handle(DismissAgent(agents["Bob"], "me"))
    await cap(engine, task, agents["Ada"])
    await engine.handle(DismissAgent(agents["Ada"], "me"))
    line.go.set()
    await at_rest(world)
    assert await held(world) == [0, 0]
    spent = [row.spent_micros for row in await world.rows(sa.select(BUDGETS).order_by(BUDGETS.c.path))]
    # An answer that came before its call was cancelled costs 10, a cancelled call its estimate.
    assert 3 * 10 <= spent[1] <= 3 * QUOTE and spent[0] > spent[1]


async def test_a_cap_above_one_who_left_in_mid_call_takes_over_what_it_holds(world: World) -> None:
    """Its budget moves below the new one, which would hold less than nothing once the call is booked."""
    engine, line, task, agents = await all_thinking(world)
    await cap(engine, task, agents["Bob"])
    line.deaf = True
    await engine.handle(DismissAgent(agents["Cy"], "me"))
    await cap(engine, task, agents["Ada"])
    holds = await held(world)
    line.go.set()
    assert holds[1:] == [3 * QUOTE, 2 * QUOTE]
    await at_rest(world)
    assert await held(world) == [0, 0, 0]


async def test_a_call_that_ends_under_a_cap_set_meanwhile_is_paid_from_it(world: World) -> None:
    """Nothing stays held, and what the call cost counts for the new budget and the task's."""
    engine, line, task, agents = await all_thinking(world)
    before = await world.scalar(sa.select(BUDGETS.c.spent_micros))
    await cap(engine, task, agents["Ada"])
    line.go.set()
    await at_rest(world)
    assert await held(world) == [0, 0]
    root, share = await world.rows(sa.select(BUDGETS.c.spent_micros, BUDGETS.c.calls).order_by(BUDGETS.c.id))
    assert share.calls == 3 and share.spent_micros == root.spent_micros - before > 0


async def test_a_cap_above_another_holds_for_those_below_both(world: World) -> None:
    """Bob's cap was there first: Ada's binds Bob's group too, whose own cap and numbers stay."""
    engine, line, task, agents = await all_thinking(world)
    await cap(engine, task, agents["Cy"], 777)
    await cap(engine, task, agents["Bob"], 888)
    await cap(engine, task, agents["Ada"], 999)
    assert await held(world) == [3 * QUOTE, 3 * QUOTE, 2 * QUOTE, QUOTE]
    rows = await world.rows(sa.select(BUDGETS).order_by(BUDGETS.c.path))
    assert [row.agent_id for row in rows] == [None, agents["Ada"], agents["Bob"], agents["Cy"]]
    assert [row.cap_micros for row in rows][1:] == [999, 888, 777]
    assert [row.parent_id for row in rows] == [None, *(row.id for row in rows[:-1])]
    line.go.set()
    await at_rest(world)
    assert await held(world) == [0, 0, 0, 0]
    ada = await engine.look.agent(agents["Ada"])
    assert ada.budget is not None and ada.budget.agents == 3
    spent = [row.spent_micros for row in await world.rows(sa.select(BUDGETS).order_by(BUDGETS.c.path))]
    assert spent[0] > spent[1] > spent[2] > spent[3] > 0


async def test_agents_recruited_in_the_call_that_set_a_cap_join_that_budget(world: World) -> None:
    """The answer was asked for under the old budget; the new member spends from the new one."""
    go, asked = asyncio.Event(), asyncio.Event()

    async def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Boss" and not view.did("recruit"):
            member = {"name": "Ada", "role": "w", "instructions": "w"}
            begin = ("send_message", {"to": ["Ada"], "text": "Begin."})
            return call(("recruit", {"members": [member]}), begin)
        if view.name == "Ada" and not view.did("recruit"):
            asked.set()
            await go.wait()
            return call(("recruit", {"members": [{"name": "Bob", "role": "w", "instructions": "w"}]}))
        return say("I wait.")

    engine = await world.start(script)
    task = await engine.handle(StartTask("wait", "me", "here"))
    await asyncio.wait_for(asked.wait(), 40)
    await cap(engine, task, (await ids_of(world))["Ada"])
    go.set()

    async def joined() -> bool:
        return "Bob" in await ids_of(world)

    await world.until(joined)
    await at_rest(world)
    under = {
        row.name: row.budget_id for row in await world.rows(sa.select(AGENTS.c.name, AGENTS.c.budget_id))
    }
    assert under["Ada"] == under["Bob"] != under["Boss"] and await held(world) == [0, 0]
