"""What people write, change, delete and let proxies repeat while the bot cannot hear them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import discord
import pytest
from simcord.backend.models import Message, Webhook

from bot.features.replies.proxies import PLURALKIT
from engine.commands import EditMessage, SayToAgent, WithdrawMessage
from tests.bot.features.test_loopback import PATIENCE_S, Loop, loop, quickly

__all__ = ["loop", "quickly"]
EPHEMERAL = 64


class Away:
    """A task in a place of its own; a proxy's webhook there."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.you = loop, loop.local.you
        self.world, self.commands = loop.local.world, loop.stage.engine.commands

    async def begin(self) -> Away:
        """Start the task."""
        await self.loop.begin()
        self.place = self.world.create_channel(self.loop.local.guild_id, "place").id
        root = self.loop.stage.engine.world.tasks[1].root_group_id
        await self.loop.stage.meets(root, discord.Object(self.place))
        return self

    def proxy(self, application: int | None = PLURALKIT) -> Webhook:
        """A webhook that an application made in the place."""
        hook = self.world.create_webhook(self.place, "proxy", self.you.id)
        self.world.hook_applications[hook.id] = application
        return hook

    def copied(self, text: str, hook: Webhook) -> Message:
        """A proxy posts words of somebody."""
        return self.world.create_message(self.place, hook.webhook_user_id, text, webhook_id=hook.id)

    async def heard(self, *texts: str) -> None:
        """Wait until agents have exactly these words."""
        await self.loop.until(*texts)

    async def until(self, wanted: Any) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not wanted():  # noqa: ASYNC110 - some of it happens in no world
                await asyncio.sleep(0.01)

    async def shown(self, words: str) -> dict[str, Any]:
        """Wait for a line in the place."""
        return await self.you.sees(self.place, words, within=PATIENCE_S)

    def marks(self, message_id: int) -> list[str]:
        """Reactions on a message of the place."""
        found = next(m for m in self.you.history(self.place) if int(m["id"]) == message_id)
        return [each["emoji"]["name"] for each in found.get("reactions", ())]

    def last(self, kind: type) -> Any:
        """The newest command of a kind, None if there is none."""
        return next((c for c in reversed(self.commands) if isinstance(c, kind)), None)


@pytest.fixture
async def away(loop: Loop, quickly: None) -> AsyncIterator[Away]:
    """Connected, with a task."""
    yield await Away(loop).begin()


async def test_edits_and_deletions_of_the_time_away(away: Away) -> None:
    """Unread: as it stands now. Read: its writer is told. Undelivered: only what is left, as it is left."""
    for text in ("Edited", "Deleted", "Read", "Same"):
        await away.you.send(away.place, text)
    await away.heard("Edited", "Deleted", "Read", "Same")
    edited, deleted, read, _ = (m for m in away.you.history(away.place) if m["content"])
    away.loop.stage.engine.read(f"{away.place}:{read['id']}")
    await away.loop.close()
    await away.you.edit(edited, "Edited since")
    await away.you.edit(read, "Read before")
    await away.you.delete(deleted)
    later = await away.you.send(away.place, "Later")
    await away.you.edit(later, "Later, better")
    await away.you.delete(await away.you.send(away.place, "Never mind"))
    await away.loop.connect()
    await away.shown("already read the message")
    assert away.loop.said() == ["Edited", "Deleted", "Read", "Same", "Later, better"]
    edits = [c for c in away.commands if isinstance(c, EditMessage)]
    assert (edits[0].ref, edits[0].text) == (f"{away.place}:{edited['id']}", "Edited since")
    assert away.last(WithdrawMessage).ref == f"{away.place}:{deleted['id']}"
    count = len(away.commands)
    away.loop.local.faults.invalidate()
    await away.you.send(away.place, "And")
    await away.heard("Edited", "Deleted", "Read", "Same", "Later, better", "And")
    assert len(away.commands) == count + 1, "what was handled is not handled again"


async def test_edits_that_come_late_with_a_resumed_session(away: Away) -> None:
    """Discord tells them when the connection is back: unread words change, else their writer is told."""
    unread, read = [await away.you.send(away.place, text) for text in ("Oak", "Elm")]
    await away.heard("Oak", "Elm")
    away.loop.stage.engine.read(f"{away.place}:{read['id']}")
    came = list[str]()
    for name in ("resumed", "ready"):
        away.loop.bot.add_listener(_noting(came, name), f"on_{name}")
    await away.loop.local.faults.close()
    await away.you.edit(unread, "Oak, oiled")
    await away.you.edit(read, "Ash")
    await away.shown("already read the message")
    edits = [(c.ref, c.text) for c in away.commands if isinstance(c, EditMessage)]
    assert edits[0] == (f"{away.place}:{unread['id']}", "Oak, oiled") and came == ["resumed"]
    assert [note.command.text for note in away.loop.stage.engine.world.notes] == ["Oak, oiled", "Elm"]


def _noting(came: list[str], name: str) -> Callable[[], Coroutine[Any, Any, None]]:
    """A listener that notes what came."""

    async def listener() -> None:
        came.append(name)

    return listener


async def test_an_edit_that_cannot_be_read_yet(away: Away) -> None:
    """The history is not to be had when the bot comes back: it is asked until the edit is known."""
    message = await away.you.send(away.place, "Oak")
    await away.heard("Oak")
    await away.loop.close()
    await away.you.edit(message, "Ash")
    away.loop.local.faults.fail("GET", r"/channels/\d+/messages", status=503, times=12)
    await away.loop.connect()
    await away.until(lambda: away.last(EditMessage) is not None)
    assert away.last(EditMessage).text == "Ash" and away.loop.said() == ["Oak"]


async def test_an_edit_that_leaves_nothing_to_read(away: Away) -> None:
    """Its writer hears who still has what they wrote before; once, also after a restart."""
    message = await away.you.send(away.place, "Use oak")
    await away.heard("Use oak")
    await away.you.edit(message, f"<@{away.world.bot_user.id}>")
    line = await away.shown("Boss still has the message as it was before")
    await away.loop.close()
    await away.you.send(away.place, "And")
    await away.loop.connect()
    await away.heard("Use oak", "And")
    replies: Any = away.loop.bot.cogs["RepliesCog"]
    await away.until(lambda: not replies._missed._behind)
    told = [m for m in away.you.history(away.place) if m["content"] == line["content"]]
    assert len(told) == 1 and away.last(EditMessage) is None
    assert away.marks(int(message["id"]))[-1] == "⛔"


async def test_a_correction_behind_many_lines_of_agents(away: Away) -> None:
    """What agents said since does not hide it."""
    message = await away.you.send(away.place, "Oak")
    await away.heard("Oak")
    for _ in range(120):
        away.world.create_message(away.place, away.world.bot_user.id, "x")
    last = await away.you.send(away.place, "Elm")
    await away.heard("Oak", "Elm")
    await away.loop.close()
    await away.you.edit(message, "Ash")
    await away.you.delete(last)
    await away.loop.connect()
    await away.until(lambda: away.last(WithdrawMessage) is not None and away.last(EditMessage) is not None)
    assert away.last(EditMessage).text == "Ash"


async def test_a_copy_of_a_known_original_after_a_crash(away: Away) -> None:
    """The original was delivered, then the bot went: the copy in the history takes its place, once."""
    original = await away.you.send(away.place, "l: Why oak?")
    await away.heard("l: Why oak?")
    await away.loop.close()
    copy = away.copied("Why oak?", away.proxy())
    await away.you.delete(original)
    await away.loop.connect()
    await away.heard("l: Why oak?", "Why oak?")
    assert away.last(SayToAgent).by == f"discord:{away.you.id}"
    assert [n.command.text for n in away.loop.stage.engine.world.notes] == ["Why oak?"]
    await away.until(lambda: away.marks(copy.id) == ["📨"])


async def test_a_copy_of_what_an_agent_read_says_nothing_new(away: Away) -> None:
    """It stands for words that an agent has."""
    original = await away.you.send(away.place, "l: Why oak?")
    await away.heard("l: Why oak?")
    away.loop.stage.engine.read(f"{away.place}:{original['id']}")
    await away.loop.close()
    copy = away.copied("Why oak?", away.proxy())
    await away.you.delete(original)
    await away.loop.connect()
    await away.until(lambda: away.marks(copy.id) == ["📨"])
    await away.heard("l: Why oak?")


@pytest.mark.parametrize(("application", "kept"), [(77, True), (77, False)])
async def test_a_copy_by_a_proxy_nobody_listed(away: Away, application: int, kept: bool) -> None:
    """It counts only where the original is gone."""
    original = await away.you.send(away.place, "Why oak?")
    await away.heard("Why oak?")
    await away.loop.close()
    copy = away.copied("Why oak?", away.proxy(application))
    if not kept:
        await away.you.delete(original)
    await away.you.send(away.place, "End")
    await away.loop.connect()
    await away.heard("Why oak?", *(() if kept else ("Why oak?",)), "End")
    assert (away.marks(copy.id) == []) is kept


async def test_copies_whose_writer_is_not_known_are_passed_on_by_who_may(away: Away) -> None:
    """One line for all, seen by everybody; names and pictures of proxied people prove nothing."""
    await away.loop.close()
    hook = away.proxy()
    copies = [away.copied(text, hook) for text in ("First", "Second")]
    away.copied("Noise", away.proxy(None))
    await away.loop.connect()
    line = await away.shown("2 messages")
    assert away.loop.said() == [] and str(copies[0].id) in line["content"]
    guest = away.loop.local.guest
    await guest.click(line, "Pass on to the agents")
    refused = await guest.sees(away.place, "may steer the task. Ask", within=PATIENCE_S)
    assert refused["flags"] & EPHEMERAL and away.loop.said() == []
    await away.you.click(line, "Pass on to the agents")
    await away.shown("Passed on in your name: 2 messages")
    assert away.loop.said() == ["First", "Second"]
    assert away.last(SayToAgent).by == f"discord:{away.you.id}"
    assert all(away.marks(copy.id) == ["📨"] for copy in copies)


async def test_a_live_copy_of_an_original_that_was_missed(away: Away) -> None:
    """The bot came between the two: the same line as after a time away."""
    away.copied("Hello", away.proxy())
    await away.shown("1 message here")
    assert away.loop.said() == []


async def test_words_written_before_a_place_is_recorded(away: Away) -> None:
    """Somebody is faster than the bot's own record of the channel that it just made."""
    made = away.world.create_channel(away.loop.local.guild_id, "made").id
    await away.you.send(made, "First!")
    await away.you.send(away.place, "Elsewhere")
    await away.heard("Elsewhere")
    root = away.loop.stage.engine.world.tasks[1].root_group_id
    await away.loop.stage.meets(root, discord.Object(made))
    away.loop.bot.dispatch("place_kept", made)
    await away.heard("Elsewhere", "First!")


async def test_a_copied_file_without_words(away: Away) -> None:
    """A proxied picture is a message too."""
    original = await away.you.send(away.place, "l:", files=[("a.txt", b"oak")])
    await away.heard("l:")
    (file,) = original["attachments"]
    hook = away.proxy()
    away.world.create_message(away.place, hook.webhook_user_id, "", webhook_id=hook.id, attachments=[file])
    await away.heard("l:", "")
    (left,) = away.loop.stage.engine.world.notes
    assert left.command.files == {"attachments/a.txt": b"oak"} and left.command.text == ""


async def test_a_copy_that_comes_while_the_original_is_delivered(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies may be faster than the way to the agent: it gets one of the two, not both."""
    engine, begun, release = away.loop.stage.engine, asyncio.Event(), asyncio.Event()
    handle = engine.handle

    async def slow(command: Any) -> Any:
        if isinstance(command, SayToAgent) and not begun.is_set():
            begun.set()
            await release.wait()
        return await handle(command)

    monkeypatch.setattr(engine, "handle", slow)
    await away.you.send(away.place, "l: Good morning")
    await begun.wait()
    copy = away.copied("Good morning", away.proxy())
    replies: Any = away.loop.bot.cogs["RepliesCog"]
    await away.until(lambda: copy.id not in replies._done and replies._lock(away.place)._waiters)
    release.set()
    await away.until(lambda: away.marks(copy.id) == ["📨"])
    assert [note.command.text for note in engine.world.notes] == ["Good morning"]
