"""Hundreds of calls at once at the cap, on every backend: no more are under way than fit."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
import sqlalchemy as sa

from engine import TurnOptions
from engine.commands import Limits, StartTask
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import AGENTS, BUDGETS
from engine.tools import ToolOptions
from tests.contracts.conftest import World
from tests.fakes.cast import View

QUOTE = 100
"""Micro-dollars that the scripted model quotes for a call; it then costs that or less."""

QUIET = TurnOptions(tools=ToolOptions(audit_rounds=0, plan_approval_over=9_999))
MEMBERS, FEWER, WAVE = 600, 210, 30
"""Six hundred under `make soak`, else fewer: still more than fit."""

FIT = 150


class Crowd:
    """Members who all call at once; the first that fit wait for each other before any is answered."""

    def __init__(self, members: int) -> None:
        self._members = members
        self.running = self.most = self.cost = 0
        self._full = asyncio.Event()
        self._dice = random.Random(600)

    async def script(self, request: ChatRequest) -> ChatAnswer:
        """The boss recruits all, then lets them begin."""
        view = View(request)
        waves = self._members // WAVE
        if view.name != "Boss":
            return await self._member(view)
        if view.steps >= waves:
            return say("All are here.")
        members = [{"name": f"M{view.steps} {n}", "role": "w", "instructions": "w"} for n in range(WAVE)]
        begin = ("send_message", {"to": ["group"], "text": "Begin."})
        last = view.steps == waves - 1
        return call(("recruit", {"members": members}), *([begin] if last else []))

    async def _member(self, view: View) -> ChatAnswer:
        self.running += 1
        self.most = max(self.most, self.running)
        if self.running == FIT:
            await asyncio.sleep(0.5)  # time for one too many to come, if one could
            self._full.set()
        await self._full.wait()
        self.running -= 1
        cost = self._dice.randint(QUOTE // 2, QUOTE)
        self.cost += cost
        return replace(call(("list_files", {"prefix": str(view.steps)})), cost_micros=cost)


async def check_cap(world: World, members: int) -> None:
    """Hold what is under way and what is spent within the cap."""
    crowd = Crowd(members)
    engine = await world.start(crowd.script, slots=members + 50, turn=QUIET, sweeps=True)
    boss_cost = 10 * (members // WAVE + 1)
    cap = boss_cost + FIT * QUOTE
    task = await engine.handle(StartTask("spend", "me", "here", Limits(cost_micros=cap, agents=members + 1)))

    async def paused() -> bool:
        reserved = await world.scalar(sa.select(BUDGETS.c.reserved_micros))
        return (await engine.look.task(task)).state == "paused" and reserved == 0

    await world.until(paused)
    assert await world.scalar(sa.select(sa.func.count()).select_from(AGENTS)) == members + 1
    used = (await engine.look.task(task)).spend.cost_micros
    assert crowd.most == FIT
    assert used == boss_cost + crowd.cost
    assert cap - QUOTE < used <= cap


async def test_hundreds_of_calls_at_once_never_pass_the_cap(world: World) -> None:
    """As many calls are under way as their quotes fit, no more; what is spent is within the cap."""
    await check_cap(world, FEWER)


@pytest.mark.soak
async def test_six_hundred_calls_at_once_never_pass_the_cap(world: World) -> None:
    """The same with six hundred on every backend."""
    await check_cap(world, MEMBERS)
