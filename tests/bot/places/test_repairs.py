"""What people delete or forbid is repaired or done without, said once, and no word is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import pytest

from bot.local import channel_rules
from bot.places.records import PlaceRecords
from bot.texts import outbox as wording
from engine.events import TaskNamed
from tests.bot.outbox.conftest import Stage


async def begun(stage: Stage) -> tuple[int, int]:
    """A task whose root channel and webhook exist: (task id, boss)."""
    task_id = await stage.task()
    boss = stage.boss(task_id)
    stage.engine.speak(boss, "first")
    await stage.drain()
    return task_id, boss


async def says(stage: Stage, agent: int, *words: str) -> None:
    """An agent says some words, each posted before the next."""
    for word in words:
        stage.engine.speak(agent, word)
        await stage.drain()


def texts(stage: Stage, place: str = "root") -> list[str]:
    """What stands in a place."""
    return [message["content"] for message in stage.said(place)]


def told(stage: Stage, text: str, place: str = "root") -> int:
    """How often the bot said something in a place."""
    return "\n".join(texts(stage, place)).count(text)


def threads(stage: Stage) -> list[str]:
    """Names of the threads."""
    return [channel["name"] for channel in stage.local.you.channels() if channel["type"] == 11]


def hooks(stage: Stage, channel: dict[str, Any]) -> list[int]:
    """Ids of a channel's webhooks."""
    return [h.id for h in stage.local.world.webhooks.values() if h.channel_id == int(channel["id"])]


def allow(stage: Stage, **permissions: bool) -> None:
    """Change what the bot may do, for every role it has and for everyone."""
    world, guild_id = stage.local.world, stage.local.guild_id
    guild = world.get_guild(guild_id)
    for role_id in {*guild.members[world.bot_user.id].role_ids, guild_id}:
        value = discord.Permissions(int(guild.roles[role_id].permissions))
        value.update(administrator=False, **permissions)
        world.edit_role(guild_id, role_id, {"permissions": value.value})


async def seen_by_bot(stage: Stage) -> None:
    """Until the gateway's news of a change have arrived."""
    await asyncio.sleep(0.1)


async def test_webhook_deleted_once_is_made_again(stage: Stage) -> None:
    """A new webhook, said once; the words arrive."""
    _, boss = await begun(stage)
    channel = stage.local.you.channel("root")
    (old,) = hooks(stage, channel)
    stage.local.world.delete_webhook(old)
    await says(stage, boss, "second", "third")
    assert [t for t in texts(stage) if t in ("first", "second", "third")] == ["first", "second", "third"]
    assert told(stage, wording.WEBHOOK_REPAIRED) == 1
    assert len(hooks(stage, channel)) == 1


async def test_webhook_deleted_twice_leaves_the_bots_voice(stage: Stage) -> None:
    """After the second time people clearly mean it: names go in front."""
    _, boss = await begun(stage)
    channel = stage.local.you.channel("root")
    for word in ("second", "third"):
        stage.local.world.delete_webhook(hooks(stage, channel)[0])
        await says(stage, boss, word)
    assert told(stage, wording.WEBHOOK_GIVEN_UP) == 1
    third = next(m for m in stage.said("root") if "third" in m["content"])
    assert third["content"].startswith("**Boss") and not third.get("webhook_id")


async def test_webhook_moved_by_a_person(stage: Stage) -> None:
    """Words that landed elsewhere are taken back and said in the right channel."""
    _, boss = await begun(stage)
    lobby = stage.local.you.channel("lobby")
    (hook,) = hooks(stage, stage.local.you.channel("root"))
    stage.local.world.edit_webhook(hook, {"channel_id": lobby["id"]})
    await says(stage, boss, "second")
    assert "second" in texts(stage)
    assert "second" not in texts(stage, "lobby")


async def test_webhook_moved_away_from_a_thread(stage: Stage) -> None:
    """The thread is still there: only the webhook is made again."""
    member, name = await deep_thread(stage)
    thread = stage.local.you.channel(name)
    (message,) = [m for m in stage.said(name) if m["content"] == "deep words"]
    lobby = stage.local.you.channel("lobby")
    stage.local.world.edit_webhook(int(message["webhook_id"]), {"channel_id": lobby["id"]})
    await says(stage, member, "again")
    assert "again" in texts(stage, name)
    assert stage.local.you.channel(name)["id"] == thread["id"]


async def test_channel_deleted_once_is_made_again(stage: Stage) -> None:
    """A new channel and webhook, said there."""
    _, boss = await begun(stage)
    stage.local.world.delete_channel(int(stage.local.you.channel("root")["id"]))
    await says(stage, boss, "second")
    assert "second" in texts(stage)
    assert told(stage, wording.PLACE_REPAIRED.format(group="Root")) == 1


async def test_channel_deleted_twice_falls_back(stage: Stage) -> None:
    """The root's words then come where the task was begun."""
    _, boss = await begun(stage)
    for word in ("second", "third"):
        stage.local.world.delete_channel(int(stage.local.you.channel("root")["id"]))
        await says(stage, boss, word)
    assert "third" in texts(stage, "lobby")
    assert told(stage, wording.PLACE_GIVEN_UP.format(group="Root"), "lobby") == 1


async def deep_thread(stage: Stage) -> tuple[int, str]:
    """A group deep enough for a thread: (a member of it, the thread's name)."""
    boss = stage.boss(await stage.task())
    head = boss
    for level in range(11):
        (head,) = stage.engine.recruit(head, f"Level{level}")
    (member,) = stage.engine.recruit(head, "Leaf")
    stage.engine.speak(member, "deep words")
    await stage.drain()
    return member, "level10"


async def test_thread_shares_its_channels_webhook(stage: Stage) -> None:
    """A deep group speaks in a thread through the webhook of the channel above."""
    _, name = await deep_thread(stage)
    thread = stage.local.you.channel(name)
    assert thread["type"] == discord.ChannelType.public_thread.value
    (message,) = [m for m in stage.said(name) if m["content"] == "deep words"]
    above = next(c for c in stage.local.you.channels() if c["id"] == thread["parent_id"])
    assert int(message["webhook_id"]) in hooks(stage, above)


async def test_thread_deleted_is_made_again(stage: Stage) -> None:
    """A new thread, said in it."""
    member, name = await deep_thread(stage)
    stage.local.world.delete_channel(int(stage.local.you.channel(name)["id"]))
    await says(stage, member, "again")
    assert "again" in texts(stage, name)


async def test_thread_and_its_channel_deleted(stage: Stage) -> None:
    """The channel above is repaired first, then the thread."""
    member, name = await deep_thread(stage)
    parent = int(stage.local.you.channel(name)["parent_id"])
    stage.local.world.delete_channel(parent)
    await says(stage, member, "again")
    assert "again" in texts(stage, name)
    assert int(stage.local.you.channel(name)["parent_id"]) != parent


async def test_category_deleted(stage: Stage) -> None:
    """The next group gets a new category, said once; the channels that are there stay."""
    task_id, boss = await begun(stage)
    category = next(c for c in stage.local.you.channels() if c["name"].startswith(f"task {task_id}"))
    stage.local.world.delete_channel(int(category["id"]))
    await seen_by_bot(stage)
    (ada,) = stage.engine.recruit(boss, "Ada")
    (bob,) = stage.engine.recruit(ada, "Bob")
    await says(stage, bob, "hello")
    assert "hello" in texts(stage, "ada")
    assert told(stage, wording.CATEGORY_REPAIRED) == 1


async def test_without_manage_channels_threads(stage: Stage) -> None:
    """Groups get threads where the task was begun, said once."""
    allow(stage, manage_channels=False)
    await seen_by_bot(stage)
    task_id, boss = await begun(stage)
    await says(stage, boss, "second")
    place = f"task-{task_id}-root"
    assert stage.local.you.channel(place)["parent_id"] == stage.local.you.channel("lobby")["id"]
    assert {"first", "second"} <= set(texts(stage, place))
    assert told(stage, wording.CHANNELS_FORBIDDEN, place) == 1


async def test_without_manage_webhooks_the_bot_speaks(stage: Stage) -> None:
    """Names in front, told once each time it is missing; `try_again` gives the faces back once granted."""
    allow(stage, manage_webhooks=False)
    await seen_by_bot(stage)
    _, boss = await begun(stage)
    await says(stage, boss, "second")
    assert any(t.startswith("**Boss") and t.endswith("second") for t in texts(stage))
    assert told(stage, wording.WEBHOOK_FORBIDDEN) == 1
    allow(stage, manage_webhooks=True)
    stage.outbox.try_again()
    await says(stage, boss, "third")
    assert "third" in texts(stage)
    allow(stage, manage_webhooks=False)
    for hook in [*stage.local.world.webhooks]:
        stage.local.world.delete_webhook(hook)
    await says(stage, boss, "fourth")
    assert told(stage, wording.WEBHOOK_FORBIDDEN) == 2


async def test_permission_to_write_withdrawn_mid_task(stage: Stage) -> None:
    """Where the bot may not write, its webhook still may: the gate arrives."""
    _, boss = await begun(stage)
    allow(stage, send_messages=False)
    await seen_by_bot(stage)
    stage.engine.raise_gate(boss, "Go on?", ("yes", "no"))
    await stage.drain()
    (asked,) = [m for m in stage.said("root") if "Go on?" in m["content"]]
    assert asked["webhook_id"] and asked["components"]


async def test_fifteen_webhooks(stage: Stage) -> None:
    """A channel full of other people's webhooks gets the bot's voice, said once."""
    world, lobby = stage.local.world, stage.local.you.channel("lobby")
    for i in range(15):
        world.create_webhook(int(lobby["id"]), f"other {i}", stage.local.you.id)
    allow(stage, manage_channels=False)
    await seen_by_bot(stage)
    task_id, boss = await begun(stage)
    await says(stage, boss, "second")
    place = f"task-{task_id}-root"
    assert any(t.startswith("**Boss") and t.endswith("second") for t in texts(stage, place))
    assert told(stage, wording.WEBHOOK_FULL, place) == 1


async def test_full_category(stage: Stage) -> None:
    """50 channels in the category: the next group gets a thread, said once."""
    task_id, boss = await begun(stage)
    category = next(c for c in stage.local.you.channels() if c["name"].startswith(f"task {task_id}"))
    world = stage.local.world
    for i in range(49):
        world.create_channel(stage.local.guild_id, f"filler-{i}", parent_id=int(category["id"]))
    await seen_by_bot(stage)
    (ada,) = stage.engine.recruit(boss, "Ada")
    (bob,) = stage.engine.recruit(ada, "Bob")
    await says(stage, bob, "hello")
    assert "hello" in texts(stage, "ada")
    assert stage.local.you.channel("ada")["type"] == discord.ChannelType.public_thread.value
    assert told(stage, wording.CATEGORY_FULL) == 1 and not told(stage, wording.CHANNELS_FULL)


async def test_guild_left_and_joined_again(stage: Stage) -> None:
    """Nothing is lost while the guild is away."""
    _, boss = await begun(stage)
    guild = stage.client.guilds[0]
    stage.client._connection._remove_guild(guild)
    (ada,) = stage.engine.recruit(boss, "Ada")
    (bob,) = stage.engine.recruit(ada, "Bob")
    stage.engine.speak(bob, "while away")
    await asyncio.sleep(0.2)
    stage.client._connection._add_guild(guild)
    stage.outbox.try_again()
    await stage.drain()
    assert "while away" in texts(stage, "ada")


async def test_webhooks_that_go_with_the_bot_are_made_again(stage: Stage) -> None:
    """Invited again, or told by an administrator to try again: agents keep their faces each time."""
    _, boss = await begun(stage)
    channel = stage.local.you.channel("root")
    for word in ("second", "third", "fourth"):
        stage.local.world.delete_webhook(hooks(stage, channel)[0])
        stage.outbox.try_again()
        await says(stage, boss, word)
    assert told(stage, wording.WEBHOOK_GIVEN_UP) == 0 and texts(stage)[-1] == "fourth"


async def test_slow_channels_become_threads(stage: Stage) -> None:
    """When Discord would only make a channel after a long wait, the group gets a thread at once."""
    _, boss = await begun(stage)
    stage.local.faults.limit("POST", r"/guilds/\d+/channels", retry_after=3600 * 50, times=5)
    (ada,) = stage.engine.recruit(boss, "Ada")
    (bob,) = stage.engine.recruit(ada, "Bob")
    await says(stage, bob, "hello")
    assert "hello" in texts(stage, "ada")
    thread = stage.local.you.channel("ada")
    assert thread["parent_id"] == stage.local.you.channel("root")["id"]


async def test_no_more_threads(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 1,000 threads open in the guild a group speaks in the channel above."""
    await deep_thread(stage)
    monkeypatch.setattr(channel_rules, "MAX_THREADS", 1)
    head = next(a.id for a in stage.engine.world.agents.values() if a.name == "Leaf")
    (leaf,) = stage.engine.recruit(head, "Last")
    await says(stage, leaf, "down here")
    thread = stage.local.you.channel("level10")
    above = next(c for c in stage.local.you.channels() if c["id"] == thread["parent_id"])
    assert "down here" in texts(stage, above["name"])


async def test_one_webhook_for_a_crowd(stage: Stage) -> None:
    """Many groups that begin at once in one channel share one webhook and one place each."""
    boss = stage.boss(await stage.task())
    head = boss
    for level in range(10):
        (head,) = stage.engine.recruit(head, f"Level{level}")
    heads = stage.engine.recruit(head, *(f"Head{i}" for i in range(6)))
    for each in heads:
        (leaf,) = stage.engine.recruit(each, f"Leaf{each}")
        stage.engine.speak(leaf, f"from {each}")
    await stage.drain()
    channel = stage.local.you.channel("level8")
    assert len(hooks(stage, channel)) == 1
    names = [c["name"] for c in stage.local.you.channels()]
    assert all(names.count(f"head{i}") == 1 for i in range(6))


async def test_killed_after_the_channel_was_made(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that was made but not yet written down is found again, not made twice."""
    reached = asyncio.Event()

    async def dies(self: PlaceRecords, group_id: int, **values: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(PlaceRecords, "set_group", dies)
    boss = stage.boss(await stage.task())
    stage.engine.speak(boss, "first")
    await asyncio.wait_for(reached.wait(), 60)
    monkeypatch.undo()
    await stage.restart()
    await stage.drain()
    assert "first" in texts(stage)
    assert [c["name"] for c in stage.local.you.channels()].count("root") == 1


async def test_a_title_given_while_the_channel_is_made(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The channel gets it once it is there: nobody looks for a task under its first name."""
    made, named, kept = asyncio.Event(), asyncio.Event(), PlaceRecords.set_group

    async def slow(self: PlaceRecords, group_id: int, **values: Any) -> None:
        made.set()
        await named.wait()
        await kept(self, group_id, **values)

    monkeypatch.setattr(PlaceRecords, "set_group", slow)
    task_id = await stage.task()
    stage.engine.speak(stage.boss(task_id), "first")
    await asyncio.wait_for(made.wait(), 60)
    group_id = stage.engine.world.tasks[task_id].root_group_id
    stage.engine.emit(TaskNamed(task_id, group_id, "sales report"))
    async with asyncio.timeout(60):
        while True:
            if (await PlaceRecords(stage.database).group(group_id)).name == "sales report":
                break
            await asyncio.sleep(0.01)
    named.set()
    await stage.drain()
    assert [c["name"] for c in stage.local.you.channels()].count("sales-report") == 1


async def test_a_title_is_the_topic_too_in_one_edit(stage: Stage) -> None:
    """Discord takes two edits of a name or topic in ten minutes: the mark goes with one, the title is one."""
    task_id, _ = await begun(stage)
    channel = stage.local.you.channel("root")
    stage.engine.emit(TaskNamed(task_id, stage.engine.world.tasks[task_id].root_group_id, "sales report"))
    await stage.drain()
    named = stage.local.you.channel("sales-report")
    assert named["id"] == channel["id"]
    assert named["topic"].startswith(f"sales report (task {task_id}). Reply to an agent")
    edit = ("PATCH", f"/channels/{channel['id']}")
    edits = [call for call in stage.local.rest.calls if (call.method, call.path) == edit]
    assert [call.status for call in edits] == [200, 200]


async def test_tasks_with_one_title_have_one_name(stage: Stage) -> None:
    """Each stands in its own category: only names beside each other are numbered, at first and later."""
    for _ in range(2):
        task_id = await stage.task()
        stage.engine.speak(stage.boss(task_id), "first")
        await stage.drain()
        group_id = stage.engine.world.tasks[task_id].root_group_id
        stage.engine.emit(TaskNamed(task_id, group_id, "sales report"))
        await stage.drain()
    names = [channel["name"] for channel in stage.local.you.channels() if channel["type"] == 0]
    assert names.count("sales-report") == 2


async def test_a_topic_of_people_stays_where_a_title_comes(stage: Stage) -> None:
    """The name is the bot's to change, what people wrote is not."""
    task_id, _ = await begun(stage)
    channel = int(stage.local.you.channel("root")["id"])
    stage.local.world.edit_channel(channel, {"topic": "Sales, second floor"})
    await seen_by_bot(stage)
    stage.engine.emit(TaskNamed(task_id, stage.engine.world.tasks[task_id].root_group_id, "sales report"))
    await stage.drain()
    assert stage.local.you.channel("sales-report")["topic"] == "Sales, second floor"


async def test_a_title_names_the_thread_of_a_task_without_a_channel(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the server has no room for channels, tasks are told apart by their threads."""
    monkeypatch.setattr(channel_rules, "MAX_CHANNELS", 1)
    task_id, _ = await begun(stage)
    assert threads(stage) == [f"task-{task_id}-root"]
    stage.engine.emit(TaskNamed(task_id, stage.engine.world.tasks[task_id].root_group_id, "sales report"))
    await stage.drain()
    assert threads(stage) == [f"task-{task_id}-sales-report"]


async def test_killed_after_the_thread_was_made(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that was made but not yet written down is found again; one that is in use is not taken."""
    member, name = await deep_thread(stage)
    reached, kept = asyncio.Event(), PlaceRecords.set_group

    async def dies(self: PlaceRecords, group_id: int, **values: Any) -> None:
        if values.get("thread_id"):
            reached.set()
            await asyncio.Event().wait()
        await kept(self, group_id, **values)

    monkeypatch.setattr(PlaceRecords, "set_group", dies)
    (deeper,) = stage.engine.recruit(member, "Deeper")
    stage.engine.speak(deeper, "first")
    await asyncio.wait_for(reached.wait(), 60)
    monkeypatch.undo()
    before = [c["name"] for c in stage.local.you.channels() if c["type"] == 11]
    await stage.restart()
    await stage.drain()
    assert [c["name"] for c in stage.local.you.channels() if c["type"] == 11] == before
    assert len(before) == len(set(before)) and name in before


async def test_a_notice_waits_where_nothing_can_be_said(stage: Stage) -> None:
    """Not in its channel, and the server has no other: it comes when it can, and is not dropped."""
    world, lobby = stage.local.world, int(stage.local.you.channel("lobby")["id"])
    world.get_guild(stage.local.guild_id).system_channel_id = None
    allow(stage, send_messages=False, manage_webhooks=False)
    await seen_by_bot(stage)
    await stage.outbox.notices.say_in("key", stage.local.guild_id, lobby, "kept")
    await world.pulse.until(lambda: any(call.status == 403 for call in stage.local.rest.calls), 10)
    await seen_by_bot(stage)
    assert (await stage.outbox.ledger.counts()).get("dropped") is None
    allow(stage, send_messages=True)
    stage.outbox.try_again()
    await world.pulse.until(lambda: texts(stage, "lobby")[-1:] == ["kept"], 10)


async def test_a_place_given_up_while_the_one_above_is_gone_too(stage: Stage) -> None:
    """Words for a place deleted twice come where its parent speaks, though that is gone as well."""
    _, boss = await begun(stage)
    (ada,) = stage.engine.recruit(boss, "Ada")
    (bob,) = stage.engine.recruit(ada, "Bob")
    await says(stage, bob, "one")
    for speakers in ((bob, boss), (bob,)):
        for place in ("ada", "root"):
            stage.local.world.delete_channel(int(stage.local.you.channel(place)["id"]))
        await seen_by_bot(stage)
        for speaker in speakers:
            stage.engine.speak(speaker, f"again {len(speakers)}")
        async with asyncio.timeout(60):
            await stage.drain()
    assert "again 1" in texts(stage, "lobby")


async def test_a_thread_of_a_channel_that_is_gone(stage: Stage) -> None:
    """The channel is made again for it: a new group does not speak where everybody reads."""
    _, boss = await begun(stage)
    head = boss
    for level in range(10):
        (head,) = stage.engine.recruit(head, f"Level{level}")
    stage.engine.speak(head, "deep")
    await stage.drain()
    stage.local.world.delete_channel(int(stage.local.you.channel("level8")["id"]))
    await seen_by_bot(stage)
    (leaf,) = stage.engine.recruit(head, "Leaf")
    await says(stage, leaf, "from a new thread")
    thread = stage.local.you.channel("level9")
    assert "from a new thread" in texts(stage, "level9")
    assert thread["parent_id"] == stage.local.you.channel("level8")["id"]


async def test_a_title_is_not_read_as_marks(stage: Stage) -> None:
    """What the bot says of a place names it as it is written: a title could pass for words of the bot."""
    task_id, boss = await begun(stage)
    title = "[prize](https://evil.example) **now**"
    stage.engine.emit(TaskNamed(task_id, stage.engine.world.tasks[task_id].root_group_id, title))
    await stage.drain()
    place = stage.local.you.channel("prize-https-evil-example-now")
    stage.local.world.delete_channel(int(place["id"]))
    await says(stage, boss, "second")
    (repaired,) = [t for t in texts(stage, place["name"]) if "was deleted" in t]
    assert "](https" not in repaired and "**now**" not in repaired


async def test_a_locked_thread_holds_up_nobody_else(stage: Stage) -> None:
    """Where the bot may not open it, its words wait; the channel around it and its other threads go on."""
    member, name = await deep_thread(stage)
    above = next(
        c for c in stage.local.you.channels() if c["id"] == stage.local.you.channel(name)["parent_id"]
    )
    head = next(a.id for a in stage.engine.world.agents.values() if a.name.lower() == above["name"])
    (other,) = stage.engine.recruit(head, "Other")
    stage.local.faults.refuse(
        "POST", r"/(webhooks|channels)/.*", status=400, code=50083, containing="behind the lock"
    )
    stage.local.faults.refuse("PATCH", r"/channels/\d+$", status=403, code=50013)
    stage.engine.speak(member, "behind the lock")
    stage.engine.speak(member, "and after it")
    await asyncio.sleep(0.5)
    stage.engine.speak(other, "the channel goes on")
    async with asyncio.timeout(60):
        while "the channel goes on" not in texts(stage, above["name"]):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)
    assert "behind the lock" not in "\n".join(texts(stage, name))
    locked = stage.local.you.channel(name)["id"]
    stage.local.faults.clear()
    stage.outbox.try_again()
    await stage.drain()
    assert "\n".join(texts(stage, name)).endswith("behind the lock\nand after it")
    assert told(stage, wording.THREAD_LOCKED.format(thread=locked)) == 1
