"""What prepared statements promise on both stores: values, batches, and what is left of those that fail."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from engine.errors import Stale
from engine.store.core import MEMORIES, MESSAGES
from engine.store.database import conninfo_of, open_database
from engine.store.prepared import (
    Prepared,
    PreparedLists,
    demand,
    denied,
    insert_into,
    listed,
    to_the_end,
    together,
)
from tests.contracts.conftest import World
from tests.fakes.parts import make_tables
from tests.fakes.postgres import Cluster

_insert = insert_into(
    MESSAGES,
    "task_id",
    "to_agent",
    "from_agent",
    "from_kind",
    "from_name",
    "text",
    "key",
    "wakes",
    "created_at",
)
_remember = insert_into(MEMORIES, "task_id", "text", "source", "embedding", "key", "created_at")
_by_key = Prepared(sa.select(MESSAGES).where(MESSAGES.c.key == sa.bindparam("wanted")))
_percent = Prepared(sa.select(MESSAGES.c.key).where(MESSAGES.c.text.like("100%")))
_of_keys = PreparedLists(lambda n: sa.select(MESSAGES.c.key).where(MESSAGES.c.key.in_(listed("keys", n))))


def put(connection: Connection, key: str, text: str = "", **other: object) -> object:
    """A message -> what its insert answers."""
    row: dict[str, object] = {
        "task_id": 1,
        "to_agent": 2,
        "from_agent": None,
        "from_kind": "system",
        "from_name": "x",
    }
    row |= {"text": text, "key": key, "wakes": True, "created_at": 1.0} | other
    return _insert.run(connection, **row)


async def keys(world: World) -> set[str]:
    """Of all messages there."""
    return {row.key for row in await world.rows(sa.select(MESSAGES.c.key))}


@pytest.mark.parametrize(
    "text", ["", 'it\'s "5 %" \\ {a,b} :b %(c)s $1', "naïve 漢字 🙂\n\t", "x" * 3_000_000]
)
async def test_values_come_back_as_they_went(world: World, text: str) -> None:
    """Texts of any kind, nothing, truth, large and small numbers."""

    def work(connection: Connection) -> object:
        put(connection, "a", text, from_agent=2**31 - 1, wakes=False, created_at=1764190000.123456)
        return _by_key.first(connection, wanted="a")

    row: Any = await world.write(work)
    assert (row.text, row.from_agent, bool(row.wakes), row.ref) == (text, 2**31 - 1, False, None)
    assert row.created_at == 1764190000.123456


async def test_bytes_come_back_as_they_went(world: World) -> None:
    """Every byte there is."""
    every = bytes(range(256))

    def work(connection: Connection) -> None:
        _remember.run(connection, task_id=1, text="t", source="s", embedding=every, key="k", created_at=1.0)

    await world.write(work)
    assert [bytes(row.embedding) for row in await world.rows(sa.select(MEMORIES.c.embedding))] == [every]


async def test_a_percent_sign_is_no_place(world: World) -> None:
    """Texts inside of statements are left alone."""

    def work(connection: Connection) -> list[str]:
        put(connection, "a", "100 of them")
        put(connection, "b", "99 of them")
        return [row.key for row in _percent.all(connection)]

    assert await world.write(work) == ["a"]


async def test_answers_may_be_read_inside_of_a_batch(world: World) -> None:
    """What comes before has been done then, and what follows is done as well."""

    def work(connection: Connection) -> tuple[int, int, int]:
        with together(connection):
            first = put(connection, "a")
            number = _by_key.scalar(connection, wanted="a")
            with together(connection):
                put(connection, "b")
            last = put(connection, "c")
        return number, first.rowcount, last.rowcount  # type: ignore[attr-defined]

    number, first, last = await world.write(work)
    assert (number > 0, first, last) == (True, 1, 1)
    assert await keys(world) == {"a", "b", "c"}


async def test_a_large_batch_goes_through(world: World) -> None:
    """More than any buffer between the two holds, in both directions."""

    def work(connection: Connection) -> int:
        with to_the_end(connection):
            for number in range(1_500):
                put(connection, f"k{number}", "y" * 4_000)
            found = [_by_key.run(connection, wanted=f"k{number}") for number in range(1_500)]
        return sum(len(answer.fetchall()) for answer in found)

    assert await world.write(work) == 1_500
    assert len(await keys(world)) == 1_500


@pytest.mark.parametrize("length", [1, 4, 5, 700])
async def test_lists_of_any_length(world: World, length: int) -> None:
    """Few or many, asked for again and again."""

    def work(connection: Connection) -> set[str]:
        statement, values = _of_keys.of(keys=[f"k{number}" for number in range(length)])
        return {row.key for row in statement.all(connection, **values)}

    await world.write(lambda c: [put(c, f"k{number}") for number in range(length + 3)])
    for _ in range(3):
        assert await world.write(work) == {f"k{number}" for number in range(length)}


async def test_what_fails_in_a_batch_leaves_nothing(world: World) -> None:
    """Whether a statement fails or the work itself; and the store serves on."""

    def twice(connection: Connection) -> None:
        with to_the_end(connection):
            put(connection, "a")
            put(connection, "a")
            put(connection, "b")

    def moved(connection: Connection) -> None:
        with to_the_end(connection):
            put(connection, "c")
            raise Stale("the world moved")

    for number in range(12):
        with pytest.raises(sa.exc.IntegrityError):
            await world.write(twice)
        with pytest.raises(Stale):
            await world.write(moved)
        await world.write(lambda c, n=number: put(c, f"k{n}") and None)  # type: ignore[misc]
    assert await keys(world) == {f"k{number}" for number in range(12)}


async def test_a_demand_that_fails_takes_the_commit_along(cluster: Cluster) -> None:
    """PostgreSQL's way to check without waiting for the answer; SQLite's callers look at the rows."""
    url = cluster.new_database()
    make_tables(url)
    db = open_database(url)
    change = MESSAGES.update().where(MESSAGES.c.key == "there").values(consumed_step=1)
    wanted = Prepared(demand(change.returning(MESSAGES.c.id), 1))

    async def found() -> set[str]:
        return set(await db.read(lambda c: list(c.execute(sa.select(MESSAGES.c.key)).scalars())))

    def work(connection: Connection, key: str) -> None:
        with to_the_end(connection):
            put(connection, key)
            wanted.run(connection)

    with pytest.raises(psycopg.Error) as caught:
        await db.write(lambda c: work(c, "a"))
    assert denied(caught.value)
    assert await found() == set()
    await db.write(lambda c: work(c, "there"))
    assert await found() == {"there"}
    await db.close()


async def test_text_that_postgresql_cannot_keep_is_refused(cluster: Cluster) -> None:
    """A NUL would cut the rest off without a word."""
    url = cluster.new_database()
    make_tables(url)
    db = open_database(url)
    with pytest.raises(psycopg.DataError, match="NUL"):
        await db.write(lambda c: put(c, "a", "before\0after") and None)
    await db.write(lambda c: put(c, "b") and None)
    await db.close()


async def test_connections_that_the_server_ended_are_replaced(cluster: Cluster) -> None:
    """Work on them is done again, once, with nothing known of what the old ones had prepared."""
    url = cluster.new_database()
    make_tables(url)
    db = open_database(url)

    async def wave(number: int) -> None:
        messages = [f"{number}.{one}" for one in range(20)]
        await asyncio.gather(*(db.write(lambda c, key=key: put(c, key) and None) for key in messages))  # type: ignore[misc]

    for number in range(3):
        await wave(number)
        with psycopg.connect(conninfo_of(url), autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    count = sa.select(sa.func.count()).select_from(MESSAGES)
    assert await db.read(lambda c: c.execute(count).scalar_one()) == 60
    await db.close()
