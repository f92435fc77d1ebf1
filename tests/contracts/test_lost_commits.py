"""A commit that took effect though its answer was lost is neither repeated nor taken for another's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from engine import Engine
from engine.commands import StartTask
from engine.llm.scripted import call
from engine.ports import ChatAnswer, ChatRequest
from engine.store import fate, postgres
from engine.store.core import BUDGETS, MEMORIES, STEPS, TASKS
from engine.store.database import open_database, sync_engine
from engine.store.prepared import insert_into, to_the_end
from tests.contracts.conftest import World, ended
from tests.fakes.lossy import Loss, LossyPath
from tests.fakes.parts import make_tables
from tests.fakes.postgres import Cluster

SOON_S = 60.0
"""No sweep wakes anybody in these worlds: an agent that were left alone would wait for ever."""

_remember = insert_into(MEMORIES, "task_id", "text", "source", "embedding", "key", "created_at")


@pytest.fixture
async def lossy(cluster: Cluster, tmp_path: Path) -> AsyncIterator[tuple[World, LossyPath]]:
    """An empty world on PostgreSQL, reached by a way that loses what it is told to."""
    url = cluster.new_database(make_tables)
    way = LossyPath(cluster.folder)
    world = World("postgresql-local", way.url(url), tmp_path, open_database(way.url(url)))
    yield world, way
    for engine in world.engines:
        await engine.stop(drain=False)
    await world.db.close()
    way.close()
    cluster.give_back(url)


def crew(request: ChatRequest) -> ChatAnswer:
    """A boss that has a member write a file, and ends when it hears of it."""
    newest = request.messages[-1].content
    if request.role == "boss":
        if "written" in newest:
            return call(("finish", {"report": "done"}))
        members = [{"name": "Ann", "role": "writer", "instructions": "i"}]
        asks = {"to": ["Ann"], "text": "write now", "wait": True}
        return call(("recruit", {"members": members}), ("send_message", asks))
    if "write now" in newest:
        return call(("write_file", {"path": "a.txt", "content": "kept"}))
    return call(("send_message", {"to": ["boss"], "text": "it is written", "wait": True}))


async def _run(world: World, engine: Engine) -> int:
    task = await engine.handle(StartTask("g", "me", "here", attended=False))
    async with asyncio.timeout(SOON_S):
        await ended(engine, task)
    return task


@pytest.mark.parametrize("every", [2, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("what", ["answer", "commit"])
async def test_a_task_loses_any_one_commit_and_nothing_is_booked_twice(
    lossy: tuple[World, LossyPath], what: Loss, every: int
) -> None:
    """Whichever commit of a task it is: no sweep is needed, and every answer is booked once. In short, every
    other commit is lost, and the answers to the rest."""
    world, way = lossy
    engine = await world.start(crew)
    await _run(world, engine)
    way.lose(1_000, what)
    await _run(world, engine)
    usual = way.commits
    assert usual > 10
    lost = range(every if what == "commit" else 1, usual + 1, every)
    for number in lost:
        way.lose(number, what)
        # A run differs from the next by a commit or two of its readers: the last ones may lose nothing.
        await _is_booked_once(world, await _run(world, engine))
    tasks = await world.scalar(sa.select(sa.func.count()).select_from(TASKS))
    assert tasks == len(lost) + 2


async def _is_booked_once(world: World, task: int) -> None:
    budget = (await world.rows(sa.select(BUDGETS).where(BUDGETS.c.task_id == task)))[0]
    steps = await world.rows(
        sa.select(STEPS.c.prompt_tokens, STEPS.c.completion_tokens).where(STEPS.c.task_id == task)
    )
    assert (budget.calls, len(steps)) == (4, 4)
    assert budget.prompt_tokens == sum(row.prompt_tokens for row in steps)
    assert budget.completion_tokens == sum(row.completion_tokens for row in steps)
    assert (budget.reserved_micros, budget.reserved_tokens, budget.estimated) == (0, 0, 0)


def _remembered(connection: Connection, key: str) -> str:
    """Write a row whose key nothing holds to be unique, through the statements of SQLAlchemy."""
    values = {"task_id": 1, "text": key, "source": "s", "embedding": b"", "key": key, "created_at": 1.0}
    connection.execute(MEMORIES.insert(), values)
    return key


def _sent(connection: Connection, key: str) -> str:
    """Write a row together with the commit, through prepared statements."""
    values = {"task_id": 1, "text": key, "source": "s", "embedding": b"", "key": key, "created_at": 1.0}
    with to_the_end(connection):
        _remember.run(connection, **values)
    return key


async def _kept(world: World) -> list[str]:
    return [row.key for row in await world.rows(sa.select(MEMORIES.c.key).order_by(MEMORIES.c.id))]


@pytest.mark.parametrize("what", ["answer", "commit"])
@pytest.mark.parametrize("work", [_remembered, _sent])
async def test_a_write_is_done_once_and_returns_what_it_made(
    lossy: tuple[World, LossyPath], what: Loss, work: Callable[[Connection, str], str]
) -> None:
    """Whether the commit did not arrive or its answer, on a new connection and on one that has written."""
    world, way = lossy
    for key in ("a", "b", "c"):
        way.lose(1, what)
        assert await world.write(lambda c, key=key: work(c, key)) == key  # type: ignore[misc]
        assert way.lost == 1
        await world.write(lambda c, key=key: work(c, f"after {key}"))  # type: ignore[misc]
    assert await _kept(world) == ["a", "after a", "b", "after b", "c", "after c"]


async def test_what_cannot_be_settled_is_an_error_and_is_not_repeated(
    lossy: tuple[World, LossyPath], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stays away: the caller is told, and no later attempt does the work a second time."""
    world, way = lossy
    monkeypatch.setattr(fate, "_WAITS_S", (0.0, 0.0))
    await world.write(lambda c: _sent(c, "a"))
    way.lose(1, "answer", stay_away=True)
    with pytest.raises(psycopg.OperationalError):
        await world.write(lambda c: _sent(c, "b"))
    way.come_back()
    assert await _kept(world) == ["a", "b"]


def _marked(connection: Connection) -> tuple[str, float, str]:
    """Return the number, the beginning and the last checkpoint of a transaction."""
    query = "SELECT pg_current_xact_id()::text, extract(epoch FROM now())::float8, checkpoint_lsn::text"
    number, began, checkpoint = connection.execute(sa.text(f"{query} FROM pg_control_checkpoint()")).one()
    return number, began, checkpoint


async def test_a_number_that_a_crash_may_have_given_to_another_tells_nothing(
    lossy: tuple[World, LossyPath],
) -> None:
    """A commit that was not on the disk is lost with its server, which then counts from lower numbers."""
    world, _ = lossy
    lookups = sync_engine(world.url)

    def checkpoint() -> float:
        """Make one and return when it began, in seconds since the epoch: it may take long."""
        with lookups.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("CHECKPOINT"))
            at = "SELECT extract(epoch FROM checkpoint_time)::float8 FROM pg_control_checkpoint()"
            return float(connection.execute(sa.text(at)).scalar_one())

    def settled(number: str, began: float, last: str) -> bool | None:
        return fate.took_effect(lookups, fate.Mark(number, began, last))

    try:
        before = checkpoint()
        number, began, last = await world.write(_marked)
        assert settled(number, began, last)
        assert not settled(number, before, "0/0"), "the last checkpoint came later and has not seen it"
        assert settled(number, began + 3600, "0/0"), "there was no checkpoint since it began"
        assert settled(str(int(number) + 10_000), began, last) is False
        checkpoint()
        assert settled(number, began, "0/0"), "the checkpoint has seen it: no other got its number"
    finally:
        lookups.dispose()


@pytest.fixture
async def crashing(tmp_path: Path) -> AsyncIterator[tuple[World, Cluster]]:
    """An empty world on a server of its own, which writes its log to the disk only when it is asked to."""
    cluster = Cluster()
    url = cluster.new_database(make_tables)
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("ALTER SYSTEM SET wal_writer_flush_after = '1GB'")
    cluster.restart()
    world = World("postgresql-local", url, tmp_path, open_database(url))
    yield world, cluster
    await world.db.close()
    cluster.stop()


@pytest.mark.parametrize("times", [1, 2])
async def test_a_commit_that_a_crash_lost_before_it_was_on_the_disk_is_made_again(
    crashing: tuple[World, Cluster], monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """A write that returns is on the disk, once: whatever it committed before the server crashed."""
    world, cluster = crashing
    flush, left = postgres._to_disk, times
    await world.write(lambda c: _sent(c, "before"))

    def crash_before(connection: Connection) -> None:
        nonlocal left
        if left:
            left -= 1
            cluster.restart()
        flush(connection)

    monkeypatch.setattr(postgres, "_to_disk", crash_before)
    for key in ("a", "b"):
        assert await world.write(lambda c, key=key: _sent(c, key)) == key  # type: ignore[misc]
    assert not left
    cluster.restart()
    assert await _kept(world) == ["before", "a", "b"]


async def test_what_is_read_to_be_passed_on_is_on_the_disk(
    crashing: tuple[World, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process committed, and a crash lost while it was read, was never there."""
    world, cluster = crashing
    flush, left = postgres._to_disk, 1
    await world.write(lambda c: _sent(c, "before"))
    await world.db.write(lambda c: _sent(c, "lost"), durable=False)
    everything = sa.select(MEMORIES.c.key).order_by(MEMORIES.c.id)
    assert len(await world.rows(everything)) == 2

    def crash_before(connection: Connection) -> None:
        nonlocal left
        if left:
            left -= 1
            cluster.restart()
        flush(connection)

    monkeypatch.setattr(postgres, "_to_disk", crash_before)
    found = await world.db.read_durable(lambda c: list(c.execute(everything).scalars()))
    assert found == ["before"] == await _kept(world) and not left
