"""PostgreSQL for many processes: pooled connections, shared flushes, repeats of what deadlocked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from engine.errors import StorageFull
from engine.store.driver_errors import FULL, PATIENCE, Room, plain_error
from engine.store.prepared import Prepared, to_the_end

T = TypeVar("T")
_wait_for_disk = Prepared(sa.text("SET LOCAL synchronous_commit TO on"))
_mark = Prepared(sa.text("SELECT pg_logical_emit_message(true, 'megaagent', '')"))
_PG_RETRIES = 12
"""More than a pool has connections: after a restart of the server each of them costs an attempt."""


class PostgresDatabase:
    """Many processes: each write is its own transaction, repeated on a deadlock.

    Transactions commit without waiting for the disk, so that none holds its locks meanwhile; a caller is
    answered after a flush that all commits of the moment share. What others wrote is seen before it is on
    disk: who passes it on outside (events) makes an empty write first, which returns once all is there.
    """

    def __init__(self, url: str, size: int = 6) -> None:
        self._url = url
        self._engine = sa.create_engine(
            "postgresql+psycopg://" + url.split("://", 1)[1],
            pool_size=size + 1,
            max_overflow=2,
            # See `Wire`: it prepares what is asked for often.
            connect_args={
                **PATIENCE,
                "prepare_threshold": None,
                "options": "-c synchronous_commit=off -c plan_cache_mode=force_generic_plan",
            },
        )
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="postgres")
        self._flusher = ThreadPoolExecutor(1, thread_name_prefix="postgres-flush")
        self._next_flush: asyncio.Task[None] | None = None
        self._flushing, self._room = asyncio.Lock(), Room()

    @property
    def url(self) -> str:
        """SQLAlchemy URL."""
        return self._url

    @property
    def trouble(self) -> str:
        """See `Database.trouble`."""
        return self._room.trouble

    def report_full(self) -> None:
        """See `Database.report_full`."""
        self._room.failed(StorageFull(FULL))

    async def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """See `Database.write`."""
        try:
            done = await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)
            if durable:
                await self._flush()
        except StorageFull as error:
            self._room.failed(error)
            raise
        self._room.succeeded()
        return done

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)

    async def close(self) -> None:
        """See `Database.close`."""
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._flusher.shutdown)
        self._engine.dispose()

    async def _flush(self) -> None:
        """Join the next flush: the one under way may have begun before this commit."""
        if self._next_flush is None:
            self._next_flush = asyncio.create_task(self._flush_once(), name="flush")
        await asyncio.shield(self._next_flush)

    async def _flush_once(self) -> None:
        async with self._flushing:
            self._next_flush = None
            await asyncio.get_running_loop().run_in_executor(self._flusher, self._run, _to_disk)

    def _run(self, work: Callable[[Connection], T]) -> T:
        for left in range(_PG_RETRIES - 1, -1, -1):
            try:
                with self._engine.connect() as connection:
                    return _in_transaction(connection, work)
            except (DBAPIError, psycopg.Error) as error:
                if left == 0 or not _may_repeat(error):
                    raise _named(error, self._url) from error
        raise AssertionError("unreachable: the last attempt returns or raises")


def _in_transaction(connection: Connection, work: Callable[[Connection], T]) -> T:
    raw: Any = connection.connection.driver_connection
    try:
        result = work(connection)
        raw.commit()
    except Exception:
        if raw.closed:
            connection.invalidate()
        raise
    return result


def _to_disk(connection: Connection) -> None:
    """A commit of its own that waits for the disk: the log is one line, so all before it are there too."""
    with to_the_end(connection):
        _wait_for_disk.run(connection)
        _mark.run(connection)


def _may_repeat(error: DBAPIError | psycopg.Error) -> bool:
    """Deadlock, serialisation failure (SQLSTATE 40P01, 40001) or a lost connection: nothing was committed.

    Work is repeatable and its keys are deterministic, so even a commit whose answer was lost is safe.
    """
    origin = error.orig if isinstance(error, DBAPIError) else error
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    lost = lost or (isinstance(origin, psycopg.OperationalError) and origin.sqlstate is None)
    return getattr(origin, "sqlstate", "") in ("40P01", "40001") or lost


def _named(error: DBAPIError | psycopg.Error, url: str) -> Exception:
    """The driver's integrity errors under SQLAlchemy's name, whoever ran the statement."""
    if isinstance(error, psycopg.IntegrityError):
        return IntegrityError("a prepared statement", None, error)
    return plain_error(error, url)
