"""The bot over real HTTP and websocket: what in-process simulation cannot show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from simcord.enums import AppCommandType, InteractionType

from bot.app.login import login_error_text, reads_messages
from bot.discord.request_stop import RequestStop
from bot.local import LocalDiscord, LocalOptions, point_discord_at
from bot.local.faults import LimitScope
from bot.local.interactions import CannotError
from engine.commands import PauseTask, SayToAgent, StartTask
from engine.queries import SpendingView
from tests.bot.features.conftest import Stage

PATIENCE_S = 60.0
CARD_EDIT = r"/channels/\d+/messages/\d+"
POST = r"/channels/\d+/messages"


class Loop:
    """A local Discord, the bot connected to it, its engine behind."""

    def __init__(self, local: LocalDiscord) -> None:
        self.local, self.stage = local, Stage()
        self.lobby = int(local.you.channel("lobby")["id"])

    async def connect(self) -> None:
        """A new bot over the same parts."""
        self.bot = self.stage.bot()
        ready = asyncio.Event()

        async def on_ready() -> None:
            ready.set()

        self.bot.add_listener(on_ready)
        self.running = asyncio.create_task(self.bot.start(self.local.token))
        async with asyncio.timeout(PATIENCE_S):
            await ready.wait()

    async def close(self) -> None:
        """Away."""
        await self.bot.close()
        handling = [task for task in asyncio.all_tasks() if task.get_name().startswith("discord.py: on_")]
        await asyncio.wait([self.running, *handling], timeout=PATIENCE_S)

    async def begin(self) -> int:
        """A task whose root group meets in the lobby; its id."""
        await self.local.you.slash(self.lobby, "task new", goal="Build a boat")
        task = self.stage.engine.world.tasks[1]
        await self.stage.meets(task.root_group_id, discord.Object(self.lobby))
        return task.id

    def said(self) -> list[str]:
        """What reached agents."""
        return [c.text for c in self.stage.engine.commands if isinstance(c, SayToAgent)]

    async def until(self, *texts: str) -> None:
        """Wait until exactly these words reached agents."""
        await self.local.world.pulse.until(lambda: self.said() == list(texts), PATIENCE_S)

    async def cards(self) -> list[discord.Message]:
        """Cards in the lobby."""
        channel: Any = self.bot.get_channel(self.lobby)
        return [m async for m in channel.history() if m.flags.components_v2]


@pytest.fixture
async def loop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Loop]:
    """Connected; reconnects do not dawdle."""
    monkeypatch.setattr("discord.client.ExponentialBackoff.delay", lambda self: 0.05)

    async def at_once(self: discord.Client, shard_id: int | None, *, initial: bool = False) -> None:
        """Discord allows one login in five seconds; the local one does not mind."""

    monkeypatch.setattr(discord.Client, "before_identify_hook", at_once)
    local = LocalDiscord(LocalOptions(time_scale=50))
    # A stack closes the rest when a part fails: what stays open is reported in another test.
    async with AsyncExitStack() as stack:
        stack.push_async_callback(local.stop)
        await local.start()
        stack.enter_context(point_discord_at(local))
        loop = Loop(local)
        stack.callback(loop.stage.database.dispose)
        stack.push_async_callback(loop.close)
        await loop.connect()
        yield loop
    assert local.gaps == []


async def test_a_task_is_started_watched_and_paused(loop: Loop) -> None:
    """Command, card, button and plain message over the wire."""
    await loop.begin()
    assert isinstance(loop.stage.engine.commands[0], StartTask)
    (card,) = await loop.cards()
    wire = next(m for m in loop.local.you.history(loop.lobby) if m["id"] == str(card.id))
    pressed = await loop.local.you.click(wire, "Pause")
    assert pressed.ephemeral and isinstance(loop.stage.engine.commands[-1], PauseTask)
    await loop.local.you.send(loop.lobby, "How far?")
    await loop.until("How far?")


async def test_messages_lost_to_an_invalid_session_are_caught_up_with_once(loop: Loop) -> None:
    """After op 9 Discord never repeats what was said meanwhile; the history does."""
    await loop.begin()
    await loop.local.you.send(loop.lobby, "Before")
    await loop.until("Before")
    loop.local.faults.invalidate()
    for text in ("Lost 1", "Lost 2"):
        await loop.local.you.send(loop.lobby, text)
    await loop.until("Before", "Lost 1", "Lost 2")
    await loop.local.you.send(loop.lobby, "After")
    await loop.until("Before", "Lost 1", "Lost 2", "After")


async def test_messages_of_the_time_away_are_caught_up_with(loop: Loop) -> None:
    """Stopped, spoken to, started: delivered in order."""
    await loop.begin()
    await loop.close()
    for text in ("One", "Two"):
        await loop.local.you.send(loop.lobby, text)
    await loop.connect()
    await loop.until("One", "Two")


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels that could not be read are read again soon."""
    monkeypatch.setattr("bot.features.replies.catch_up.PAUSE_S", 0.02)
    monkeypatch.setattr("bot.features.replies.catch_up.LONGEST_S", 0.1)


async def test_catching_up_outlasts_trouble_with_the_history(loop: Loop, quickly: None) -> None:
    """Discord in trouble is asked until it answers; no new session is needed for that."""
    await loop.begin()
    loop.local.faults.fail("GET", POST, status=503, times=12)
    loop.local.faults.invalidate()
    await loop.local.you.send(loop.lobby, "One")
    await loop.until("One")


async def test_words_before_live_ones_outlast_a_restart(loop: Loop) -> None:
    """What could not be read yet is read after the next start, though later words were heard meanwhile."""
    await loop.begin()
    await loop.local.you.send(loop.lobby, "Before")
    await loop.until("Before")
    loop.local.faults.fail("GET", POST, status=503, times=1000)
    await loop.close()
    await loop.local.you.send(loop.lobby, "Missed")
    await loop.connect()
    await loop.local.you.send(loop.lobby, "Live")
    await loop.until("Before", "Live")
    await loop.close()
    loop.local.faults.clear()
    await loop.connect()
    await loop.until("Before", "Live", "Missed")


async def test_words_behind_a_thousand_of_the_agents_own(loop: Loop) -> None:
    """Agents may have said much since a person last spoke: what the person says while away is found."""
    await loop.begin()

    async def stored_up_to(message_id: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while (await loop.stage.records.seen()).get(loop.lobby, 0) < message_id:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    await stored_up_to(int((await loop.local.you.send(loop.lobby, "Before"))["id"]))
    world = loop.local.world
    said = [world.create_message(loop.lobby, world.bot_user.id, "x").id for _ in range(1100)]
    await stored_up_to(said[1000])
    await loop.close()
    begun = len(loop.local.rest.calls)
    await loop.local.you.send(loop.lobby, "Missed")
    await loop.connect()
    await loop.until("Before", "Missed")
    history = ("GET", f"/channels/{loop.lobby}/messages")
    pages = [c for c in loop.local.rest.calls[begun:] if (c.method, c.path) == history]
    assert len(pages) <= 3, "what the bot itself said need not be read again"


async def test_words_in_an_outage_are_heard_after_it(loop: Loop, quickly: None) -> None:
    """The session goes on; only this server's events were missing."""
    await loop.begin()
    loop.local.outage(True)
    loop.local.world.create_message(loop.lobby, loop.local.you.id, "Missed")
    loop.local.outage(False)
    await loop.until("Missed")


async def test_nothing_is_read_after_the_end(loop: Loop) -> None:
    """Events that are still handled while the bot leaves start no reading that nobody ends."""
    await loop.begin()
    replies: Any = loop.bot.cogs["RepliesCog"]
    await loop.close()
    await replies.on_ready()
    assert replies._missed._behind and (replies._missed._reading is None or replies._missed._reading.done())


@pytest.mark.parametrize("by", ["channel", "role", "member"])
async def test_words_in_a_hidden_channel_are_heard_when_it_is_shown(
    loop: Loop, quickly: None, by: str
) -> None:
    """An administrator hides a place from the bot for a while: by the channel, a role, or its members."""
    await loop.begin()
    you, world, guild = loop.local.you, loop.local.world, loop.local.guild_id
    seeing = world.create_role(guild, "seeing", permissions=discord.Permissions(view_channel=True).value).id
    world.add_member_role(guild, world.bot_user.id, seeing)
    for role in (you.bot_role, guild) if by != "channel" else ():
        value = discord.Permissions(int(world.get_guild(guild).roles[role].permissions))
        value.update(view_channel=False)
        world.edit_role(guild, role, {"permissions": value.value})
    if by == "channel":
        await you.overwrite(loop.lobby, you.bot_role, deny=["view_channel"])
    elif by == "role":
        world.edit_role(guild, seeing, {"permissions": 0})
    else:
        world.remove_member_role(guild, world.bot_user.id, seeing)
    world.create_message(loop.lobby, you.id, "Missed")
    if by == "channel":
        await you.overwrite(loop.lobby, you.bot_role)
    elif by == "role":
        world.edit_role(guild, seeing, {"permissions": discord.Permissions(view_channel=True).value})
    else:
        world.add_member_role(guild, world.bot_user.id, seeing)
    await loop.until("Missed")


async def test_replies_and_threads_of_the_time_away(loop: Loop) -> None:
    """A reply to a card outside the places, and words in a thread that people opened in a place."""
    await loop.begin()
    world, you = loop.local.world, loop.local.you
    place = world.create_channel(loop.local.guild_id, "place")
    root = loop.stage.engine.world.tasks[1].root_group_id
    await loop.stage.meets(root, discord.Object(place.id))
    (card,) = await loop.cards()
    await loop.close()
    wire = next(m for m in you.history(loop.lobby) if m["id"] == str(card.id))
    await you.send(loop.lobby, "Among us")
    await you.send(loop.lobby, "To the boss", reply_to=wire)
    thread = world.create_thread(place.id, "aside", owner_id=you.id)
    await you.send(thread.id, "Aside")
    await loop.connect()
    await loop.local.world.pulse.until(lambda: sorted(loop.said()) == ["Aside", "To the boss"], PATIENCE_S)


async def test_a_card_posted_twice_for_a_lost_answer_is_one_card(loop: Loop) -> None:
    """The connection drops after Discord took the post: the repeat finds it instead of doubling it."""
    loop.local.faults.drop_after("POST", POST)
    await loop.begin()
    loop.stage.clock += 60
    loop.stage.shown.cards.take(loop.stage.engine.log[-1:])
    await loop.stage.shown.cards.tick()
    assert len(await loop.cards()) == 1
    card = await loop.stage.records.card(1)
    assert card is not None and card.message_id


@pytest.mark.parametrize("sent", [False, True], ids=["before it was sent", "after it was sent"])
async def test_killed_around_the_post_of_a_card_there_is_one(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, sent: bool
) -> None:
    """The bot dies with the post begun; later, when no nonce helps, the next one finds it or posts it."""
    real = discord.abc.Messageable.send
    reached = asyncio.Event()

    async def dies(self: Any, *args: Any, **options: Any) -> Any:
        if "view" in options and isinstance(options["view"], discord.ui.LayoutView):
            if sent:
                await real(self, *args, **options | {"nonce": "another"})
            reached.set()
            return await asyncio.Event().wait()
        return await real(self, *args, **options)

    monkeypatch.setattr(discord.abc.Messageable, "send", dies)
    order = StartTask("x", f"discord:{loop.local.you.id}", f"guild:{loop.local.guild_id}")
    loop.stage.clock = time.time()
    await loop.stage.engine.handle(replace(order, origin=f"channel:{loop.lobby}"))
    keeping = asyncio.create_task(loop.stage.shown.cards.run())
    async with asyncio.timeout(60):
        await reached.wait()
    keeping.cancel()
    await loop.close()
    monkeypatch.undo()
    assert len(loop.local.you.history(loop.lobby)) == int(sent)
    await loop.connect()
    keeping = asyncio.create_task(loop.stage.shown.cards.run())
    await loop.local.world.pulse.until(lambda: bool(loop.local.you.history(loop.lobby)), 10)
    async with asyncio.timeout(60):
        while (card := await loop.stage.records.card(1)) is None or not card.message_id:  # noqa: ASYNC110 - its row says so
            await asyncio.sleep(0.01)
    keeping.cancel()
    (shown,) = await loop.cards()
    assert shown.id == card.message_id and not card.begun_at


async def test_an_old_card_that_could_not_be_deleted_goes_later(loop: Loop) -> None:
    """The new card is posted, the one before it is deleted though Discord failed and the bot died then."""
    await loop.begin()
    loop.stage.clock += 3600
    loop.stage.engine.recruit(loop.stage.engine.world.tasks[1].boss_id, "Ada")
    loop.stage.shown.cards.take(loop.stage.engine.log[-1:])
    loop.local.faults.fail("DELETE", CARD_EDIT, status=503)
    await loop.stage.shown.cards.tick()
    assert len(await loop.cards()) == 2
    await loop.close()
    await loop.connect()
    loop.stage.shown.cards.take(loop.stage.engine.log[-1:])
    await loop.stage.shown.cards.tick()
    assert len(await loop.cards()) == 1


async def test_a_card_edit_that_fails_is_made_later(loop: Loop) -> None:
    """Neither a server error nor a dropped connection loses a change or stops the keeper."""
    task_id = await loop.begin()
    boss = loop.stage.engine.world.tasks[task_id].boss_id
    loop.stage.engine.recruit(boss, "Ada")
    loop.stage.clock += 60
    loop.stage.shown.cards.take(loop.stage.engine.log[-1:])
    loop.local.faults.fail("PATCH", CARD_EDIT, status=503)
    await loop.stage.shown.cards.tick()
    loop.local.faults.clear()
    loop.local.faults.drop_before("PATCH", CARD_EDIT)
    await loop.stage.shown.cards.tick()
    await loop.stage.shown.cards.tick()
    (card,) = await loop.cards()
    assert "Ada" in str(card.components[0].to_dict())


async def test_a_card_deleted_by_hand_comes_back(loop: Loop) -> None:
    """An edit of a deleted message becomes a new card."""
    await loop.begin()
    wire = next(m for m in loop.local.you.history(loop.lobby) if m["components"])
    await loop.local.you.delete(wire)
    loop.stage.clock += 60
    loop.stage.engine.recruit(loop.stage.engine.world.tasks[1].boss_id, "Ada")
    loop.stage.shown.cards.take(loop.stage.engine.log[-1:])
    await loop.stage.shown.cards.tick()
    assert len(await loop.cards()) == 1


async def test_a_guest_is_refused(loop: Loop) -> None:
    """Somebody without rights: the command, the button, the message."""
    await loop.begin()
    refused = await loop.local.guest.slash(loop.lobby, "task new", goal="x")
    assert refused.ephemeral and "not allowed to start" in refused.text
    message = await loop.local.guest.send(loop.lobby, "Do my homework")
    await loop.local.world.pulse.until(lambda: "⛔" in marks(loop, message["id"]), 5)
    assert loop.said() == []


async def test_removed_from_the_server_its_tasks_pause(loop: Loop) -> None:
    """Kicked: nobody there could watch or stop them; the bot lives on."""
    await loop.begin()
    await loop.local.you.kick_bot()
    async with asyncio.timeout(60):
        await loop.stage.engine.until(lambda: loop.stage.engine.world.tasks[1].state == "paused")
    assert not loop.running.done()


async def test_a_permission_withdrawn_mid_task_is_said_where_it_is_missing(loop: Loop) -> None:
    """By a person in the channel's settings; once, with the fix."""
    await loop.begin()
    await loop.local.you.overwrite(loop.lobby, loop.local.you.bot_role, deny=["attach_files"])
    await loop.local.you.sees(loop.lobby, "Attach Files")


async def test_what_the_bot_has_to_say_of_a_server_waits_for_discord(loop: Loop) -> None:
    """In trouble when it joins: the welcome comes with the next session. A lost permission: said later."""
    await loop.begin()
    you, guild = loop.local.you, loop.bot.guilds[0]
    loop.local.faults.fail("POST", POST, status=503, times=3)
    loop.bot.dispatch("guild_join", guild)
    await you.overwrite(loop.lobby, you.bot_role, deny=["attach_files"])

    async def waiting() -> list[str]:
        return [e.post.text for e in await loop.stage.ledger.waiting() if e.post.channel_id == loop.lobby]

    async with asyncio.timeout(PATIENCE_S):
        while not any("Attach Files" in text for text in await waiting()):  # noqa: ASYNC110 - a row
            await asyncio.sleep(0.01)
        while await loop.stage.records.fact(f"welcome-due:{guild.id}") is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    loop.local.faults.clear()
    await loop.close()
    await loop.connect()
    await you.sees(loop.lobby, "/setup")
    assert await loop.stage.records.fact(f"welcome-due:{guild.id}") is None


async def test_a_deleted_role_takes_its_rights_along(loop: Loop) -> None:
    """The guest's role may start tasks until it is deleted."""
    role = await loop.local.you.create_role("crew")
    await loop.local.you.give_role(loop.local.guest.id, role)
    await loop.local.you.slash(loop.lobby, "setup", start=role)
    allowed = await loop.local.guest.slash(loop.lobby, "task new", goal="x")
    assert "has started" in allowed.text
    await loop.local.you.delete_role(role)
    refused = await loop.local.guest.slash(loop.lobby, "task new", goal="y")
    assert "not allowed to start" in refused.text


@pytest.mark.parametrize(("flags", "reads"), [(1 << 19, True), (1 << 18, True), (0, False)])
async def test_whether_it_may_read_is_asked_of_discord(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, flags: int, reads: bool
) -> None:
    """ "auto" follows the application's own flags; "on" and "off" ask nobody; a bad token is plain."""

    async def about(client: discord.Client) -> SimpleNamespace:
        return SimpleNamespace(
            id=1, interactions_endpoint_url=None, flags=discord.ApplicationFlags._from_value(flags)
        )

    with monkeypatch.context() as patched:
        patched.setattr(discord.Client, "application_info", about)
        assert await reads_messages(loop.local.token, "auto", RequestStop()) is reads
    assert await reads_messages("nonsense", "on", RequestStop()) is True
    assert await reads_messages("nonsense", "off", RequestStop()) is False
    with pytest.raises(discord.LoginFailure) as refused:
        await reads_messages("nonsense", "auto", RequestStop())
    assert "DISCORD_TOKEN" in (login_error_text(refused.value) or "")
    assert "MESSAGE_CONTENT=off" in (login_error_text(discord.PrivilegedIntentsRequired(None)) or "")
    assert login_error_text(OSError()) is None


def marks(loop: Loop, message_id: str) -> list[str]:
    """Reactions on a message."""
    wire = next(m for m in loop.local.you.history(loop.lobby) if m["id"] == message_id)
    return [r["emoji"]["name"] for r in wire.get("reactions", [])]


async def test_nothing_is_asked_during_a_ban(loop: Loop) -> None:
    """After the edge's 429 no card, sign, reaction or command goes out until it says so."""
    task = await loop.begin()
    loop.local.faults.limit("*", ".*", scope=LimitScope.CLOUDFLARE, retry_after=3600, times=1)
    loop.stage.engine.recruit(loop.stage.engine.world.tasks[task].boss_id, "Ada")
    loop.stage.shown.cards.take(loop.stage.engine.log[-1:])
    loop.stage.clock += 60
    for _ in range(4):
        loop.stage.clock += 60
        await loop.stage.shown.cards.tick()
        await loop.stage.shown.typing.tick()
    after = [call for call in loop.local.rest.calls if call.status == 429]
    assert len(after) == 1 and loop.local.rest.calls[-1].status == 429


async def test_a_ban_does_not_end_a_reconnect(loop: Loop) -> None:
    """The gateway is no part of what is banned: the connection comes back and people are heard."""
    await loop.begin()
    loop.bot.request_stop.close(3600)
    loop.local.faults.reconnect()
    await loop.local.you.send(loop.lobby, "Still there?")
    async with asyncio.timeout(PATIENCE_S):
        while loop.said() != ["Still there?"]:  # noqa: ASYNC110 - nothing of it is asked of Discord
            await asyncio.sleep(0.01)
    assert not loop.running.done()


async def test_a_card_in_trouble_is_tried_less_and_less(loop: Loop) -> None:
    """A 5xx is no reason for a request each second."""
    task = await loop.begin()
    loop.local.faults.fail("PATCH", CARD_EDIT, status=503, times=1000)
    loop.stage.engine.recruit(loop.stage.engine.world.tasks[task].boss_id, "Ada")
    loop.stage.shown.cards.take(loop.stage.engine.log[-1:])
    loop.stage.clock += 60
    before = len(loop.local.rest.calls)
    for _ in range(30):
        await loop.stage.shown.cards.tick()
        loop.stage.clock += 1
    tries = len(loop.local.rest.calls) - before
    assert 1 <= tries <= 6 * 5  # discord.py repeats a 5xx five times by itself
    loop.local.faults.clear()
    loop.stage.clock += 61
    await loop.stage.shown.cards.tick()
    (card,) = await loop.cards()
    assert "Ada" in str([c.to_dict() for c in card.components])


async def test_a_card_whose_words_are_filtered_stands_without_them(loop: Loop) -> None:
    """Goal, log and names are people's and agents' words; state, numbers and buttons are the bot's."""
    loop.local.conditions.harmful_links = "boat"
    await loop.begin()
    loop.stage.shown.cards.take(loop.stage.engine.log[-1:])
    await loop.stage.shown.cards.tick()
    (card,) = await loop.cards()
    shown = str([component.to_dict() for component in card.components])
    assert "Discord rejected this text" in shown and "Pause" in shown and "boat" not in shown


async def test_a_thread_that_people_open_under_a_place(loop: Loop) -> None:
    """Its words go to the head of the channel above, with the mark."""
    await loop.begin()
    world = loop.local.world
    thread = world.create_thread(loop.lobby, "details", owner_id=loop.local.you.id)
    await loop.local.you.send(thread.id, "More on that")
    await loop.until("More on that")

    def marked() -> bool:
        (message,) = loop.local.you.history(thread.id)
        return bool(message.get("reactions"))

    await world.pulse.until(marked, 10)


async def test_a_card_in_an_archived_thread(loop: Loop) -> None:
    """Opened once to show how things are; archived again, the card moves to the task's own channel."""
    world, you, stage = loop.local.world, loop.local.you, loop.stage
    place = world.create_channel(loop.local.guild_id, "place").id
    thread = world.create_thread(loop.lobby, "talk", owner_id=you.id).id
    await you.slash(thread, "task new", goal="Build a boat")
    task = stage.engine.world.tasks[1]
    await stage.meets(task.root_group_id, discord.Object(place))
    await stage.shown.cards.tick()

    def shown(channel: int) -> str:
        return str([m["components"] for m in you.history(channel) if m["flags"] & 1 << 15])

    async def archived(number: int) -> None:
        world.edit_channel(thread, {}, thread_metadata={"archived": True})
        stage.clock += 15
        stage.engine.recruit(task.boss_id, f"Ada{number}")
        stage.shown.cards.take(stage.engine.log)
        for _ in range(4):
            await stage.shown.cards.tick()

    await archived(1)
    assert "Ada1" in shown(thread)
    await archived(2)
    assert "Ada2" in shown(place) and "Ada2" not in shown(thread)


async def test_a_user_installation_reaches_nothing(loop: Loop) -> None:
    """Commands are for servers with the bot: not offered elsewhere, and refused in words when forged."""
    await loop.begin()
    you, world = loop.local.you, loop.local.world
    direct = world.get_dm_channel(you.id).id
    with pytest.raises(CannotError, match="hidden"):
        await you.slash(direct, "task list")
    command = world.find_command("task", loop.local.guild_id, type=AppCommandType.CHAT_INPUT)
    assert command is not None
    named = [{"name": "task", "type": 3, "value": "1"}]
    for verb, given, said in (
        ("list", [], "only in a server"),
        ("stop", named, "no task"),
        ("new", [], "only"),
    ):
        options: list[dict[str, Any]] = [{"name": verb, "type": 1, "options": given}]
        data = {"id": command["id"], "name": "task", "type": 1, "options": options}
        answer = await you._interact(InteractionType.APPLICATION_COMMAND, direct, data, True)
        assert said in answer.text and "boat" not in answer.text
    assert loop.stage.engine.world.tasks[1].state == "running"


async def test_a_button_forged_for_another_server(loop: Loop) -> None:
    """A custom id names a task; it must be one of the server where it is pressed."""
    task = await loop.begin()
    view = loop.stage.engine.world.tasks[task]
    loop.stage.engine.world.tasks[task] = replace(view, space="guild:1")
    wire = next(m for m in loop.local.you.history(loop.lobby) if m["components"])
    for label in ("Pause", "Stop", "Files", "Who's who"):
        pressed = await loop.local.you.click(wire, label)
        assert pressed.ephemeral and "no task #1" in pressed.text, label
    assert loop.stage.engine.world.tasks[task].state == "running"


async def test_spending_is_shown_on_the_local_page_with_words_for_its_picture(loop: Loop) -> None:
    """The page shows the picture at its width, with the alt text that came with it."""
    view = SpendingView(1, "Build a boat", f"discord:{loop.local.you.id}", "model", "m", 500_000, 9, 1)
    world = loop.stage.engine.world
    world.spending.append((f"guild:{loop.local.guild_id}", loop.stage.clock, view))
    shown = await loop.local.you.slash(loop.lobby, "spend", period="all")
    assert "#1 Build a boat $0.50" in shown.text
    assert shown.message is not None
    (picture,) = shown.message["attachments"]
    assert picture["width"] == 800 and "$0.50" in picture["description"]
