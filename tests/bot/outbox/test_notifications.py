"""What is owed besides agents' words: pings, buttons taken off, a repeat's pause; once each, over faults."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from bot.discord.access import GuildRules
from bot.outbox.ledger import Ledger
from bot.outbox.transport import Transport
from bot.storage.guild_settings import BotRecords
from bot.storage.tables import outbox, tasks
from engine.commands import AnswerGate, RepeatTask
from engine.events import MonthBudgetReached
from tests.bot.outbox.conftest import Stage

Wire = dict[str, Any]
BOT_SEND = r"/channels/\d+/messages"
HOOK_EDIT = r"/webhooks/\d+/[^/]+/messages/\d+$"
FOLLOWER = 4242


async def followed(stage: Stage) -> tuple[int, int]:
    """A task with its place and one who follows all of it: (task id, boss)."""
    task_id = await stage.task()
    await stage.drain()
    await BotRecords(stage.database).follow(task_id, FOLLOWER, "all")
    return task_id, stage.boss(task_id)


def pings(stage: Stage) -> list[str]:
    """Messages that name the follower."""
    return [m["content"] for m in stage.said("root") if f"<@{FOLLOWER}>" in m["content"]]


def buttons(stage: Stage) -> list[tuple[str, bool]]:
    """Labels of all buttons in the place, and whether each is dead."""
    rows = [row for m in stage.said("root") for row in m["components"]]
    return [(b["label"], b.get("disabled", False)) for row in rows for b in row["components"]]


async def test_a_ping_refused_by_a_server_error_is_sent_later(stage: Stage) -> None:
    """A 503 loses nothing, and a lost answer doubles nothing; it mentions the follower and nobody else."""
    _, boss = await followed(stage)
    stage.local.faults.fail("POST", BOT_SEND, status=503, times=2)
    stage.engine.raise_gate(boss, "Which wood?")
    await stage.drain()
    assert len(pings(stage)) == 1
    stage.local.faults.drop_after("POST", BOT_SEND)
    stage.engine.raise_gate(boss, "Which nails?")
    await stage.drain()
    assert len(pings(stage)) == 2
    said = [m for m in stage.said("root") if f"<@{FOLLOWER}>" in m["content"]]
    kept = [stage.local.world.get_message(int(m["channel_id"]), int(m["id"])) for m in said]
    assert all(m.allowed_mentions.users == frozenset({FOLLOWER}) for m in kept)


async def test_pings_that_wait_together_are_one_message(stage: Stage) -> None:
    """Batched for each task: many pieces of work accepted at once ring once."""
    _, boss = await followed(stage)
    (ada,) = stage.engine.recruit(boss, "Ada")
    await stage.outbox.stop()
    for number in range(5):
        stage.engine.assign(boss, ada, f"Part {number}", "accepted")
    await stage.restart()
    await stage.drain()
    together = [text for text in pings(stage) if "Part" in text]
    assert len(together) == 1 and all(f"Part {number}" in together[0] for number in range(5))


@pytest.mark.parametrize("before", [True, False], ids=["before it was sent", "after it was sent"])
async def test_killed_around_a_ping_it_comes_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """The process dies just before or after Discord has the ping."""
    _, boss = await followed(stage)
    real = Transport.by_bot

    async def dies(self: Transport, channel_id: int, message: Any, nonce: str) -> Any:
        if f"<@{FOLLOWER}>" not in message.content:
            return await real(self, channel_id, message, nonce)
        if not before:
            await real(self, channel_id, message, nonce)
        stopped.set()
        return await asyncio.Event().wait()

    stopped = asyncio.Event()
    monkeypatch.setattr(Transport, "by_bot", dies)
    stage.engine.raise_gate(boss, "Which wood?")
    async with asyncio.timeout(60):
        await stopped.wait()
    monkeypatch.undo()
    await stage.restart()
    await stage.drain()
    assert len(pings(stage)) == 1


def closing(stage: Stage) -> str:
    """What the question says once it is closed; no button of it is left."""
    (asked,) = [
        m["content"] for m in stage.said("root") if "Which wood?" in m["content"] and m.get("webhook_id")
    ]
    assert buttons(stage) == []
    return str(asked)


@pytest.mark.parametrize("by_end", [False, True], ids=["answered elsewhere", "the task ended"])
async def test_a_gate_closed_elsewhere_loses_its_buttons(stage: Stage, by_end: bool) -> None:
    """Nobody is asked what is settled already, though Discord fails at first."""
    task_id, boss = await followed(stage)
    gate_id = stage.engine.raise_gate(boss, "Which wood?", ("Oak", "Ash"))
    await stage.drain()
    assert ("Oak", False) in buttons(stage)
    stage.local.faults.fail("PATCH", HOOK_EDIT, status=503, times=2)
    if by_end:
        stage.engine.end(task_id)
    else:
        await stage.engine.handle(AnswerGate(gate_id, "discord:1", "o1"))
    await stage.drain()
    assert (closed := closing(stage)) and (("task ended" if by_end else "answered: Oak") in closed)


async def test_a_gate_closed_before_it_was_posted_is_posted_without_buttons_to_press(stage: Stage) -> None:
    """While the bot was away the gate was raised and closed: its message comes, then its buttons go."""
    _, boss = await followed(stage)
    await stage.outbox.stop()
    gate_id = stage.engine.raise_gate(boss, "Which wood?", ("Oak", "Ash"))
    await stage.engine.handle(AnswerGate(gate_id, "discord:1", "o1"))
    await stage.restart()
    await stage.drain()
    assert "answered: Oak" in closing(stage)


async def test_a_kill_before_the_buttons_went_is_made_up_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor is past the closing when the process dies; the next start still takes the buttons off."""
    _, boss = await followed(stage)
    gate_id = stage.engine.raise_gate(boss, "Which wood?", ("Oak", "Ash"))
    await stage.drain()
    stopped = asyncio.Event()

    async def dies(self: Transport, *args: Any) -> Any:
        stopped.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Transport, "edit", dies)
    await stage.engine.handle(AnswerGate(gate_id, "discord:1", "o1"))
    async with asyncio.timeout(60):
        await stopped.wait()
    monkeypatch.undo()
    await stage.restart()
    await stage.drain()
    assert "answered: Oak" in closing(stage)


def pauses(stage: Stage, place: str) -> int:
    """How often a place says that a repeat is paused."""
    return sum("Repeating task #" in m["content"] for m in stage.said(place))


@pytest.mark.parametrize("known", [True, False], ids=["where it was made", "its channel is gone"])
async def test_a_pause_of_a_repeat_is_said_once(stage: Stage, known: bool) -> None:
    """Where it was made; in the server's own channel when that is gone; over a restart and a lost answer."""
    lobby, guild = int(stage.local.you.channel("lobby")["id"]), stage.local.guild_id
    system = stage.client.get_guild(guild).system_channel  # type: ignore[union-attr]
    origin = lobby if known else 77
    number = await stage.engine.handle(
        RepeatTask("news", "discord:1", f"guild:{guild}", "0 * * * *", origin=f"channel:{origin}")
    )
    stage.local.faults.drop_after("POST", BOT_SEND)
    stage.engine.pause_repeat(number, "she left")
    await stage.drain()
    await stage.restart()
    await stage.drain()
    places = {"lobby"} if known or system is None else {system.name}
    assert [pauses(stage, place) for place in places] == [1 for _ in places]
    waiting = [e for e in await Ledger(stage.database).waiting() if e.post.channel_id]
    assert waiting == []


async def test_a_months_budget_is_told_once_where_setup_says(stage: Stage) -> None:
    """In the administrators' channel; who used it is named, and nobody is mentioned."""
    lobby, guild = int(stage.local.you.channel("lobby")["id"]), stage.local.guild_id
    await BotRecords(stage.database).set_rules(GuildRules(guild, alerts_id=lobby, configured=True))
    whose = (f"guild:{guild}", f"discord:{FOLLOWER}", "2026-11", "Europe/Berlin")
    stage.engine.emit(MonthBudgetReached(0, *whose, "cost", 80, 8_000_000, 10_000_000))
    stage.local.faults.drop_after("POST", BOT_SEND)
    await stage.drain()
    await stage.restart()
    await stage.drain()
    (told,) = [m for m in stage.said("lobby") if "for 2026-11 (Europe/Berlin)" in m["content"]]
    assert f"80% of the budget of <@{FOLLOWER}>" in told["content"] and "$8.00 of $10.00" in told["content"]
    assert "person_month_dollars" in told["content"]
    kept = stage.local.world.get_message(int(told["channel_id"]), int(told["id"]))
    assert not kept.allowed_mentions.users and not kept.mention_everyone


async def test_a_months_budget_is_told_where_no_channel_was_chosen(stage: Stage) -> None:
    """Also in a server that has no system channel: in the first channel that the bot may write in."""
    stage.local.world.get_guild(stage.local.guild_id).system_channel_id = None
    whose = (f"guild:{stage.local.guild_id}", "", "2026-11", "UTC")
    stage.engine.emit(MonthBudgetReached(0, *whose, "cost", 50, 5_000_000, 10_000_000))
    await stage.restart()
    await stage.drain()
    assert [m["content"][:40] for m in stage.said("lobby") if "for 2026-11" in m["content"]] == [
        "💰 50% of this server's budget for 2026-1"
    ]


async def test_a_blank_row_is_repaired_at_start_and_its_task_appears(stage: Stage) -> None:
    """A row that an older version left without server and owner: the next start posts all of its task."""
    task_id, boss = await followed(stage)
    other = {"task_id": 99, "guild_id": 5, "owner_id": 6, "goal": "a large game", "state": "done"}
    await stage.database.write(lambda c: c.execute(tasks.insert().values(**other)))
    blank = {"guild_id": 0, "owner_id": 0, "goal": "", "state": "running"}
    mine = update(tasks).where(tasks.c.task_id == task_id).values(**blank)
    await stage.database.write(lambda c: c.execute(mine))
    gate_id = stage.engine.raise_gate(boss, "Which wood?", ("Oak", "Ash"))
    await stage.drain()
    assert buttons(stage) == []
    await stage.restart()
    await stage.drain()
    assert [label for label, _ in buttons(stage)] == ["Oak", "Ash"]
    assert await stage.outbox.ledger.gate_message(gate_id) is not None
    rows = await stage.database.read(lambda c: c.execute(tasks.select()).mappings().all())
    assert {row["task_id"]: (row["guild_id"], row["goal"], row["state"]) for row in rows} == {
        1: (stage.local.guild_id, "a small game", "running"),
        99: (5, "a large game", "done"),
    }
    keys = await stage.database.read(lambda c: c.execute(outbox.select()).mappings().all())
    assert len(keys) == len({row["key"] for row in keys}) and task_id == 1
