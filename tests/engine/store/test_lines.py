"""What the writer of SQLite promises of each kind of work: a flush where it is asked for, an end for all."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import Connection

from engine.store.database import GROUP, SqliteDatabase

FULL = 2


def _synchronous(connection: Connection) -> int:
    """How this very transaction will be committed."""
    return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())


def _note(connection: Connection) -> None:
    connection.exec_driver_sql("INSERT INTO notes VALUES (1)")


async def test_work_that_must_last_is_always_flushed(tmp_path: Path) -> None:
    """However it is mixed with work that need not last, and that is spared the wait."""
    db = SqliteDatabase(f"sqlite:///{tmp_path / 'a.db'}")
    durable = [number % 3 != 0 for number in range(5 * GROUP)]
    found = await asyncio.gather(*(db.write(_synchronous, durable=flag) for flag in durable))
    assert all(mode == FULL for mode, flag in zip(found, durable, strict=True) if flag)
    assert all(mode < FULL for mode, flag in zip(found, durable, strict=True) if not flag)
    await db.close()


async def test_what_was_handed_over_is_done_before_the_end(tmp_path: Path) -> None:
    """Closing waits for both kinds."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    db = SqliteDatabase(url)
    await db.write(lambda c: c.exec_driver_sql("CREATE TABLE notes (n INTEGER)") and None)
    writes = [asyncio.ensure_future(db.write(_note, durable=number % 2 == 0)) for number in range(3 * GROUP)]
    await asyncio.sleep(0)
    await db.close()
    await asyncio.gather(*writes)
    again = SqliteDatabase(url)
    assert await again.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM notes").scalar()) == len(writes)
    await again.close()
