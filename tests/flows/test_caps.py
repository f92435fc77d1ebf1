"""A cap is reached: the question says what its buttons lead to, and they do."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable
from typing import Any

from bot.app.bootstrap import RunningBot
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from tests.fakes.cast import View
from tests.flows.conftest import Start
from tests.flows.team import team
from tests.flows.test_task_on_discord import GOAL, PATIENCE_S, command, messages, post_with, you


async def test_a_raise_by_half_allows_what_was_said(start: Start) -> None:
    """The numbers under the question are the task's caps after the press."""
    async with start(team, max_tokens=1_500) as product:
        await command(product, "task new", goal=GOAL)
        asked = await post_with(product, "💰 The next model call does not fit within the cap")
        said = re.search(r"within (\$[\d.]+), ([\d,]+) tokens", asked["content"])
        assert said is not None
        await you(product).click(asked, label="Raise by 50%")
        await post_with(product, "answered: Raise by 50%")
        limits = (await product.engine.engine.look.task(1)).limits
        assert (f"${(limits.cost_micros or 0) / 1e6:.2f}", f"{limits.tokens:,}") == said.groups()


def planner(request: ChatRequest) -> ChatAnswer:
    """A boss that plans for twenty, then waits."""
    if any(m.tool_calls for m in request.messages):
        return say("I wait.")
    plan = {"summary": "Twenty do it.", "groups": ["writers"], "agents": 20, "minutes": 5}
    return call(("propose_plan", plan))


async def test_a_plan_says_what_its_buttons_and_silence_lead_to(start: Start) -> None:
    """Within which caps an approval lets work begin, and when no answer counts as one."""
    async with start(planner, max_agents=25, max_tokens=70_000) as product:
        await command(product, "task new", goal=GOAL)
        asked = await post_with(product, "Do you approve this plan?")
        gate = (await product.engine.engine.look.gates(1))[0]
        (said,) = (e["description"] for e in asked["embeds"] if e["author"]["name"] == "Your choices")
        within = "• **Approve**: work starts on this plan, within 25 agents, $5.00, 70,000 tokens"
        assert within in said
        assert gate.due_at is not None
        assert f"<t:{int(gate.due_at)}:f>: the task ends" in said
        await you(product).click(asked, label="Approve")
        await post_with(product, "answered: Approve")


def endless(capped: asyncio.Event, near: asyncio.Event) -> Callable[[ChatRequest], Awaitable[ChatAnswer]]:
    """The boss recruits Ada, who works on and on once capped; at 85% she waits for `near`."""

    calls = itertools.count()

    async def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Ada":
            await capped.wait()
            number = next(calls)
            if number > CALLS * 0.85:
                await near.wait()
            return call(("search_files", {"pattern": f"x{number}"}))
        if view.did("recruit"):
            return say("I wait.")
        member = {"name": "Ada", "role": "w", "instructions": "w"}
        begin = ("send_message", {"to": ["Ada"], "text": "Begin."})
        return call(("recruit", {"members": [member]}), begin)

    return script


async def _post_in(product: RunningBot, channel: str, text: str) -> dict[str, Any]:
    """The first message in a channel that holds a text: the card, in another, may name a question before."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for message in messages(product):
                if message["channel_id"] == channel and text in str(message):
                    return message
            await asyncio.sleep(0.05)


CALLS, COST_USD = 100, 0.00001
"""So many calls of the scripted model, at that price, Ada's part may cost."""


async def test_who_caps_a_part_hears_at_80_and_is_asked_at_100(start: Start) -> None:
    """Both in the task's channel, the setter named; the button raises the subtree's cap and it resumes."""
    capped, notified = asyncio.Event(), asyncio.Event()
    async with start(endless(capped, notified), max_steps=9_000) as product:
        await command(product, "task new", goal=GOAL)
        await post_with(product, "Ada")
        await command(product, "agent cap", agent="Ada", budget=CALLS * COST_USD)
        capped.set()
        near = await post_with(product, "cap of Ada and all below it is used")
        used = re.search(r"(8\d|9\d)% of the cost cap", near["content"])
        assert f"<@{you(product).id}>" in near["content"] and used
        notified.set()
        asked = await _post_in(product, near["channel_id"], "Ada and all below it have stopped at their cap")
        assert "these agents continue, within $0.00" in asked["content"]
        await you(product).click(asked, label="Raise by 50%")
        await post_with(product, "answered: Raise by 50%")
        budget = (await product.engine.engine.look.agent(2)).budget
        assert budget is not None and budget.caps.cost_micros == CALLS * COST_USD * 1.5e6
