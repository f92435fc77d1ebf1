"""The shelf of paths: always as of the call, and thousands who ask at once cost a few reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from engine.commands import StartTask
from engine.handlers.tasks import start_task
from engine.store.core import FILES, REVISIONS
from engine.store.database import SqliteDatabase
from engine.tools.path_index import path_index_of
from tests.fakes.parts import CAPS, make_tables

TASK = 1


class Counted(SqliteDatabase):
    """Counts what is read."""

    reads = 0

    async def read(self, work: Callable[[Connection], Any]) -> Any:
        """Count, then read."""
        self.reads += 1
        return await super().read(work)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Counted]:
    """A database with one task."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    make_tables(url)
    counted = Counted(url)
    made = await counted.write(lambda c: start_task(c, StartTask("g", "me", "here"), CAPS, 0.0))
    assert made.id == TASK
    yield counted
    await counted.close()


def put(connection: Connection, path: str, size: int) -> None:
    """A revision of a new path."""
    blob = "b" * 40
    connection.execute(FILES.insert().values(task_id=TASK, path=path, blob=blob, revision=1, size=size))
    row = {"task_id": TASK, "path": path, "blob": blob, "agent": "A", "step": "1", "key": path, "at": 0.0}
    connection.execute(REVISIONS.insert().values(**row))


async def test_a_thousand_at_once_share_the_reading(db: Counted) -> None:
    """All see the file committed before they asked; they read together, whatever came before their turn."""
    await db.write(lambda c: put(c, "a.md", 5))
    shelves = await asyncio.gather(*(path_index_of(db, TASK) for _ in range(1_000)))
    assert {path_index.total for path_index in shelves} == {5}
    assert db.reads <= 3


async def test_who_asks_while_a_read_is_under_way_sees_what_was_committed_by_then(db: Counted) -> None:
    """The read under way may have begun before that commit: there is another after it."""
    seen: list[tuple[int, int]] = []

    async def writer(number: int) -> None:
        await db.write(lambda c: put(c, f"{number}.md", 1))
        seen.append((number, (await path_index_of(db, TASK)).sizes.get(f"{number}.md", 0)))

    await asyncio.gather(*(writer(number) for number in range(200)))
    assert sorted(seen) == [(number, 1) for number in range(200)]


async def test_a_caller_cancelled_in_its_read_leaves_the_others_theirs(db: Counted) -> None:
    """Whoever waited behind it reads for itself."""
    await db.write(lambda c: put(c, "a.md", 5))
    first, second = (asyncio.create_task(path_index_of(db, TASK)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await asyncio.gather(first, second, return_exceptions=True))[1].sizes == {"a.md": 5}  # type: ignore[union-attr]
