"""A note of the engine that came too late is not read, and costs no call."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa

from engine import TurnOptions
from engine.commands import SayToAgent, StartTask
from engine.llm.scripted import call
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import MESSAGES
from engine.tools import ToolOptions
from tests.contracts.conftest import World, ended
from tests.fakes.cast import View

AUDITED = TurnOptions(tools=ToolOptions(audit_rounds=1))


async def test_a_boss_that_finishes_again_is_not_told_to_finish_again(world: World) -> None:
    """It acts on people's words while the auditor of its first report accepts that one."""
    judging, acting = asyncio.Event(), asyncio.Event()
    judge, act = asyncio.Event(), asyncio.Event()
    heard: list[str] = []

    async def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Boss":
            heard.append(view.last)
            if len(heard) == 2:
                acting.set()
                await act.wait()
            return call(("finish", {"report": f"report {len(heard)}"}))
        if view.name == "Auditor":
            judging.set()
            await judge.wait()
        return call(("verdict", {"verdict": "accept", "findings": "fine"}))

    async def held() -> bool:
        return bool(await world.rows(sa.select(MESSAGES.c.id).where(MESSAGES.c.about == "held")))

    engine = await world.start(script, turn=AUDITED)
    task = await engine.handle(StartTask("make it", "me", "guild:1"))
    await asyncio.wait_for(judging.wait(), 60)
    boss = (await engine.look.task(task)).boss_id
    await engine.handle(SayToAgent(boss, "In blue.", "me", "Me"))
    await asyncio.wait_for(acting.wait(), 60)
    judge.set()
    await world.until(held)
    act.set()
    await ended(engine, task)
    assert len(heard) == 2 and "In blue." in heard[1]
    assert (await engine.look.task(task)).report.startswith("report 2")
