"""Rows that the reader of events shares with others keep what each side wrote, whoever comes first."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from bot.outbox.projector import project_all
from bot.places.records import PlaceRecords
from bot.storage.guild_settings import CARDS, FOLLOWS, BotRecords
from bot.storage.tables import BOT_METADATA, tasks
from bot.storage.upsert import upsert
from engine import events as ev
from engine.ports import Database
from engine.store.database import open_database, sync_engine
from tests.fakes.postgres import Cluster

ROUNDS = 30


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One throw-away PostgreSQL server."""
    running = Cluster()
    yield running
    running.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path
) -> AsyncIterator[Database]:
    """An empty database of either kind with the bot's tables."""
    url = f"sqlite:///{tmp_path / 'bot.db'}" if request.param == "sqlite" else cluster.new_database()
    plain = sync_engine(url)
    BOT_METADATA.create_all(plain)
    plain.dispose()
    opened = open_database(url)
    yield opened
    await opened.close()


def story(task_id: int, after: int) -> list[ev.Event]:
    """A task as it begins."""
    bodies: list[ev.EventBody] = [
        ev.TaskAccepted(task_id, "goal", "discord:7", "guild:9", origin="channel:55"),
        ev.GroupFormed(task_id, task_id * 10, None, task_id * 100, "Root", 0),
        ev.AgentJoined(task_id, task_id * 10, task_id * 100, "Boss", "boss"),
    ]
    return [ev.Event(after + i, 1.0, body) for i, body in enumerate(bodies, 1)]


async def interleaved(database: Database, number: int, pause: float) -> None:
    """One task begins while the card keeper and who makes places write its rows; then it pauses."""
    events = story(number, number * 10)
    paused = ev.Event(number * 10 + 5, 1.0, ev.TaskChanged(number, "paused", "why"))
    await database.write(lambda c: project_all(c, events[:1]))

    def read(c: Connection) -> None:
        project_all(c, events[1:2])
        time.sleep(pause)  # the others write meanwhile
        project_all(c, [*events[2:], paused])

    await asyncio.gather(
        database.write(read),
        BotRecords(database).change_card(number, message_id=number, digest="x"),
        PlaceRecords(database).set_task(number, category_id=number, channels_full=True),
    )


async def test_reader_and_card_keeper_and_places_write_one_task(database: Database) -> None:
    """Any interleaving, with pauses inside the transactions: no column of either side is lost."""
    chance = random.Random(7)
    for number in range(1, ROUNDS + 1):
        await interleaved(database, number, chance.choice((0.0, 0.002, 0.01)))
    rows = await database.read(lambda c: c.execute(select(tasks)).mappings().all())
    assert {(r["guild_id"], r["owner_id"], r["origin_id"], r["state"]) for r in rows} == {
        (9, 7, 55, "paused")
    }
    assert {r["task_id"] for r in rows} == {r["category_id"] for r in rows} == set(range(1, ROUNDS + 1))
    cards = await database.read(lambda c: c.execute(select(CARDS)).mappings().all())
    assert {(r["task_id"], r["changed_seq"]) for r in cards} == {
        (n, n * 10 + 5) for n in range(1, ROUNDS + 1)
    }
    assert all(r["message_id"] == r["task_id"] and r["channel_id"] == 55 for r in cards)


async def test_upsert_of_two_sides_at_once_keeps_both(database: Database) -> None:
    """Two writers of one new row, each holding its transaction open: both columns stand at the end."""
    sides: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"guild_id": 9, "owner_id": 7, "goal": "goal"}, {"origin_id": 0, "category_id": 0}),
        ({"category_id": 5, "origin_id": 55}, {"guild_id": 0, "owner_id": 0, "goal": ""}),
    ]
    rest = {"state": "running", "category_repairs": 0, "channels_full": False}

    def side(c: Connection, number: int, owned: dict[str, Any], blank: dict[str, Any]) -> None:
        time.sleep(0.001)
        upsert(c, tasks, {"task_id": number}, owned, blank | rest)
        time.sleep(0.003)

    for number in range(1, ROUNDS + 1):
        await asyncio.gather(
            *(
                database.write(lambda c, n=number, o=owned, b=blank: side(c, n, o, b))  # type: ignore[misc]
                for owned, blank in (sides if number % 2 else sides[::-1])
            )
        )
    rows = await database.read(lambda c: c.execute(select(tasks)).mappings().all())
    kept = {(r["guild_id"], r["owner_id"], r["goal"], r["origin_id"], r["category_id"]) for r in rows}
    assert len(rows) == ROUNDS and kept == {(9, 7, "goal", 55, 5)}


async def test_an_upsert_changes_no_other_row(database: Database) -> None:
    """Of keys with two columns both count."""
    await database.write(
        lambda c: c.execute(
            insert(FOLLOWS),
            [{"task_id": t, "user_id": u, "mode": "all"} for t in (1, 2) for u in (1, 2)],
        )
    )
    await BotRecords(database).follow(1, 2, "off")
    rows = await database.read(lambda c: c.execute(select(FOLLOWS)).all())
    assert {tuple(r) for r in rows} == {(1, 1, "all"), (1, 2, "off"), (2, 1, "all"), (2, 2, "all")}
