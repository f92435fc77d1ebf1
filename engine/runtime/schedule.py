"""What is due by the clock, kept over restarts, in one elected process (APScheduler with a job store).

A run missed while nobody ran is made up for once, not once for each time it was missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC

import psycopg
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from engine.runtime.procrastinate import conninfo_of
from engine.store.database import sync_engine

log = logging.getLogger(__name__)

ELECTION_LOCK = 0x4D656762
CAMPAIGN_S = 5.0
STORE_TABLE = "apscheduler_jobs"


class Election:
    """Who of all processes on one database looks after the clock: the holder of an advisory lock.

    On SQLite there is one process, and it is elected. `on_change(elected)` is told of each change.
    """

    def __init__(self, url: str, on_change: Callable[[bool], Awaitable[None]]) -> None:
        self._url, self._on_change = url, on_change
        self._held: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self._campaign: asyncio.Task[None] | None = None
        self.elected = False

    async def start(self) -> None:
        """Stand for election; goes on until `stop`."""
        if self._url.startswith("sqlite"):
            await self._become(True)
        else:
            self._campaign = asyncio.create_task(self._stand(), name="election")

    async def stop(self) -> None:
        """Step down."""
        if self._campaign is not None:
            self._campaign.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._campaign
        if self._held is not None:
            await self._held.close()
        await self._become(False)

    async def _stand(self) -> None:
        while True:
            try:
                await self._become(await self._holds())
            except psycopg.Error as error:
                log.warning("the election is lost for now: %s", error)
                self._held = None
                await self._become(False)
            await asyncio.sleep(CAMPAIGN_S)

    async def _holds(self) -> bool:
        if self._held is None:
            self._held = await psycopg.AsyncConnection.connect(conninfo_of(self._url), autocommit=True)
        if self.elected:
            await self._held.execute("SELECT 1")
            return True
        found = await self._held.execute("SELECT pg_try_advisory_lock(%s)", [ELECTION_LOCK])
        row = await found.fetchone()
        return bool(row and row[0])

    async def _become(self, elected: bool) -> None:
        if elected != self.elected:
            self.elected = elected
            await self._on_change(elected)


class Schedule:
    """A scheduler whose jobs live in the database; runs only while this process is elected.

    A job is a module's function given by its text (`module:function`) with JSON-like arguments, because it
    is stored; let it only insert messages.
    """

    def __init__(self, url: str) -> None:
        self._engine = sync_engine(url)
        self._store = SQLAlchemyJobStore(engine=self._engine, tablename=STORE_TABLE)
        self._scheduler: AsyncIOScheduler | None = None
        self._election = Election(url, self._switch)
        self._wanted: dict[str, tuple[str, float, tuple[object, ...]]] = {}

    def every(self, name: str, seconds: float, function: str, *arguments: object) -> None:
        """Run `function` each `seconds`; under the same name over restarts, so a due run is not forgotten."""
        self._wanted[name] = (function, seconds, arguments)
        if self._scheduler is not None:
            self._add(self._scheduler, name)

    async def start(self) -> None:
        """Stand for election; jobs run once elected."""
        await self._election.start()

    async def stop(self) -> None:
        """Step down, let nothing new begin."""
        await self._election.stop()
        self._engine.dispose()

    async def _switch(self, elected: bool) -> None:
        if not elected:
            if self._scheduler is not None:
                self._scheduler.shutdown(wait=False)
                self._scheduler = None
            return
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": self._store},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
            timezone=UTC,
        )
        self._scheduler.start(paused=True)
        for name in self._wanted:
            self._add(self._scheduler, name)
        self._scheduler.resume()

    def _add(self, scheduler: AsyncIOScheduler, name: str) -> None:
        function, seconds, arguments = self._wanted[name]
        known = scheduler.get_job(name)
        if known is None:
            scheduler.add_job(function, "interval", seconds=seconds, id=name, args=arguments)
        elif known.trigger.interval.total_seconds() != seconds:
            known.reschedule("interval", seconds=seconds)
