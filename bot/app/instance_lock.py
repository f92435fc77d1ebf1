"""Allow one bot per database: two would post everything twice. A second start is refused."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot import texts
from bot.storage.guild_settings import FACTS
from bot.storage.upsert import upsert
from engine.ports import Database

log = logging.getLogger(__name__)
LEASE_S = 60.0
BEAT_S = 15.0
LOOK_S = 1.0
"""Between two looks at the lease of a bot that may have been killed."""


class AlreadyRunning(Exception):
    """Another bot uses the database; the text names it and the next step."""


def here() -> str:
    """Return a description of this process and its host."""
    return f"process {os.getpid()} on {socket.gethostname()}"


class InstanceLock:
    """Holds a lock file beside a database of one machine for as long as the process lives.

    The lock is the operating system's, so it is gone the moment its process is, killed or not; the file
    itself stays and only says who holds it. Use as a context manager.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path, timeout=0, mode=0o600, thread_local=False)

    def __enter__(self) -> InstanceLock:
        """Take the lock. Raises AlreadyRunning."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            who = self._path.read_text(encoding="utf-8", errors="replace").strip()
            raise AlreadyRunning(texts.TWICE.format(who=who or "process unknown")) from None
        self._path.write_text(f"{here()}\n", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock."""
        with suppress(OSError):  # releasing is what frees it; emptying only keeps the file honest
            self._path.write_text("", encoding="utf-8")
        self._lock.release()


class Lease:
    """Holds a database that several machines share: a row that says who runs, renewed every 15 seconds.

    A bot that died without leaving blocks others for at most a minute.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._database, self._now, self._sleep = database, now, sleep
        self._me = secrets.token_hex(8)

    async def begin(self, say: Callable[[str], None]) -> None:
        """Take the lease, after waiting for one that nobody renews to end: its holder was killed. Raises
        AlreadyRunning once somebody renews it."""
        first = await self._database.write(self._take)
        if first is None:
            return
        say(texts.TWICE_PERHAPS.format(who=first["who"]))
        while (held := await self._database.write(self._take)) is not None:
            if held != first:
                raise AlreadyRunning(texts.TWICE.format(who=held["who"]))
            await self._sleep(LOOK_S)

    async def claim(self) -> None:
        """Take or renew the lease. Raises AlreadyRunning while somebody else holds it."""
        holder = await self._database.write(self._take)
        if holder is not None:
            raise AlreadyRunning(texts.TWICE.format(who=holder["who"]))

    async def leave(self) -> None:
        """Release the lease if it is still ours."""
        await self._database.write(self._free)

    async def keep(self) -> None:
        """Renew the lease until cancelled. Raises AlreadyRunning if another bot took it."""
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self.claim()
            except (SQLAlchemyError, OSError) as error:
                log.warning("the lease could not be renewed, next try soon: %s", error)

    def _take(self, connection: Connection) -> dict[str, Any] | None:
        """Take or renew the lease. Return the one that somebody else holds, if it has not ended."""
        row = connection.execute(FACTS.select().where(FACTS.c.name == "bot").with_for_update()).first()
        held: dict[str, Any] = json.loads(row.value) if row else {}
        if held and held["me"] != self._me and held["until"] > self._now():
            return held
        value = json.dumps({"me": self._me, "who": here(), "until": self._now() + LEASE_S})
        upsert(connection, FACTS, {"name": "bot"}, {"value": value})
        return None

    def _free(self, connection: Connection) -> None:
        row = connection.execute(FACTS.select().where(FACTS.c.name == "bot")).first()
        if row and json.loads(row.value)["me"] == self._me:
            connection.execute(FACTS.delete().where(FACTS.c.name == "bot"))


@asynccontextmanager
async def hold_instance(
    database: Database, data_dir: Path, now: Callable[[], float], say: Callable[[str], None] = log.warning
) -> AsyncIterator[None]:
    """Be the only bot on `database` while inside. Raises AlreadyRunning, also when a lease is lost. `say`
    gets what the operator reads while the start waits.

    SQLite is one machine's: a lock file in `data_dir`. Any other database may be shared: a lease in it.
    """
    if database.url.startswith("sqlite"):
        with InstanceLock(data_dir / "bot.lock"):
            yield
        return
    lease = Lease(database, now)
    await lease.begin(say)
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(lease.keep(), name="lease")
        try:
            yield
        finally:
            keeping.cancel()
            await lease.leave()
