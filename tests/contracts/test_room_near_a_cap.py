"""Near a cap, who leads gets the room for its call before those below it take what becomes free."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from engine import TurnOptions
from engine.commands import Limits, StartTask
from engine.llm.scripted import ScriptedModel, call, say
from engine.ports import ChatAnswer, ChatRequest, Quote
from engine.tools import ToolOptions
from tests.contracts.conftest import World
from tests.fakes.cast import View

QUIET = TurnOptions(tools=ToolOptions(audit_rounds=0, plan_approval_over=9_999))


class Sized(ScriptedModel):
    """The boss's calls need the room of six of its members'."""

    def quote(self, request: ChatRequest) -> Quote:
        """Return what is reserved for a call."""
        return Quote(1_000, 1_800 if request.role == "boss" else 300)


async def test_small_calls_of_members_do_not_keep_their_boss_from_its_own(world: World) -> None:
    """Five members call without a pause and hold what is free; asked by one of them, the boss gets room."""
    names = [f"M{n}" for n in range(5)]
    heard = asyncio.Event()

    async def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Boss":
            if view.did("recruit"):
                heard.set() if "Is it right?" in view.all else None
                return replace(say("It is."), cost_micros=1)
            members = [{"name": name, "role": "w", "instructions": "w"} for name in names]
            begin = ("send_message", {"to": ["group"], "text": "Begin.", "needs_answer": True})
            return replace(call(("recruit", {"members": members}), begin), cost_micros=1)
        await asyncio.sleep(0.1)
        if heard.is_set():
            return replace(say("Done."), cost_micros=1)
        ask = ("send_message", {"to": ["Boss"], "text": "Is it right?"})
        look = ("list_files", {"prefix": str(view.steps)})
        return replace(call(ask if view.name == "M0" and view.steps == 3 else look), cost_micros=1)

    engine = await world.start(script, turn=QUIET, model=Sized(script))
    limits = Limits(cost_micros=2_000, steps=400)
    task = await engine.handle(StartTask("spend", "me", "here", limits))
    async with asyncio.timeout(60):
        await heard.wait()
    assert (await engine.look.task(task)).state == "running"
