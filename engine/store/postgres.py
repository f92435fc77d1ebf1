"""PostgreSQL for many processes: pooled connections, shared flushes, retries after deadlocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from engine.errors import StorageFull
from engine.store.driver_errors import FULL, PATIENCE, DiskSpace, is_disconnect, plain_error
from engine.store.fate import CommitUnknown, Mark, Settle, took_effect
from engine.store.prepared import Prepared, to_the_end
from engine.store.wire import pipeline_of

T = TypeVar("T")
_wait_for_disk = Prepared(sa.text("SET LOCAL synchronous_commit TO on"))
_mark = Prepared(sa.text("SELECT pg_logical_emit_message(true, 'megaagent', '')"))
_PG_RETRIES = 12
"""More than the connections of a pool: after a restart of the server each of them costs one attempt."""

_CRASHED = "the server closed the connection unexpectedly before a commit was on the disk"


class _Done(NamedTuple, Generic[T]):
    """What a transaction returned; `mark` finds out later whether it stands, None if it changed nothing."""

    result: T
    mark: Mark | None


class PostgresDatabase:
    """PostgreSQL for many processes: each write is a transaction, retried on a deadlock.

    Transactions commit without waiting for the disk, so that none holds locks meanwhile; `write` returns
    after a flush that concurrent commits share.
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
        self._flusher = _Flusher(self._engine, url)
        self._next_flush: asyncio.Task[int] | None = None
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
            done = await (self._commit_to_disk(work) if durable else self._commit(work))
        except StorageFull as error:
            self._room.failed(error)
            raise
        self._room.succeeded()
        return done.result

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        done = await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)
        return done.result

    async def read_durable(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read_durable`."""
        for _ in range(_PG_RETRIES):
            session = await self._flusher.session()
            found = await self.read(work)
            if await self._flush() == session:
                return found
        raise plain_error(psycopg.OperationalError(_CRASHED), self._url)

    async def close(self) -> None:
        """See `Database.close`."""
        try:
            await asyncio.to_thread(self._threads.shutdown)
            await asyncio.to_thread(self._flusher.close)
        finally:
            self._engine.dispose()

    async def _commit(self, work: Callable[[Connection], T]) -> _Done[T]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work, self._settle)

    async def _commit_to_disk(self, work: Callable[[Connection], T]) -> _Done[T]:
        """Commit and flush. A server that crashes in between loses the commit: then it is made again."""
        for _ in range(_PG_RETRIES):
            session = await self._flusher.session()
            done = await self._commit(work)
            if await self._flush() == session or await self._stands(done.mark):
                return done
        raise plain_error(psycopg.OperationalError(_CRASHED), self._url)

    async def _stands(self, mark: Mark | None) -> bool:
        """Return whether a commit survived that may have been lost in a crash. Raises the database's error
        when that is not known."""
        if mark is None:
            return True
        settled = await asyncio.get_running_loop().run_in_executor(self._threads, self._settle, mark)
        if settled is None:
            raise plain_error(psycopg.OperationalError(_CRASHED), self._url)
        return settled

    async def _flush(self) -> int:
        """Join the next flush: the running one may have started before this commit. Return its session."""
        if self._next_flush is None:
            self._next_flush = asyncio.create_task(self._flush_once(), name="flush")
        return await asyncio.shield(self._next_flush)

    async def _flush_once(self) -> int:
        async with self._flushing:
            self._next_flush = None
            return await self._flusher.flush()

    def _run(self, work: Callable[[Connection], T], settle: Settle | None = None) -> _Done[T]:
        def attempt() -> _Done[T]:
            with self._engine.connect() as connection:
                return _in_transaction(connection, work, settle)

        return _repeated(attempt, self._url)


class _Flusher:
    """Flushes commits to the disk, in a session of its own: while that lasts, the server has not crashed."""

    def __init__(self, engine: sa.Engine, url: str) -> None:
        self._engine, self._url = engine, url
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="postgres-flush")
        self._connection: Connection | None = None
        self._number = 0

    async def session(self) -> int:
        """Return the number of the open session; open one if there is none."""
        if self._connection is None:
            await asyncio.get_running_loop().run_in_executor(self._thread, _repeated, self._open, self._url)
        return self._number

    async def flush(self) -> int:
        """Flush all that is committed. Return the number of the session that did."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _repeated, self._flush, self._url)

    def close(self) -> None:
        """End the session and the thread."""
        self._thread.shutdown()
        self._end()

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
            self._number += 1
        return self._connection

    def _flush(self) -> int:
        try:
            _in_transaction(self._open(), _to_disk, None)
        except BaseException:
            self._end()
            raise
        return self._number

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _repeated(attempt: Callable[[], T], url: str) -> T:
    """Return what the first attempt returns that no deadlock or lost connection ends. Raises the last
    error."""
    for left in range(_PG_RETRIES - 1, -1, -1):
        try:
            return attempt()
        except CommitUnknown as unknown:
            raise plain_error(unknown.error, url) from unknown.error
        except (DBAPIError, psycopg.Error) as error:
            if left == 0 or not _may_repeat(error):
                raise _named(error, url) from error
    raise AssertionError("unreachable: the last attempt returns or raises")


def _in_transaction(
    connection: Connection, work: Callable[[Connection], T], settle: Settle | None
) -> _Done[T]:
    raw: Any = connection.connection.driver_connection
    pipeline = pipeline_of(connection)
    pipeline.start(settle)
    try:
        result = work(connection)
        pipeline.commit()
    finally:
        if raw.closed:
            connection.invalidate()
    return _Done(result, pipeline.mark)


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
