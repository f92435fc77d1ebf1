"""PostgreSQL for many processes: pooled connections, shared flushes, retries after deadlocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from engine.errors import StorageFull
from engine.store.driver_errors import FULL, PATIENCE, DiskSpace, is_disconnect, plain_error
from engine.store.fate import CommitUnknown, Settle, took_effect
from engine.store.prepared import Prepared, to_the_end
from engine.store.wire import pipeline_of

T = TypeVar("T")
_wait_for_disk = Prepared(sa.text("SET LOCAL synchronous_commit TO on"))
_mark = Prepared(sa.text("SELECT pg_logical_emit_message(true, 'megaagent', '')"))
_PG_RETRIES = 12
"""More than the connections of a pool: after a restart of the server each of them costs one attempt."""


class PostgresDatabase:
    """PostgreSQL for many processes: each write is a transaction, retried on a deadlock.

    Transactions commit without waiting for the disk, so that none holds locks meanwhile; `write` returns
    after a flush that concurrent commits share. Writes of others are visible before they are on disk: a
    reader that passes them on to the outside (events) makes an empty write first.
    """

    def __init__(self, url: str, size: int = 6) -> None:
        self._url = url
        address = "postgresql+psycopg://" + url.split("://", 1)[1]
        self._engine = sa.create_engine(
            address,
            pool_size=size + 1,
            max_overflow=2,
            # See `engine.store.wire`, which prepares the frequent statements itself.
            connect_args={
                **PATIENCE,
                "prepare_threshold": None,
                "options": "-c synchronous_commit=off -c plan_cache_mode=force_generic_plan",
            },
        )
        # Beside the pool, whose connections may all be lost together.
        lookups = sa.create_engine(address, poolclass=sa.NullPool, connect_args=PATIENCE)
        self._settle: Settle = partial(took_effect, lookups)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="postgres")
        self._flusher = ThreadPoolExecutor(1, thread_name_prefix="postgres-flush")
        self._next_flush: asyncio.Task[None] | None = None
        self._flushing, self._room = asyncio.Lock(), DiskSpace()

    @property
    def url(self) -> str:
        """Return the SQLAlchemy URL."""
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
            loop = asyncio.get_running_loop()
            done = await loop.run_in_executor(self._threads, self._run, work, self._settle)
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
        try:
            await asyncio.to_thread(self._threads.shutdown)
            await asyncio.to_thread(self._flusher.shutdown)
        finally:
            self._engine.dispose()

    async def _flush(self) -> None:
        """Join the next flush: the running one may have started before this commit."""
        if self._next_flush is None:
            self._next_flush = asyncio.create_task(self._flush_once(), name="flush")
        await asyncio.shield(self._next_flush)

    async def _flush_once(self) -> None:
        async with self._flushing:
            self._next_flush = None
            await asyncio.get_running_loop().run_in_executor(self._flusher, self._run, _to_disk)

    def _run(self, work: Callable[[Connection], T], settle: Settle | None = None) -> T:
        for left in range(_PG_RETRIES - 1, -1, -1):
            try:
                with self._engine.connect() as connection:
                    return _in_transaction(connection, work, settle)
            except CommitUnknown as unknown:
                raise plain_error(unknown.error, self._url) from unknown.error
            except (DBAPIError, psycopg.Error) as error:
                if left == 0 or not _may_repeat(error):
                    raise _named(error, self._url) from error
        raise AssertionError("unreachable: the last attempt returns or raises")


def _in_transaction(connection: Connection, work: Callable[[Connection], T], settle: Settle | None) -> T:
    raw: Any = connection.connection.driver_connection
    pipeline = pipeline_of(connection)
    pipeline.start(settle)
    try:
        result = work(connection)
        pipeline.commit()
    finally:
        if raw.closed:
            connection.invalidate()
    return result


def _to_disk(connection: Connection) -> None:
    """Commit with a wait for the disk: the log is sequential, so all earlier commits are flushed too."""
    with to_the_end(connection):
        _wait_for_disk.run(connection)
        _mark.run(connection)


def _may_repeat(error: DBAPIError | psycopg.Error) -> bool:
    """Return whether to retry: after a deadlock, a serialisation failure (40P01, 40001) or a lost connection.

    A write comes here only when its transaction left nothing: `engine.store.fate` settles lost commits.
    """
    origin = error.orig if isinstance(error, DBAPIError) else error
    return getattr(origin, "sqlstate", "") in ("40P01", "40001") or is_disconnect(error)


def _named(error: DBAPIError | psycopg.Error, url: str) -> Exception:
    """Convert the driver's integrity errors to SQLAlchemy's, whatever ran the statement."""
    if isinstance(error, psycopg.IntegrityError):
        return IntegrityError("a prepared statement", None, error)
    return plain_error(error, url)
