"""Faults of Discord's transport: nothing is lost, nothing is doubled, over real HTTP with limits on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.local.faults import LimitScope
from bot.outbox.transport import Transport
from bot.storage.tables import BOT_METADATA
from engine.store.database import open_database, sync_engine
from tests.bot.outbox.conftest import Stage, make_outbox

EXECUTE = r"/webhooks/\d+/[^/]+"
BOT_SEND = r"/channels/\d+/messages"


async def begun(stage: Stage) -> int:
    """A task whose channel and webhook exist; its boss."""
    boss = stage.boss(await stage.task())
    stage.engine.speak(boss, "first")
    await stage.drain()
    return boss


def spoken(stage: Stage, place: str = "root") -> list[str]:
    """What personas said there, in order; lines merged into one message apart."""
    messages = [m for m in stage.said(place) if m.get("webhook_id")]
    return [line for m in messages for line in m["content"].split("\n")]


@pytest.mark.parametrize("scope", list(LimitScope))
async def test_429_of_every_kind(stage: Stage, scope: LimitScope) -> None:
    """Bucket, global, hidden shared and without Via: waited out, then sent once, in order."""
    boss = await begun(stage)
    seconds = 0.0 if scope is LimitScope.CLOUDFLARE else 5.0  # a ban says whole real seconds
    stage.local.faults.limit("POST", EXECUTE, scope=scope, retry_after=seconds, times=2)
    for word in ("second", "third"):
        stage.engine.speak(boss, word)
    await stage.drain()
    assert spoken(stage) == ["first", "second", "third"]
    assert len(stage.local.faults.met) == 2


async def test_server_errors(stage: Stage) -> None:
    """A 5xx is followed by a look, then by another try."""
    boss = await begun(stage)
    stage.local.faults.fail("POST", EXECUTE, status=502, times=3)
    stage.engine.speak(boss, "second")
    await stage.drain()
    assert spoken(stage) == ["first", "second"]


async def test_dropped_before_it_was_taken(stage: Stage) -> None:
    """A connection lost before Discord took the message: sent again."""
    boss = await begun(stage)
    stage.local.faults.drop_before("POST", EXECUTE, times=2)
    stage.engine.speak(boss, "second")
    await stage.drain()
    assert spoken(stage) == ["first", "second"]


async def test_dropped_after_it_was_taken(stage: Stage) -> None:
    """A connection lost after Discord took the message: found, not doubled."""
    boss = await begun(stage)
    stage.local.faults.drop_after("POST", EXECUTE)
    stage.engine.speak(boss, "second")
    await stage.drain()
    assert spoken(stage) == ["first", "second"]
    (last,) = [m for m in stage.said("root") if m["content"] == "second"]
    assert await stage.outbox.ledger.agents_of(int(last["id"])) == [boss]


async def test_dropped_in_a_busy_channel(stage: Stage) -> None:
    """However much people wrote meanwhile, the message is found."""
    boss = await begun(stage)
    you, place = stage.local.you, int(stage.local.you.channel("root")["id"])
    for number in range(510):
        stage.local.world.create_message(place, you.id, f"{number}")
    stage.local.faults.drop_after("POST", EXECUTE)
    stage.engine.speak(boss, "second")
    await stage.drain()
    assert spoken(stage) == ["first", "second"]


async def test_the_same_words_twice_are_two_messages(stage: Stage) -> None:
    """The look-up never takes an older message with the same words for the one that was lost."""
    boss = await begun(stage)
    stage.local.faults.drop_before("POST", EXECUTE)
    stage.engine.speak(boss, "first")
    await stage.drain()
    assert spoken(stage) == ["first", "first"]


async def test_bots_own_message_dropped_after_it_was_taken(stage: Stage) -> None:
    """A gate whose answer was lost appears once."""
    boss = await begun(stage)
    stage.local.faults.drop_after("POST", BOT_SEND)
    gate = stage.engine.raise_gate(boss, "Red or blue?", ("red", "blue"))
    await stage.drain()
    asked = [m for m in stage.said("root") if "Red or blue?" in m["content"]]
    assert len(asked) == 1
    where = await stage.outbox.ledger.gate_message(gate)
    assert where is not None and where.message_id == int(asked[0]["id"])


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_between_sending_and_sent(
    stage: Stage, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends around the request: the next one finds the message, or sends it."""
    boss = await begun(stage)
    reached = asyncio.Event()
    real = Transport.by_webhook

    async def dies(self: Transport, *args: Any) -> Any:
        if when == "after":
            await real(self, *args)
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Transport, "by_webhook", dies)
    stage.engine.speak(boss, "second")
    await asyncio.wait_for(reached.wait(), 60)
    monkeypatch.undo()
    stage.engine.speak(boss, "third")
    await stage.restart()
    await stage.drain()
    assert spoken(stage) == ["first", "second", "third"]


async def test_killed_in_the_middle_of_a_long_text(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of several messages is finished after a restart, none twice, before anything newer."""
    boss = await begun(stage)
    sent = 0
    reached = asyncio.Event()
    real = Transport.by_webhook

    async def dies(self: Transport, *args: Any) -> Any:
        nonlocal sent
        sent += 1
        if sent == 2:
            reached.set()
            await asyncio.Event().wait()
        return await real(self, *args)

    monkeypatch.setattr(Transport, "by_webhook", dies)
    parts = [f"{letter} " * 900 for letter in "AB"]
    stage.engine.speak(boss, "\n\n".join(parts))
    await asyncio.wait_for(reached.wait(), 60)
    monkeypatch.undo()
    stage.engine.speak(boss, "last")
    await stage.restart()
    await stage.drain()
    letters = [line[0] for line in spoken(stage) if line]
    assert letters == ["f", "A", "B", "l"]


async def test_restart_projects_each_event_once(stage: Stage) -> None:
    """Restarting again and again doubles nothing."""
    boss = await begun(stage)
    for word in ("second", "third"):
        await stage.restart()
        stage.engine.speak(boss, word)
        await stage.drain()
    assert spoken(stage) == ["first", "second", "third"]


async def test_own_words_are_found_without_the_intent_to_read(stage: Stage) -> None:
    """Without message content a bot reads its own webhook's messages empty, but by its token."""
    boss = await begun(stage)
    stage.local.world.reads_content = False
    stage.local.faults.drop_after("POST", EXECUTE)
    stage.engine.speak(boss, "second")
    await stage.drain()
    assert spoken(stage) == ["first", "second"]


async def test_a_new_database_under_the_same_bot(stage: Stage, tmp_path: Path) -> None:
    """Discord remembers nonces for minutes: a wiped folder must not get the old messages back as its own."""
    boss = await begun(stage)
    stage.engine.raise_gate(boss, "Red?", ("yes", "no"))
    await stage.drain()
    await stage.outbox.stop()
    url = f"sqlite:///{tmp_path / 'other.db'}"
    plain = sync_engine(url)
    BOT_METADATA.create_all(plain)
    plain.dispose()
    other = open_database(url)
    stage.outbox = make_outbox(stage.client, stage.engine, other)
    await stage.outbox.start()
    await stage.drain()
    await stage.outbox.stop()
    await other.close()
    roots = [c for c in stage.local.you.channels() if c["name"].startswith("root")]
    asked = [m["content"] for c in roots for m in stage.local.you.history(c) if "Red?" in m["content"]]
    assert len(roots) == 2 and len(asked) == 2


async def test_a_message_deleted_before_its_answer_came(stage: Stage) -> None:
    """404 for a repeated nonce means the message, not the channel: no second channel is made."""
    boss = await begun(stage)
    stage.local.faults.drop_after("POST", BOT_SEND)
    stage.local.faults.delay("GET", BOT_SEND, seconds=30)
    stage.engine.raise_gate(boss, "Red?", ("yes", "no"))
    root = stage.local.you.channel("root")
    asked: list[dict[str, Any]] = []

    def there() -> bool:
        asked[:] = [m for m in stage.said("root") if "Red?" in m["content"]]
        return bool(asked)

    await stage.local.world.pulse.until(there, 10)
    stage.local.world.delete_message(int(root["id"]), int(asked[0]["id"]))
    stage.engine.speak(boss, "afterwards")
    await stage.drain()
    assert [c["name"] for c in stage.local.you.channels()].count("root") == 1
    assert "afterwards" in spoken(stage)
