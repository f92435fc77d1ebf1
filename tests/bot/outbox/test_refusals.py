"""What Discord refuses is sorted by code and field: a safe name, a note, or a wait; no word is lost."""

from __future__ import annotations

from typing import Any

import discord
import pytest
from simcord.backend import serializers
from simcord.enums import ChannelType
from sqlalchemy.exc import OperationalError

from bot.features.files.archive import close_places
from bot.local.channel_rules import REQUIRE_TAG
from bot.local.faults import LimitScope
from bot.texts import outbox as wording
from engine.commands import AnswerGate
from engine.events import TaskEnded
from tests.bot.outbox.conftest import SCALE, Stage
from tests.bot.places.test_repairs import allow, begun, deep_thread, says, seen_by_bot, texts, told

EXECUTE = r"/webhooks/\d+/[^/]+"
BOT_SEND = r"/channels/\d+/messages"
EVERYWHERE = rf"(?:{EXECUTE}|{BOT_SEND})"
HOOKS = r"/channels/\d+/webhooks"
NEW_CHANNEL = r"/guilds/\d+/channels"
NEW_THREAD = r"/channels/\d+/threads"


def masked(stage: Stage, place: str = "root") -> list[tuple[str, str]]:
    """(name, words without what was done) of what webhooks said."""
    said = [m for m in stage.said(place) if m.get("webhook_id")]
    return [(m["author"]["username"], m["content"].partition("\n-# ")[0]) for m in said]


def attached(stage: Stage, message: dict[str, Any]) -> str:
    """The text of a message's files."""
    found = [stage.local.world.cdn.get(file["url"]) for file in message["attachments"]]
    return "".join(data.decode() for data in found if data is not None)


@pytest.mark.parametrize(("status", "code"), [(400, 240000), (400, 200000), (403, 200000), (403, 20009)])
async def test_refused_words_come_as_a_file(stage: Stage, status: int, code: int) -> None:
    """Filters for links and words: a note in their place, and the persona keeps its face."""
    _, boss = await begun(stage)
    stage.local.faults.refuse("POST", EVERYWHERE, status=status, code=code, containing="badlink")
    await says(stage, boss, "see badlink.example", "next words")
    (note,) = [m for m in stage.said("root") if m["attachments"]]
    assert note["content"].startswith(wording.NOT_TAKEN.split("**")[0])
    assert attached(stage, note) == "see badlink.example"
    assert [words for _, words in masked(stage)] == ["first", "next words"]
    assert "dropped" not in await stage.outbox.ledger.counts()


async def test_refused_as_a_file_too(stage: Stage) -> None:
    """The note then says where the words are; nothing is dropped, and the next words come."""
    _, boss = await begun(stage)
    stage.local.faults.refuse("POST", EVERYWHERE, status=400, code=240000, containing="badlink")
    stage.local.faults.refuse("POST", BOT_SEND, status=400, code=240000, containing="message\\\\.md|attached")
    await says(stage, boss, "see badlink.example", "next words")
    assert told(stage, wording.NOT_TAKEN_BARE.split("**")[-1]) == 1
    assert "next words" in texts(stage)


async def test_a_gates_buttons_survive_a_refusal(stage: Stage) -> None:
    """The question comes as a file, with its buttons."""
    _, boss = await begun(stage)
    stage.local.faults.refuse("POST", EVERYWHERE, status=400, code=240000, containing="badlink")
    stage.engine.raise_gate(boss, "Shall we use badlink?", ("yes", "no"))
    await stage.drain()
    (note,) = [m for m in stage.said("root") if m["attachments"]]
    assert note["components"] and "badlink" in attached(stage, note)


@pytest.mark.parametrize("words_too", [False, True])
async def test_a_question_whose_buttons_are_refused_is_asked_without(stage: Stage, words_too: bool) -> None:
    """It says what to reply, and a reply is the answer; where its words are refused too, they are a file."""
    _, boss = await begun(stage)
    refusal: dict[str, Any] = {"status": 400, "code": 50035, "field": "components"}
    stage.local.faults.refuse("POST", EVERYWHERE, **refusal, containing="custom_id")
    if words_too:
        stage.local.faults.refuse("POST", EVERYWHERE, status=400, code=240000, containing="badlink")
    stage.engine.raise_gate(boss, "Shall we use badlink?", ("yes", "n*o*"))
    await stage.drain()
    (asked,) = [m for m in stage.said("root") if "yes" in m["content"]]
    assert not asked["components"] and "yes · n\\*o\\*" in asked["content"]
    assert "badlink" in (attached(stage, asked) if words_too else asked["content"])
    assert "dropped" not in await stage.outbox.ledger.counts()


async def test_too_large(stage: Stage) -> None:
    """The files' message comes without them, naming them."""
    task_id, boss = await begun(stage)
    stage.engine.write(boss, "out.bin", b"x" * 1000)
    group = stage.engine.world.tasks[task_id].root_group_id
    stage.engine.emit(TaskEnded(task_id, group, "done", "All is done.", ("out.bin",), True))
    stage.local.faults.refuse(
        "POST", EVERYWHERE, status=413, code=40005, containing="deliverables are attached", times=1
    )
    await stage.drain()
    assert told(stage, wording.TOO_LARGE.format(names="`out.bin`")) == 1


async def test_files_of_one_name_in_several_folders_are_told_apart(stage: Stage) -> None:
    """Discord shows no folders. What ends alike, also with the engine's own file of runs, says its folder."""
    task_id, boss = await begun(stage)
    paths: tuple[str, ...] = (
        "de/README.md",
        "en/readme.md",
        "src/main.py",
        "x/runs.txt",
        "a_b/c.py",
        "a/b_c.py",
        "b/a_b_c.py",
    )
    paths += (f"out/{wording.RUNS_FILE}", "d/b_c.py")
    for path in paths:
        stage.engine.write(boss, path, path.encode())
    group = stage.engine.world.tasks[task_id].root_group_id
    ended = TaskEnded(task_id, group, "done", "All is done.", paths, True, runs=("ran",))
    stage.engine.emit(ended)
    await stage.drain()
    (message,) = [m for m in stage.said("root") if m["attachments"]]
    names = [each["filename"] for each in message["attachments"]]
    assert names[:3] == ["de_README.md", "en_readme.md", "main.py"]
    assert f"out_{wording.RUNS_FILE}" in names and wording.RUNS_FILE in names
    assert len({name.casefold() for name in names}) == len(paths) + 1


async def test_more_files_than_a_message_holds(stage: Stage) -> None:
    """Ten are attached; of the others it is said where they are, not that they are too large."""
    task_id, boss = await begun(stage)
    names = tuple(f"part{n:02d}.txt" for n in range(21))
    for name in names:
        stage.engine.write(boss, name, b"words")
    group = stage.engine.world.tasks[task_id].root_group_id
    stage.engine.emit(TaskEnded(task_id, group, "done", "All is done.", names, True))
    await stage.drain()
    (listed,) = [m for m in stage.said("root") if m["attachments"]]
    assert [each["filename"] for each in listed["attachments"]] == list(names[:10])
    assert "Too large" not in listed["content"] and "`part10.txt`" in listed["content"]
    assert "and 3 more" in listed["content"]


async def test_a_refused_name_is_replaced_and_said_once(stage: Stage) -> None:
    """Only a refusal that names the field costs the name; the words keep their webhook."""
    _, boss = await begun(stage)
    (ada,) = stage.engine.recruit(boss, "Adabad")
    stage.local.faults.refuse(
        "POST", EXECUTE, status=400, code=50035, field="username", containing='username": "Adabad'
    )
    await says(stage, ada, "one", "two")
    named = {words: name for name, words in masked(stage)}
    assert named["one"] == named["two"] and named["one"].startswith("Agent ")
    assert told(stage, wording.NAME_REFUSED.format(name=named["one"])) == 1
    await says(stage, boss, "boss again")
    assert {w: n for n, w in masked(stage)}["boss again"].startswith("Boss")


async def test_a_refusal_without_a_reason_concerns_one_message(stage: Stage) -> None:
    """The bot says it; the persona speaks by itself again at once."""
    _, boss = await begun(stage)
    stage.local.faults.fail("POST", EXECUTE, status=400)
    await says(stage, boss, "still heard", "again masked")
    assert any(t.endswith("still heard") for t in texts(stage))
    assert "again masked" in [words for _, words in masked(stage)]


@pytest.mark.parametrize("trouble", ["cut", "503", "429"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_trouble_while_the_webhook_is_looked_for(stage: Stage, trouble: str, method: str) -> None:
    """The first words of a channel wait, however long it takes."""
    boss = stage.boss(await stage.task())
    if trouble == "cut":
        stage.local.faults.drop_before(method, HOOKS, times=12)
    elif trouble == "503":
        stage.local.faults.fail(method, HOOKS, status=503, times=12)
    else:
        stage.local.faults.limit(method, HOOKS, scope=LimitScope.CLOUDFLARE, retry_after=0, times=2)
    stage.engine.speak(boss, "first")
    await stage.drain()
    assert "first" in "\n".join(texts(stage))
    assert "dropped" not in await stage.outbox.ledger.counts()


async def test_making_webhooks_is_limited_for_long(stage: Stage) -> None:
    """The bot speaks meanwhile, names in front."""
    boss = stage.boss(await stage.task())
    stage.local.faults.limit("POST", HOOKS, retry_after=3600 * SCALE, times=1)
    stage.engine.speak(boss, "first")
    await stage.drain()
    assert any(t.startswith("**Boss") and t.endswith("first") for t in texts(stage))


@pytest.mark.parametrize(
    ("code", "said"), [(30007, wording.WEBHOOK_FULL), (30058, wording.WEBHOOK_GUILD_FULL)]
)
async def test_no_more_webhooks(stage: Stage, code: int, said: str) -> None:
    """In the channel or in the server: the bot's voice, said once."""
    boss = stage.boss(await stage.task())
    stage.local.faults.refuse("POST", HOOKS, status=400, code=code)
    await says(stage, boss, "first", "second")
    assert any(t.endswith("second") for t in texts(stage)) and told(stage, said) == 1


async def test_place_deleted_while_discord_is_in_trouble(stage: Stage) -> None:
    """Repairing goes on until it succeeds."""
    _, boss = await begun(stage)
    stage.local.world.delete_channel(int(stage.local.you.channel("root")["id"]))
    stage.local.faults.fail("POST", NEW_CHANNEL, status=503, times=12)
    await says(stage, boss, "second")
    assert "second" in texts(stage)


@pytest.mark.parametrize("field", ["name", ""])
async def test_a_groups_name_is_filtered(stage: Stage, field: str) -> None:
    """A plain name instead, said once."""
    _, boss = await begun(stage)
    stage.local.faults.refuse(
        "POST",
        NEW_CHANNEL,
        status=400,
        code=50035,
        message="INVALID_COMMUNITY_PROPERTY_NAME",
        field=field,
        field_code="INVALID_COMMUNITY_PROPERTY_NAME",
        containing="badword",
    )
    (ada,) = stage.engine.recruit(boss, "Badword")
    (bob,) = stage.engine.recruit(ada, "Bob")
    await says(stage, bob, "hello")
    (plain,) = [c["name"] for c in stage.local.you.channels() if c["name"].startswith("group-")]
    assert "hello" in texts(stage, plain) and told(stage, wording.PLACE_NAME_REFUSED, plain) == 1
    await stage.restart()
    await says(stage, bob, "again")
    assert "again" in texts(stage, plain)


async def test_a_title_is_filtered(stage: Stage) -> None:
    """The category gets a plain name."""
    title = r"task \d+ . Root"
    stage.local.faults.refuse("POST", NEW_CHANNEL, status=400, code=50035, field="name", containing=title)
    task_id = await stage.task()
    await says(stage, stage.boss(task_id), "hello")
    assert "hello" in texts(stage) and f"task {task_id}" in [c["name"] for c in stage.local.you.channels()]


@pytest.mark.parametrize("code", [160006, 160007, 50024, 30061])
async def test_a_thread_is_refused(stage: Stage, code: int) -> None:
    """For whatever reason: the group speaks in the channel above."""
    allow(stage, manage_channels=False)
    await seen_by_bot(stage)
    stage.local.faults.refuse("POST", NEW_THREAD, status=400, code=code)
    await says(stage, stage.boss(await stage.task()), "hello")
    assert "hello" in texts(stage, "lobby")


async def test_a_channel_is_refused_for_an_unknown_reason(stage: Stage) -> None:
    """The group gets a thread, and it is said."""
    stage.local.faults.refuse("POST", NEW_CHANNEL, status=400, code=30061)
    task_id = await stage.task()
    await says(stage, stage.boss(task_id), "hello")
    place = f"task-{task_id}-root"
    assert "hello" in texts(stage, place) and told(stage, wording.CHANNELS_REFUSED, place) == 1


async def test_two_factor_authentication(stage: Stage) -> None:
    """60003 is told as what it is."""
    for path in (NEW_CHANNEL, HOOKS):
        stage.local.faults.refuse("POST", path, status=403, code=60003)
    task_id = await stage.task()
    await says(stage, stage.boss(task_id), "hello")
    place = f"task-{task_id}-root"
    assert told(stage, wording.CHANNELS_2FA, place) == told(stage, wording.WEBHOOK_2FA, place) == 1


async def elsewhere(stage: Stage, kind: int) -> str:
    """A task begun in a channel of another kind, where no channel can be made; the channel's name."""
    allow(stage, manage_channels=False)
    stage.local.world.create_channel(stage.local.guild_id, "place", type=kind)
    await seen_by_bot(stage)
    task_id = await stage.task(channel="place")
    await says(stage, stage.boss(task_id), "hello")
    return f"task-{task_id}-root"


@pytest.mark.parametrize("kind", [ChannelType.VOICE, ChannelType.STAGE_VOICE])
async def test_begun_in_a_voice_channel(stage: Stage, kind: int) -> None:
    """Its chat has no threads but takes webhooks."""
    await elsewhere(stage, kind)
    assert "hello" in [words for _, words in masked(stage, "place")]


async def test_begun_in_an_announcement_channel(stage: Stage) -> None:
    """Only announcement threads exist there."""
    thread = await elsewhere(stage, ChannelType.NEWS)
    assert "hello" in texts(stage, thread)


async def test_begun_in_a_thread(stage: Stage) -> None:
    """The group's thread is beside it, in the channel where these people are, not in the system channel."""
    allow(stage, manage_channels=False)
    world, you = stage.local.world, stage.local.you
    channel = world.create_channel(stage.local.guild_id, "dev")
    world.create_thread(channel.id, "talk", owner_id=you.id)
    await seen_by_bot(stage)
    task_id = await stage.task(channel="talk")
    await says(stage, stage.boss(task_id), "hello")
    place = you.channel(f"task-{task_id}-root")
    assert place["parent_id"] == str(channel.id) and "hello" in texts(stage, place["name"])


async def test_begun_in_a_forum(stage: Stage) -> None:
    """Nobody can write in the forum itself: its group gets a post there, with webhook and all."""
    thread = await elsewhere(stage, ChannelType.FORUM)
    assert ("Boss", "hello") in masked(stage, thread)
    assert stage.local.you.channel(thread)["parent_id"] == stage.local.you.channel("place")["id"]


def make_media(stage: Stage, forum_id: int) -> None:
    """Let a new forum be a media channel, and tell the bot so."""
    world = stage.local.world
    world.media_channels.add(forum_id)
    world.emit("CHANNEL_CREATE", dict(serializers.channel_payload(world, world.channels[forum_id])))


@pytest.mark.parametrize("kind", ["post", "tag", "moderated", "refused", "media"])
async def test_begun_in_a_post(stage: Stage, kind: str) -> None:
    """The groups get posts in the same forum; where that takes more than words, a thread elsewhere."""
    allow(stage, manage_channels=False)
    world, you = stage.local.world, stage.local.you
    forum = world.create_channel(stage.local.guild_id, "ideas", type=ChannelType.FORUM)
    if kind == "media":
        make_media(stage, forum.id)
    if kind in ("tag", "moderated"):
        tag = {"id": "7", "name": "bots", "moderated": kind == "moderated", "emoji_id": None}
        world.channel_flags[forum.id] = REQUIRE_TAG
        world.edit_channel(forum.id, {"available_tags": [tag | {"emoji_name": None}]})
    world.edit_channel(forum.id, {"topic": "announced"})
    world.create_thread(forum.id, "my idea", owner_id=you.id)
    if kind == "refused":
        stage.local.faults.refuse("POST", rf"/channels/{forum.id}/threads", status=400, code=160006)
    await seen_by_bot(stage)
    task_id = await stage.task(channel="my idea")
    boss = stage.boss(task_id)
    await says(stage, boss, "hello")
    (ada,) = stage.engine.recruit(boss, "Ada")
    (bob,) = stage.engine.recruit(ada, "Bob")
    await says(stage, bob, "deeper")
    root = you.channel(f"task-{task_id}-root")
    inside = root["parent_id"] == str(forum.id)
    assert ("Boss", "hello") in masked(stage, root["name"]) and inside == (kind in ("post", "tag"))
    below = you.channel(f"task-{task_id}-ada")
    assert (
        "deeper" in [words for _, words in masked(stage, below["name"])]
        and below["parent_id"] == root["parent_id"]
    )
    assert not [m for m in stage.said("my idea") if m["author"].get("bot")]


async def test_a_server_with_nothing_but_a_media_channel(stage: Stage) -> None:
    """Words go there when there is no other channel for them, in a post, which is archived like a thread."""
    allow(stage, manage_channels=False)
    world, you = stage.local.world, stage.local.you
    forum = world.create_channel(stage.local.guild_id, "pictures", type=ChannelType.FORUM)
    make_media(stage, forum.id)
    world.edit_channel(forum.id, {"topic": "announced"})
    for channel in you.channels():
        if int(channel["id"]) != forum.id:
            world.delete_channel(int(channel["id"]))
    world.create_thread(forum.id, "my picture", owner_id=you.id)
    await seen_by_bot(stage)
    seen = stage.client.get_channel(forum.id)
    assert isinstance(seen, discord.ForumChannel) and seen.is_media()
    task_id = await stage.task(channel="my picture")
    await says(stage, stage.boss(task_id), "hello")
    post = you.channel(f"task-{task_id}-root")
    assert ("Boss", "hello") in masked(stage, post["name"]) and post["parent_id"] == str(forum.id)
    closed = await close_places(stage.client, stage.database, stage.outbox.transcripts, task_id, remove=False)
    meta = world.channels[int(post["id"])].thread_metadata
    assert (
        meta is not None and meta.archived and meta.locked and (closed.forbidden, closed.not_ours) == ((), ())
    )


@pytest.mark.parametrize(("status", "code"), [(400, 50083), (403, 50083), (400, 160005)])
async def test_an_archived_thread_is_opened_again(stage: Stage, status: int, code: int) -> None:
    """Archived or locked, for a webhook: the bot opens the thread and the persona speaks."""
    member, name = await deep_thread(stage)
    stage.local.faults.refuse("POST", EXECUTE, status=status, code=code, times=1)
    await says(stage, member, "again")
    assert "again" in [words for _, words in masked(stage, name)]


async def test_a_locked_thread_refuses_the_webhook(stage: Stage) -> None:
    """The bot, who may manage threads, says it."""
    member, name = await deep_thread(stage)
    stage.local.faults.refuse("POST", EXECUTE, status=400, code=50083)
    await says(stage, member, "again")
    assert any(t.startswith("**Leaf") and t.endswith("again") for t in texts(stage, name))


async def test_messages_in_an_archived_thread_are_changed(stage: Stage) -> None:
    """A mark and a closed question reach messages in a thread that was archived meanwhile."""
    member, name = await deep_thread(stage)
    gate = stage.engine.raise_gate(member, "Shall we?", ("yes", "no"))
    await stage.drain()
    you, thread = stage.local.you, stage.local.you.channel(name)
    written = await you.send(thread, "words")
    stage.local.world.edit_channel(int(thread["id"]), {}, thread_metadata={"archived": True})
    await stage.outbox.notices.mark(f"{thread['id']}:{written['id']}", "📨")
    await stage.drain()
    stage.local.world.edit_channel(int(thread["id"]), {}, thread_metadata={"archived": True})
    await stage.engine.handle(AnswerGate(gate, f"discord:{you.id}", text="yes"))
    await stage.drain()
    shown = {m["id"]: m for m in stage.said(name)}
    assert shown[written["id"]]["reactions"] and not any(m["components"] for m in shown.values())


async def test_a_404_of_something_else_makes_no_channel(stage: Stage) -> None:
    """Only Unknown Channel means that a place is gone; anything else is tried again."""
    _, boss = await begun(stage)
    before = {c["id"] for c in stage.local.you.channels()}
    stage.local.faults.refuse("POST", BOT_SEND, status=404, code=0, times=2)
    stage.engine.raise_gate(boss, "Shall we?", ("yes", "no"), kind="plan")
    stage.engine.raise_gate(boss, "Shall we?", ("yes", "no"), kind="share")
    await stage.drain()
    assert {c["id"] for c in stage.local.you.channels()} == before
    assert [m for m in stage.said("root") if m["components"]]


async def test_a_question_of_a_deleted_webhook_is_said_to_be_closed(stage: Stage) -> None:
    """Nobody can change the message any more: its buttons stay, and why is said beside them."""
    _, boss = await begun(stage)
    gate = stage.engine.raise_gate(boss, "Shall we?", ("yes", "no"))
    await stage.drain()
    (hook,) = stage.local.world.webhooks
    await stage.local.you.delete_webhook(hook)
    await stage.engine.handle(AnswerGate(gate, f"discord:{stage.local.you.id}", text="yes"))
    await stage.drain()
    assert told(stage, wording.GATE_ORPHANED) == 1


async def test_a_store_in_trouble_stops_nothing_for_good(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Posts that cannot be read, or marked as done, now are later; the reader goes on."""
    _, boss = await begun(stage)
    ledger, failed = stage.outbox.ledger, set[str]()

    def once(name: str) -> None:
        does = getattr(ledger, name)

        async def work(*given: Any, **named: Any) -> Any:
            if name not in failed:
                failed.add(name)
                raise OperationalError(name, {}, OSError("gone"))
            return await does(*given, **named)

        monkeypatch.setattr(ledger, name, work)

    for name in ("waiting", "close_entries", "begin", "sent"):
        once(name)
    written = await stage.local.you.send(stage.local.you.channel("root"), "words")
    await stage.outbox.notices.mark(f"{written['channel_id']}:{written['id']}", "📨")
    await says(stage, boss, "second")
    shown = {m["id"]: m for m in stage.said("root")}
    assert len(failed) == 4 and shown[written["id"]]["reactions"] and texts(stage).count("second") == 1


async def test_marks_that_are_forbidden_are_said_where_people_look(stage: Stage) -> None:
    """Without Add Reactions: once in that channel, with the permission's name."""
    _, boss = await begun(stage)
    allow(stage, add_reactions=False)
    await seen_by_bot(stage)
    for words in ("one", "two"):
        written = await stage.local.you.send(stage.local.you.channel("root"), words)
        ref = f"{written['channel_id']}:{written['id']}"
        await stage.outbox.notices.mark(ref, "📨")
        await says(stage, boss, f"after {words}")
    await stage.drain()
    channel = stage.local.you.channel("root")["id"]
    assert told(stage, wording.MARK_FORBIDDEN.format(channel=channel)) == 1


async def test_a_gate_that_cannot_be_closed_is_said(stage: Stage) -> None:
    """Its buttons stay and do nothing; people read why beside them."""
    _, boss = await begun(stage)
    gate = stage.engine.raise_gate(boss, "Shall we?", ("yes", "no"))
    await stage.drain()
    stage.local.faults.refuse("PATCH", r".*/messages/\d+", status=403, code=50001)
    await stage.engine.handle(AnswerGate(gate, f"discord:{stage.local.you.id}", text="yes"))
    await stage.drain()
    assert told(stage, wording.GATE_STUCK) == 1


async def test_the_bots_own_token_is_refused(stage: Stage) -> None:
    """401 on the bot's routes says nothing of places or webhooks: nothing is made, it is tried again."""
    _, boss = await begun(stage)
    before = {c["id"] for c in stage.local.you.channels()}
    stage.local.faults.fail("POST", BOT_SEND, status=401, times=2)
    stage.engine.raise_gate(boss, "Shall we?", ("yes", "no"))
    await stage.drain()
    assert {c["id"] for c in stage.local.you.channels()} == before
    assert [m for m in stage.said("root") if m["components"]]


async def test_the_webhook_that_stands_in_for_the_bot_was_deleted(stage: Stage) -> None:
    """Without Send Messages the bot speaks by its webhook; a deleted one is made again, not the channel."""
    task_id, boss = await begun(stage)
    before = stage.local.you.channel("root")["id"]
    await stage.local.you.overwrite(before, stage.local.you.bot_role, deny=["send_messages"])
    (hook,) = stage.local.world.webhooks
    await stage.local.you.delete_webhook(hook)
    stage.engine.raise_gate(boss, "Shall we?", ("yes", "no"))
    await stage.drain()
    assert stage.local.you.channel("root")["id"] == before and task_id
    assert [m for m in stage.said("root") if m["components"]]


@pytest.mark.parametrize("whose", ["the server's", "the task's"])
async def test_a_category_closed_to_the_bot(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """Channels begin with their category's permissions: the bot does not lock itself out."""
    you, world = stage.local.you, stage.local.world
    chosen = world.create_channel(stage.local.guild_id, "Agents", type=ChannelType.CATEGORY)
    if whose == "the server's":

        async def category_of(_guild: int) -> int:
            return chosen.id

        monkeypatch.setattr(stage.outbox.provision, "_category_of", category_of)
        await you.overwrite(chosen.id, you.bot_role, deny=["view_channel"])
        await seen_by_bot(stage)
        task_id, _ = await begun(stage)
        assert told(stage, wording.CATEGORY_CLOSED) == 1
        assert you.channel("root")["parent_id"] == you.channel(f"task {task_id} · Root")["id"]
        return
    task_id, boss = await begun(stage)
    own = you.channel(f"task {task_id} · Root")["id"]
    await you.overwrite(own, you.bot_role, deny=["view_channel"])
    await seen_by_bot(stage)
    (ada,) = stage.engine.recruit(boss, "Ada")
    stage.engine.recruit(ada, "Bo")
    await says(stage, ada, "here")
    assert world.channels[int(you.channel("root")["id"])].parent_id == int(own)


async def test_nothing_can_be_said_for_long(stage: Stage) -> None:
    """Even the plainest note is refused: kept, posted when Discord takes it again, over a restart too."""
    _, boss = await begun(stage)
    stage.local.faults.refuse("POST", EVERYWHERE, status=400, code=240000)
    stage.engine.speak(boss, "kept")
    await stage.local.world.pulse.until(lambda: len(stage.local.faults.met) > 4, 10)
    await stage.restart()
    stage.local.faults.clear()
    await stage.drain()
    assert "kept" in texts(stage) and "dropped" not in await stage.outbox.ledger.counts()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        *((400, 160006, wording.THREADS_FULL), (400, 160007, wording.THREADS_FULL)),
        *((403, 50013, wording.THREADS_FORBIDDEN), (403, 60003, wording.THREADS_2FA)),
        (400, 50024, wording.THREADS_REFUSED),
    ],
)
async def test_why_there_is_no_thread_is_said(stage: Stage, status: int, code: int, said: str) -> None:
    """Where the group speaks instead, once for a task."""
    allow(stage, manage_channels=False)
    await seen_by_bot(stage)
    stage.local.faults.refuse("POST", NEW_THREAD, status=status, code=code)
    boss = stage.boss(await stage.task())
    await says(stage, boss, "hello")
    (ada,) = stage.engine.recruit(boss, "Ada")
    stage.engine.recruit(ada, "Bo")
    await says(stage, ada, "here")
    assert "hello" in texts(stage, "lobby") and told(stage, said, "lobby") == 1


@pytest.mark.parametrize(("status", "code"), [(400, 30010), (403, 90001)])
async def test_marks_that_are_refused_are_said(stage: Stage, status: int, code: int) -> None:
    """Too many reactions, or its writer has blocked the bot: no permission is asked for."""
    _, boss = await begun(stage)
    stage.local.faults.refuse("PUT", r".*/reactions/.*", status=status, code=code)
    written = await stage.local.you.send(stage.local.you.channel("root"), "one")
    await stage.outbox.notices.mark(f"{written['channel_id']}:{written['id']}", "📨")
    await says(stage, boss, "after", "and after")
    channel = stage.local.you.channel("root")["id"]
    assert told(stage, wording.MARK_REFUSED.format(channel=channel)) == 1
    assert told(stage, wording.MARK_FORBIDDEN.format(channel=channel)) == 0


async def test_a_question_whose_message_may_not_change_is_said(stage: Stage) -> None:
    """Whatever Discord has against it; a limit of the moment is waited for, without holding up others."""
    _, boss = await begun(stage)
    first = stage.engine.raise_gate(boss, "Shall we?", ("yes", "no"))
    await stage.drain()
    second = stage.engine.raise_gate(boss, "And now?", ("yes", "no"))
    await stage.drain()
    stage.local.faults.refuse("PATCH", r".*/messages/\d+", status=400, code=30046, times=2)
    await stage.engine.handle(AnswerGate(first, f"discord:{stage.local.you.id}", text="yes"))
    await stage.drain()
    stage.local.faults.refuse("PATCH", r".*/messages/\d+", status=400, code=50035)
    await stage.engine.handle(AnswerGate(second, f"discord:{stage.local.you.id}", text="yes"))
    await stage.drain()
    assert [bool(m["components"]) for m in stage.said("root") if "?" in m["content"]] == [False, True]
    assert told(stage, wording.GATE_REFUSED) == 1


BETWEEN = (400, 403, 404, 405, 408, 413, 520, 530)


async def test_an_answer_of_something_between_changes_nothing(stage: Stage) -> None:
    """A proxy's page has no code of Discord's: no webhook, channel, permission or word is thought refused."""
    _, boss = await begun(stage)
    before, hook = {c["id"] for c in stage.local.you.channels()}, set(stage.local.world.webhooks)
    for status in BETWEEN:
        stage.local.faults.fail("POST", EVERYWHERE, status=status, times=2)
        await says(stage, boss, f"after {status}")
    assert [words for _, words in masked(stage)] == ["first", *(f"after {status}" for status in BETWEEN)]
    assert {c["id"] for c in stage.local.you.channels()} == before and set(stage.local.world.webhooks) == hook
    assert not [t for t in texts(stage) if t.startswith("🔧")]


@pytest.mark.parametrize("path", [NEW_CHANNEL, HOOKS])
async def test_something_between_makes_no_thread_of_a_channel(stage: Stage, path: str) -> None:
    """The channel and its webhook are made as soon as Discord itself answers."""
    for status in (400, 405, 408):
        stage.local.faults.fail("POST", path, status=status)
    await begun(stage)
    assert not stage.local.you.channel("root").get("thread_metadata")
    assert [words for _, words in masked(stage)] == ["first"]
