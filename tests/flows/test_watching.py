"""What a person sees while the first, long model call is still open."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from bot.app.bootstrap import RunningBot
from bot.notifications.typing_indicator import TypingIndicator
from bot.places.layout import place_name
from engine.domain.titles import title_of
from engine.ports import ChatAnswer, ChatRequest
from tests.flows.conftest import Start
from tests.flows.team import team
from tests.flows.test_task_on_discord import GOAL, PATIENCE_S, command, ended, messages, post_with, you


class Slow:
    """The team, whose boss thinks until `go` is set."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Answer as the team does, once the test lets it."""
        await self.go.wait()
        return team(request)


@pytest.fixture
async def slow(start: Start) -> AsyncIterator[tuple[RunningBot, Slow, list[int]]]:
    """The product, its slow boss, and the channels in which somebody was shown typing."""
    model, typed = Slow(), list[int]()

    def note(event: str, data: Mapping[str, Any]) -> None:
        if event == "TYPING_START":
            typed.append(int(data["channel_id"]))

    async with start(model) as product:
        assert product.local is not None
        product.local.world.subscribers.append(note)
        yield product, model, typed
        model.go.set()
        await ended(product)


async def until(product: RunningBot, holds: Callable[[], bool]) -> None:
    """Wait for something in the world."""
    assert product.local is not None
    await product.local.world.pulse.until(holds, PATIENCE_S)


async def test_there_is_a_place_to_watch_before_the_first_call_ends(
    slow: tuple[RunningBot, Slow, list[int]],
) -> None:
    """Category and channel, one plain line with goal and card, "is typing", the way there in the answer."""
    product, model, typed = slow
    started = await command(product, "task new", goal=GOAL)
    opening = await post_with(product, "is reading the goal")
    place, lobby = int(opening["channel_id"]), you(product).channel("lobby")["id"]
    assert [c["name"] for c in you(product).channels() if int(c["id"]) == place] == [
        place_name(title_of(GOAL))
    ]
    assert GOAL.split("(")[0] in opening["content"]
    assert opening["embeds"] == [] and "webhook_id" not in opening
    assert await post_with(product, f"The live card is in <#{lobby}>")
    await until(product, lambda: f"<#{place}>" in you(product).outcome(started.id).text)
    await until(product, lambda: place in typed)
    card = next(m for m in messages(product) if "Task #1" in str(m["components"]))
    assert "**Boss** · thinks" in str(card["components"])
    assert not model.go.is_set()


async def test_nobody_is_shown_typing_after_the_end(slow: tuple[RunningBot, Slow, list[int]]) -> None:
    """The sign comes again while the work lasts, and goes with it."""
    product, model, typed = slow
    await command(product, "task new", goal=GOAL)
    await post_with(product, "is reading the goal")
    clock = itertools.count(1_000.0, 60.0)
    typist = TypingIndicator(product.bot, product.engine.engine, product.outbox.ledger, lambda: next(clock))
    for _ in range(2):
        typed.clear()
        await typist.tick()
        await until(product, lambda: bool(typed))
    model.go.set()
    await ended(product)
    typed.clear()
    await typist.tick()
    assert typed == []
