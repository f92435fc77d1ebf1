"""What administrators and networks do to a task's places and messages: every word once, in its place.

Each test is a trial of a stranger who knows Discord and not this program.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from simcord.enums import ChannelType

from bot.outbox.limiter import RateLimits
from bot.outbox.outbox import OutboxOptions
from tests.bot.outbox import conftest
from tests.bot.outbox.conftest import PACE, SCALE, Stage, make_outbox
from tests.bot.outbox.test_refusals import EXECUTE, HOOKS, NEW_CHANNEL, NEW_THREAD, masked
from tests.bot.places.test_repairs import allow, begun, hooks, says, seen_by_bot, texts


@pytest.mark.parametrize("off", [600.0, -600.0])
async def test_a_clock_that_is_wrong_doubles_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, off: float
) -> None:
    """The host's clock is ten minutes off, and an answer is lost: the message is found by Discord's time."""
    rates = RateLimits().scaled(SCALE)
    options = OutboxOptions(rates=rates, pace=PACE, wall=lambda: time.time() + off)
    monkeypatch.setattr(conftest, "OutboxOptions", lambda **_: options)
    monkeypatch.setattr(stage.client.request_stop, "_wall", options.wall)  # type: ignore[attr-defined]
    await stage.outbox.stop()
    stage.outbox = make_outbox(stage.client, stage.engine, stage.database)
    await stage.outbox.start()
    _, boss = await begun(stage)
    stage.local.faults.drop_after("POST", EXECUTE)
    await says(stage, boss, "second")
    assert texts(stage).count("second") == 1


async def test_the_webhooks_token_is_reset(stage: Stage) -> None:
    """The old one is refused: another webhook, and no word is missing."""
    _, boss = await begun(stage)
    world = stage.local.world
    (number,) = hooks(stage, stage.local.you.channel("root"))
    hook = world.webhooks[number]
    del world.webhook_tokens[hook.token]
    hook.token = "x" * 68
    world.webhook_tokens[hook.token] = number
    await says(stage, boss, "second", "third")
    assert [words for _, words in masked(stage)] == ["first", "second", "third"]


@pytest.mark.parametrize("path", [NEW_CHANNEL, HOOKS])
async def test_what_was_made_unseen_is_made_once(stage: Stage, path: str) -> None:
    """The category, the channel or the webhook is there, only the answer was lost."""
    stage.local.faults.drop_after("POST", path, times=2)
    await begun(stage)
    made = [c for c in stage.local.world.channels.values() if c.name != "lobby"]
    assert sorted(c.type for c in made) == [ChannelType.TEXT, ChannelType.CATEGORY]
    assert len(stage.local.world.webhooks) == 1


async def test_a_thread_that_was_made_unseen_is_made_once(stage: Stage) -> None:
    """The same for the thread of a group without a channel."""
    allow(stage, manage_channels=False)
    await seen_by_bot(stage)
    stage.local.faults.drop_after("POST", NEW_THREAD)
    await begun(stage)
    assert sum(c.is_thread for c in stage.local.world.channels.values()) == 1


async def test_words_wait_while_the_bot_is_in_a_timeout(stage: Stage) -> None:
    """Without webhooks nothing can be said meanwhile; after it everything is, once."""
    allow(stage, manage_webhooks=False)
    await seen_by_bot(stage)
    _, boss = await begun(stage)
    world, guild = stage.local.world, stage.local.guild_id
    member = world.get_guild(guild).members[world.bot_user.id]
    member.timed_out_until = world.iso_after(3600)
    world.announce_member_update(guild, world.bot_user.id)
    stage.engine.speak(boss, "second")
    await asyncio.sleep(0.3)
    assert not any("second" in text for text in texts(stage))
    member.timed_out_until = None
    world.announce_member_update(guild, world.bot_user.id)
    await stage.drain()
    assert sum("second" in text for text in texts(stage)) == 1


async def test_an_administrator_changes_the_place(stage: Stage) -> None:
    """It becomes an announcement channel, gets another name, leaves its category: the group stays in it."""
    _, boss = await begun(stage)
    world, number = stage.local.world, int(stage.local.you.channel("root")["id"])
    world.channels[number].type = ChannelType.NEWS
    world.announce_channel_update(number)
    await says(stage, boss, "second")
    world.edit_channel(number, {"name": "ours-now", "parent_id": None})
    await says(stage, boss, "third")
    assert [words for _, words in masked(stage, "ours-now")] == ["first", "second", "third"]


async def test_a_category_that_got_another_name_is_the_same(stage: Stage) -> None:
    """Known by its id: the next group's channel is made in it."""
    _, boss = await begun(stage)
    world = stage.local.world
    category = int(stage.local.you.channel("root")["parent_id"])
    world.edit_channel(category, {"name": "ours now"})
    (ada,) = stage.engine.recruit(boss, "Ada")
    stage.engine.recruit(ada, "Cleo")
    await says(stage, ada, "hello")
    assert [c.id for c in world.channels.values() if c.type == ChannelType.CATEGORY] == [category]
    stage.engine.speak(stage.engine.recruit(ada, "Dai")[0], "below")
    await stage.drain()
    below = [c for c in world.channels.values() if c.type == ChannelType.TEXT and c.parent_id == category]
    assert len(below) == 2


async def test_an_outage_in_the_middle(stage: Stage) -> None:
    """The server is away for a while: what agents say then comes afterwards, once and in order."""
    _, boss = await begun(stage)
    stage.local.outage(True)
    for word in ("second", "third"):
        stage.engine.speak(boss, word)
    await asyncio.sleep(0.3)
    stage.local.outage(False)
    await stage.drain()
    assert [line for _, words in masked(stage) for line in words.split("\n")] == ["first", "second", "third"]


async def test_slow_mode_in_a_place(stage: Stage) -> None:
    """It holds for people; webhooks and bots are free."""
    _, boss = await begun(stage)
    number = int(stage.local.you.channel("root")["id"])
    stage.local.world.edit_channel(number, {"rate_limit_per_user": 21600})
    await says(stage, boss, "second", "third")
    assert [words for _, words in masked(stage)] == ["first", "second", "third"]


async def test_a_place_that_is_hidden_from_the_bot(stage: Stage) -> None:
    """Its webhook speaks on, after a restart too; nothing is made a second time."""
    _, boss = await begun(stage)
    you, before = stage.local.you, {c["id"] for c in stage.local.you.channels()}
    await you.overwrite(you.channel("root"), you.bot_role, deny=["view_channel"])
    await seen_by_bot(stage)
    await says(stage, boss, "second")
    await stage.restart()
    await says(stage, boss, "third")
    assert [words for _, words in masked(stage)] == ["first", "second", "third"]
    assert {c["id"] for c in you.channels()} == before


async def test_characters_are_counted_as_discord_counts_them(stage: Stage) -> None:
    """Code points: 1,800 signs that take two units of UTF-16 each fit into one message."""
    _, boss = await begun(stage)
    globes = "🌍" * 1800
    await says(stage, boss, globes)
    assert [words for _, words in masked(stage)] == ["first", globes]
