"""Archiving over the loopback: the bot's own places are closed, nobody else's is touched."""

from __future__ import annotations

from typing import Any

import discord
import pytest
from sqlalchemy import delete, update

from bot.discord.context import ClosedPlaces
from bot.features.files.archive import close_places
from bot.local import channel_rules
from bot.places.marks import mark_of
from bot.places.records import PlaceRecords
from bot.storage.tables import groups, made_places
from engine.events import TaskNamed
from tests.bot.outbox.conftest import Stage, database, local, stage
from tests.bot.places.test_repairs import begun, deep_thread, says, seen_by_bot, texts

__all__ = ["database", "local", "stage"]

README = (
    *("view_channel", "send_messages", "send_messages_in_threads", "embed_links", "attach_files"),
    *("read_message_history", "add_reactions", "manage_channels", "manage_webhooks"),
    *("create_public_threads", "manage_threads"),
)


def only(stage: Stage, *names: str) -> None:
    """Give the bot exactly these permissions."""
    world, guild_id = stage.local.world, stage.local.guild_id
    value = discord.Permissions(**dict.fromkeys(names, True)).value
    for role_id in {*world.get_guild(guild_id).members[world.bot_user.id].role_ids, guild_id}:
        world.edit_role(guild_id, role_id, {"permissions": value})


async def archive(stage: Stage, task_id: int, remove: bool) -> ClosedPlaces:
    """What the command does."""
    await seen_by_bot(stage)
    return await close_places(stage.client, stage.database, stage.outbox.transcripts, task_id, remove)


def names(stage: Stage) -> list[str]:
    """Names of all channels and threads."""
    return [channel["name"] for channel in stage.local.you.channels()]


def denied(stage: Stage, place: str) -> discord.Permissions:
    """What everybody is denied in a channel."""
    overwrites = stage.local.you.channel(place)["permission_overwrites"]
    mine = [o for o in overwrites if int(o["id"]) == stage.local.guild_id]
    return discord.Permissions(int(mine[0]["deny"]) if mine else 0)


@pytest.mark.parametrize("remove", [True, False])
async def test_the_channel_a_task_was_started_in_stays(
    stage: Stage, remove: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No channel and no thread could be made, so the group spoke in the people's own: it is left alone."""
    monkeypatch.setattr(channel_rules, "MAX_CHANNELS", 1)
    monkeypatch.setattr(channel_rules, "MAX_THREADS", 0)
    task_id, _ = await begun(stage)
    assert "first" in texts(stage, "lobby")
    lobby = int(stage.local.you.channel("lobby")["id"])
    closed = await archive(stage, task_id, remove)
    assert "lobby" in names(stage) and not denied(stage, "lobby").send_messages
    assert closed.not_ours == (lobby,) and closed.files


async def test_the_channel_that_holds_its_thread_stays(stage: Stage) -> None:
    """The thread goes, the channel of people that it hung in does not."""
    only(stage, *(set(README) - {"manage_channels"}))
    await seen_by_bot(stage)
    task_id, _ = await begun(stage)
    thread = f"task-{task_id}-root"
    assert thread in names(stage)
    closed = await archive(stage, task_id, remove=True)
    assert "lobby" in names(stage) and thread not in names(stage)
    assert closed.not_ours == ()


async def test_a_channel_given_another_topic_is_not_the_bots_any_more(stage: Stage) -> None:
    """Checked at the moment of the act, not only against the record."""
    task_id, _ = await begun(stage)
    root = int(stage.local.you.channel("root")["id"])
    stage.local.world.edit_channel(root, {"topic": "Our new talk room"})
    closed = await archive(stage, task_id, remove=True)
    assert "root" in names(stage) and closed.not_ours == (root,)


@pytest.mark.parametrize("refused", [False, True])
async def test_a_topic_is_for_people_and_the_channel_still_the_bots(stage: Stage, refused: bool) -> None:
    """The mark it is made with goes once it is recorded; where that fails it stays, which changes nothing."""
    if refused:
        stage.local.faults.fail("PATCH", r"/channels/\d+$", status=403, times=1)
    task_id, _ = await begun(stage)
    await seen_by_bot(stage)
    topic = stage.local.you.channel("root")["topic"]
    assert topic.startswith(f"Root (task {task_id}). Reply to an agent") and ("Ref" in topic) == refused
    closed = await archive(stage, task_id, remove=True)
    assert "root" not in names(stage) and closed.not_ours == ()


@pytest.mark.parametrize("remove", [True, False])
async def test_a_channel_with_the_topic_of_its_title_is_still_the_bots(stage: Stage, remove: bool) -> None:
    """The title replaced the topic that the channel was made with."""
    task_id, _ = await begun(stage)
    group_id = stage.engine.world.tasks[task_id].root_group_id
    stage.engine.emit(TaskNamed(task_id, group_id, "sales report"))
    await stage.drain()
    closed = await archive(stage, task_id, remove)
    assert closed.not_ours == () and ("sales-report" in names(stage)) != remove
    assert remove or denied(stage, "sales-report").send_messages


async def test_what_an_older_version_made_is_known_by_its_mark(stage: Stage) -> None:
    """Without records: the topic's mark proves the bot's own, and people's channel has none."""
    member, thread = await deep_thread(stage)
    task_id = stage.engine.world.agents[member].task_id
    lobby = int(stage.local.you.channel("lobby")["id"])
    records = PlaceRecords(stage.database)
    for row in await records.places(task_id):
        if row.channel_id and not row.thread_id:
            topic = mark_of(row, await records.instance())
            stage.local.world.edit_channel(row.channel_id, {"topic": topic})
    await stage.database.write(lambda c: c.execute(delete(made_places)))
    last = update(groups).where(groups.c.name == "Level0").values(channel_id=lobby)
    await stage.database.write(lambda c: c.execute(last))
    closed = await archive(stage, task_id, remove=True)
    assert "root" not in names(stage) and thread not in names(stage)
    assert "lobby" in names(stage) and closed.not_ours == (lobby,)


async def test_a_category_of_people_stays(stage: Stage) -> None:
    """The bot's own empty category goes; with a person's channel in it, it stays."""
    task_id, _ = await begun(stage)
    (category,) = [c for c in stage.local.you.channels() if c["name"].startswith(f"task {task_id} ")]
    stage.local.world.create_channel(stage.local.guild_id, "ours", parent_id=int(category["id"]))
    await archive(stage, task_id, remove=True)
    assert "ours" in names(stage) and category["name"] in names(stage) and "root" not in names(stage)


async def test_with_the_permissions_of_the_readme(stage: Stage) -> None:
    """Without Manage Roles the threads are locked and the rest is said; with it channels are read-only."""
    only(stage, *README)
    await seen_by_bot(stage)
    member, thread = await deep_thread(stage)
    task_id = stage.engine.world.agents[member].task_id
    closed = await archive(stage, task_id, remove=False)
    root = int(stage.local.you.channel("root")["id"])
    assert root in closed.forbidden and closed.files and not denied(stage, "root").send_messages
    assert stage.local.you.channel(thread)["thread_metadata"]["locked"]
    only(stage, *README, "manage_roles")
    closed = await archive(stage, task_id, remove=False)
    assert closed.forbidden == ()
    assert denied(stage, "root").send_messages and denied(stage, "root").send_messages_in_threads
    only(stage, *README)
    closed = await archive(stage, task_id, remove=True)
    assert closed.forbidden == () and "root" not in names(stage)


@pytest.mark.parametrize("remove", [True, False])
async def test_threads_that_archived_themselves(stage: Stage, remove: bool) -> None:
    """They are in no cache, and any message would wake them: locked or removed all the same."""
    member, name = await deep_thread(stage)
    task_id = stage.engine.world.agents[member].task_id
    thread = stage.local.you.channel(name)
    stage.local.world.edit_channel(int(thread["id"]), {}, thread_metadata={"archived": True})
    await seen_by_bot(stage)
    assert stage.client.get_channel(int(thread["id"])) is None
    await archive(stage, task_id, remove)
    if remove:
        assert name not in names(stage)
    else:
        meta: dict[str, Any] = stage.local.you.channel(name)["thread_metadata"]
        assert meta["locked"] and meta["archived"]


async def test_a_place_that_is_gone_already(stage: Stage) -> None:
    """Passed over; the others are closed."""
    task_id, boss = await begun(stage)
    (ada,) = stage.engine.recruit(boss, "Ada")
    (bob,) = stage.engine.recruit(ada, "Bob")
    await says(stage, bob, "hello")
    stage.local.world.delete_channel(int(stage.local.you.channel("root")["id"]))
    closed = await archive(stage, task_id, remove=True)
    assert "ada" not in names(stage) and closed.forbidden == closed.not_ours == ()
