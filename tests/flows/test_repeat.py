"""A repeated task whose maker loses the right to start tasks, on the whole product."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from bot.app.bootstrap import RunningBot
from bot.local import LocalDiscord
from bot.local.actors import Human
from engine.llm.scripted import call
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import REPEATS
from tests.flows.conftest import Start
from tests.flows.test_task_on_discord import post_with


def finishes(_request: ChatRequest) -> ChatAnswer:
    """Done at once."""
    return call(("finish", {"report": "No news."}))


def local_of(product: RunningBot) -> LocalDiscord:
    """The Discord it runs on."""
    assert product.local is not None
    return product.local


async def make(product: RunningBot, person: Human, **caps: Any) -> None:
    """The person makes a task repeat, hourly."""
    lobby = person.channel("lobby")
    asked = await person.slash(lobby, "task repeat new", goal="Look for news", cron="0 * * * *", **caps)
    assert asked.message is not None
    await person.click(asked.message, label="Yes, repeat it")
    await person.sees(asked.message["channel_id"], "Repeating task #")


async def due(product: RunningBot) -> int:
    """Its time comes, the clock looks -> how many tasks there are."""
    engine, past = product.engine.engine, time.time() - 60
    await product.engine.database.write(lambda c: c.execute(REPEATS.update().values(next_at=past)))
    await engine.sweep()
    return len(await engine.look.tasks())


async def crew(product: RunningBot, right: str = "start") -> int:
    """The id of a role that has a right, with the guest in it."""
    local = local_of(product)
    role = local.world.create_role(local.guild_id, "crew")
    local.world.add_member_role(local.guild_id, local.guest.id, role.id)
    options: dict[str, Any] = {right: str(role.id)}
    await local.you.slash(local.you.channel("lobby"), "setup", **options)
    return role.id


@pytest.mark.parametrize("how", ["role", "gone"])
async def test_who_may_start_nothing_any_more_starts_nothing_by_the_clock(start: Start, how: str) -> None:
    """Said once in the channel it was made in; the owner takes it over and it runs."""
    async with start(finishes) as product:
        local = local_of(product)
        role = await crew(product)
        await make(product, local.guest)
        assert await due(product) == 1
        if how == "role":
            local.world.remove_member_role(local.guild_id, local.guest.id, role)
        else:
            local.world.remove_member(local.guild_id, local.guest.id)
        assert await due(product) == 1
        said = await post_with(product, "Repeating task #1 is paused")
        why = "is no longer allowed to start tasks here" if how == "role" else "has left this server"
        assert f"<@{local.guest.id}>, who created it, {why}" in said["content"]
        number = re.search(r"#(\d+)", said["content"])
        assert number is not None and await due(product) == 1
        lobby = local.you.channel("lobby")
        taken = await local.you.slash(lobby, "task repeat resume", repeat=number[1])
        assert "on your behalf" in taken.text
        assert await due(product) == 2
        assert sum("Repeating task #1 is paused" in str(m) for m in local.you.history(lobby)) == 1


async def test_who_may_not_raise_caps_any_more_spends_no_more_by_the_clock(start: Start) -> None:
    """A repeat with caps above the usual takes the right to spend at each start, not only when it is made."""
    async with start(finishes) as product:
        local = local_of(product)
        await crew(product)
        spends = await crew(product, "spend")
        await make(product, local.guest, budget=50.0)
        assert await due(product) == 1
        await post_with(product, "No news.")
        local.world.remove_member_role(local.guild_id, local.guest.id, spends)
        assert await due(product) == 1
        said = await post_with(product, "Repeating task #1 is paused")
        why = "is no longer allowed to raise caps here"
        assert f"<@{local.guest.id}>, who created it, {why}" in said["content"]
