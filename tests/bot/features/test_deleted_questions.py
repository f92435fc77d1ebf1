"""An open question whose message people delete is asked once more; whoever deletes it again means it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.outbox.post import Entry, Lane
from bot.storage import tables
from tests.bot.features.test_away import Away, away
from tests.bot.features.test_loopback import PATIENCE_S, loop, quickly

__all__ = ["away", "loop", "quickly"]


async def asked(away: Away) -> tuple[int, int]:
    """A question of the boss's as the outbox posted it: its id and its message's."""
    stage, task = away.loop.stage, away.loop.stage.engine.world.tasks[1]
    gate = stage.engine.raise_gate(task.boss_id, "Which wood?", ("Oak", "Ash"))
    (entry,) = [each for each in await stage.ledger.waiting() if each.post.gate_id == gate]
    message = away.world.create_message(away.place, away.world.bot_user.id, "Which wood?")
    await posted(away, entry, gate, message.id)
    return gate, message.id


async def posted(away: Away, entry: Entry, gate: int, message_id: int) -> None:
    """A question is sent, as the outbox records it."""
    row = {"batch_id": entry.id, "part": 0, "begun_at": 0.0, "wire": {}, "state": "sent", "task_id": 1}
    place = {"group_id": entry.post.group_id, "gate_id": gate, "channel_id": away.place}

    def work(connection: Any) -> None:
        connection.execute(tables.deliveries.insert().values(**row, **place, message_id=message_id))
        sent = tables.outbox.update().where(tables.outbox.c.id == entry.id)
        connection.execute(sent.values(state="sent", batch_id=entry.id))

    await away.loop.stage.database.write(work)


async def waiting(away: Away, gate: int) -> list[Entry]:
    """What is to be posted of a question."""
    rows = await away.loop.stage.ledger.waiting()
    return [each for each in rows if each.post.gate_id == gate and each.post.kind == "gate"]


async def until_asked(away: Away, gate: int) -> Entry:
    """Wait until the question is to be posted again."""
    async with asyncio.timeout(PATIENCE_S):
        while not await waiting(away, gate):  # noqa: ASYNC110 - a row
            await asyncio.sleep(0.01)
    (entry,) = await waiting(away, gate)
    return entry


@pytest.mark.parametrize("how", ["message", "bulk", "channel", "away"])
async def test_an_open_question_that_is_deleted_is_asked_again(away: Away, how: str) -> None:
    """By hand, by a purge, with its channel, while the bot was away."""
    gate, message_id = await asked(away)
    world = away.world
    if how == "away":
        await away.loop.close()
    if how == "channel":
        world.delete_channel(away.place)
    elif how == "bulk":
        del world.messages[away.place][message_id]
        ids = {"ids": [str(message_id)], "channel_id": str(away.place)}
        world.emit("MESSAGE_DELETE_BULK", ids | {"guild_id": str(away.loop.local.guild_id)})
    else:
        world.delete_message(away.place, message_id)
    if how == "away":
        await away.loop.connect()
    entry = await until_asked(away, gate)
    assert (entry.post.kind, entry.post.lane) == ("gate", Lane.STATUS)
    assert await away.loop.stage.ledger.gate_message(gate) is None, "nobody is sent to what is gone"


async def test_a_question_deleted_again_stays_deleted(away: Away) -> None:
    """And one that was answered is never asked again."""
    gate, first = await asked(away)
    away.world.delete_message(away.place, first)
    again = away.world.create_message(away.place, away.world.bot_user.id, "Which wood?")
    await posted(away, await until_asked(away, gate), gate, again.id)
    other, second = await asked(away)
    away.loop.stage.engine.end(1)
    for message_id in (again.id, second):
        away.world.delete_message(away.place, message_id)
    heard = await away.you.send(away.place, "That is all")
    await away.until(lambda: away.marks(int(heard["id"])))
    assert not await waiting(away, gate) and not await waiting(away, other)
