"""Transactions on SQLite (one writer thread, group commit) and PostgreSQL (a pool of connections).

Why one writer thread: measured on 590 agents, Core statements in one thread with groups of at most 16
commits cost 0.6-0.9 ms a turn at synchronous=FULL, where aiosqlite cost 3 ms (docs/architecture.md).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, event

from engine.errors import NotConfigured, StorageFull
from engine.extras import require
from engine.ports import Database
from engine.private import private_file
from engine.store.driver_errors import (
    FULL,
    NOT_UTF8,
    PATIENCE,
    DiskSpace,
    cannot_open,
    check_address,
    plain_error,
)

T = TypeVar("T")

GROUP = 16
"""Commits that share one fsync; groups of 64 were observed to fall into lockstep."""

_FLUSHED, _UNFLUSHED = "PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL"
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    _FLUSHED,
    "PRAGMA busy_timeout=30000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-16384",
)
log = logging.getLogger(__name__)


class _Job(NamedTuple):
    """Work for the writer thread, and the future that waits for it."""

    work: Callable[[Connection], Any]
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    durable: bool


_Result = tuple[_Job, Any, Exception | None]


def check_database_url(url: str) -> None:
    """Check, without opening it, that a database of this SQLAlchemy URL can be used. Raises NotConfigured."""
    check_address(url)
    if not url.startswith("sqlite"):
        require("postgres", "DATABASE_URL on PostgreSQL")


def try_database(url: str) -> None:
    """Connect to the database once. Blocking. Raises the driver's error, or NotConfigured."""
    engine = sync_engine(url)
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def open_database(url: str) -> Database:
    """Open the database of an SQLAlchemy URL (`sqlite:///…` or `postgresql://…`). Raises NotConfigured."""
    check_database_url(url)
    if url.startswith("sqlite"):
        return SqliteDatabase(url)
    # Imported here: its driver is of that extra, and its megabytes are for those who use PostgreSQL.
    from engine.store.postgres import PostgresDatabase  # noqa: PLC0415

    return PostgresDatabase(url)


def conninfo_of(url: str) -> str:
    """Return libpq's URL for an SQLAlchemy URL of PostgreSQL. Raises NotConfigured for other databases."""
    scheme, _, rest = url.partition("://")
    if scheme.split("+")[0] not in ("postgresql", "postgres"):
        raise NotConfigured("Workers need PostgreSQL. Set DATABASE_URL to postgresql://user@host/name.")
    return f"postgresql://{rest}"


def sync_engine(url: str) -> sa.Engine:
    """Return a plain SQLAlchemy engine for the URL, with the same pragmas (for migrations, tools, tests).

    Raises NotConfigured where the extra [postgres] is needed and missing.
    """
    check_database_url(url)
    if not url.startswith("sqlite"):
        engine = sa.create_engine("postgresql+psycopg://" + url.split("://", 1)[1], connect_args=PATIENCE)
        # First of all: SQLAlchemy itself falls over the bytes that such a server sends for text.
        event.listen(engine, "connect", _check_encoding, insert=True)
        return engine
    path = sa.make_url(url).database
    if path and path != ":memory:" and not path.startswith("file:"):
        try:
            private_file(Path(path))
        except OSError as error:
            raise cannot_open(error, path) from error
    engine = sa.create_engine(url)
    event.listen(engine, "connect", _set_pragmas)
    return engine


def _check_encoding(dbapi: Any, _record: object) -> None:
    encoding = dbapi.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise NotConfigured(NOT_UTF8.format(name=dbapi.info.dbname, encoding=encoding))


def _set_pragmas(dbapi: Any, _record: object) -> None:
    dbapi.isolation_level = None
    try:
        for pragma in _PRAGMAS:
            dbapi.execute(pragma).close()
    except sqlite3.Error:
        # The pool does not know this connection yet, so nothing else would close it.
        dbapi.close()
        raise


class _WriteQueues:
    """Queues of jobs for the writer thread: one for durable jobs, one for the others."""

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting: dict[bool, deque[tuple[int, _Job]]] = {True: deque(), False: deque()}
        self._numbers = itertools.count()
        self._closed = False

    def put(self, job: _Job | None) -> None:
        """Queue a job, from any thread; None closes the queues."""
        self._arrived.put(job)

    def next_group(self) -> list[_Job]:
        """Return up to GROUP jobs of the queue whose first job is oldest; none when closed and empty."""
        self._gather()
        line = min(filter(None, self._waiting.values()), key=lambda waiting: waiting[0], default=deque())
        return [line.popleft()[1] for _ in range(min(GROUP, len(line)))]

    def _gather(self) -> None:
        while not self._closed:
            try:
                job = self._arrived.get(block=not any(self._waiting.values()))
            except queue.Empty:
                return
            if job is None:
                self._closed = True
            else:
                self._waiting[job.durable].append((next(self._numbers), job))


class SqliteDatabase:
    """SQLite for one process: one thread writes in order, others read from WAL snapshots."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = sync_engine(url)
        path = sa.make_url(url).database
        self._queues, self._room = _WriteQueues(), DiskSpace(Path(path).parent if path else None)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="sqlite-read")
        self._closed = False
        self._writer = threading.Thread(target=self._serve, name="sqlite-write", daemon=True)
        self._writer.start()

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
        if self._closed:
            raise RuntimeError("the database is closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._queues.put(_Job(work, done, loop, durable))
        return await done

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def read_durable(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read_durable`."""
        found = await self.read(work)
        await self.write(lambda _connection: None)
        return found

    async def close(self) -> None:
        """See `Database.close`."""
        if self._closed:
            return
        self._closed = True
        self._queues.put(None)
        try:
            await asyncio.to_thread(self._writer.join)
            await asyncio.to_thread(self._readers.shutdown)
        finally:  # also when the caller is cancelled meanwhile: nobody closes a second time
            self._engine.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("BEGIN")
            try:
                return work(connection)
            finally:
                driver.execute("ROLLBACK")

    def _serve(self) -> None:
        while jobs := self._queues.next_group():
            try:
                connection = self._engine.connect()
            except Exception as error:  # noqa: BLE001 - the file cannot be opened: each caller hears of it
                said = plain_error(error, self._url)
                self._finish([(job, None, said) for job in jobs])
                continue
            with connection:
                self._finish(self._commit_group(connection, jobs))
                while jobs := self._queues.next_group():
                    self._finish(self._commit_group(connection, jobs))
            return

    def _finish(self, results: list[_Result]) -> None:
        failures = [error for _, _, error in results if error is not None]
        for error in failures:
            self._room.failed(error)
        if not failures:
            self._room.succeeded()
        _deliver(results)

    def _commit_group(self, connection: Connection, jobs: list[_Job]) -> list[_Result]:
        """Commit the jobs together; if one fails, repeat them with a savepoint each and roll back only that
        one."""
        raw: Any = connection.connection.driver_connection
        try:
            # An unflushed commit stays in the log until the next flush, which includes all earlier ones.
            raw.execute(_FLUSHED if jobs[0].durable else _UNFLUSHED)
            raw.execute("BEGIN IMMEDIATE")
            try:
                results: list[_Result] = [(job, job.work(connection), None) for job in jobs]
            except Exception as error:
                if len(jobs) == 1 or not raw.in_transaction:
                    raise
                log.debug("a group of %s jobs is repeated one by one: %r", len(jobs), error)
                raw.execute("ROLLBACK")
                raw.execute("BEGIN IMMEDIATE")
                results = [(job, *_in_savepoint(connection, raw, job.work)) for job in jobs]
            raw.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, every waiting caller must hear of it
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            said = plain_error(error, self._url)
            return [(job, None, said) for job in jobs]
        return results


def _in_savepoint(
    connection: Connection, raw: Any, work: Callable[[Connection], T]
) -> tuple[T | None, Exception | None]:
    raw.execute("SAVEPOINT job")
    try:
        result = work(connection)
    except Exception as error:
        if not raw.in_transaction:
            raise
        raw.execute("ROLLBACK TO job")
        raw.execute("RELEASE job")
        return None, plain_error(error, str(connection.engine.url))
    raw.execute("RELEASE job")
    return result, None


def _deliver(results: list[_Result]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Result]] = {}
    for result in results:
        by_loop.setdefault(result[0].loop, []).append(result)
    for loop, mine in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(results: list[_Result]) -> None:
    for job, value, error in results:
        if job.done.done():
            continue
        if error is None:
            job.done.set_result(value)
        else:
            job.done.set_exception(error)
