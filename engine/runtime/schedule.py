"""Persistent scheduled jobs in one elected process (APScheduler with a job store).

Runs missed while no process was running are made up for by one run.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.base import BaseScheduler

from engine.store.database import sync_engine

if TYPE_CHECKING:
    from engine.runtime.election import Election

STORE_TABLE = "apscheduler_jobs"
INSTANCES = 2


class _Scheduler(AsyncIOScheduler):  # type: ignore[misc]  # the library has no types
    """Stops at once, in the event loop's thread.

    APScheduler's own `shutdown` only queues the stop, and a wake-up that is queued behind it still looks for
    due jobs: it would start them, and open a connection of a disposed engine that nobody closes.
    """

    def stop(self) -> None:
        """Stop, release the job store, and ignore wake-ups that are queued already."""
        BaseScheduler.shutdown(self, wait=False)
        self._stop_timer()

    def _process_jobs(self) -> Any:
        return super()._process_jobs() if self.running else None


class Schedule:
    """A scheduler whose jobs are stored in the database; it runs only while this process is elected.

    A job is a function named by text (`module:function`) with JSON-like arguments, because it is stored; it
    should only insert messages. It may be called again while it still runs and must then return at once
    (APScheduler refuses a further overlapping call, with a warning).
    """

    def __init__(self, url: str) -> None:
        self._engine = sync_engine(url)
        self._store = SQLAlchemyJobStore(engine=self._engine, tablename=STORE_TABLE)
        self._scheduler: _Scheduler | None = None
        self._election: Election | None = None
        if not url.startswith("sqlite"):
            # SQLite has one process: it needs neither an election nor PostgreSQL's driver in memory.
            from engine.runtime.election import Election  # noqa: PLC0415

            self._election = Election(url, self._switch)
        self._wanted: dict[str, tuple[str, float, tuple[object, ...]]] = {}

    def every(self, name: str, seconds: float, function: str, *arguments: object) -> None:
        """Run `function` every `seconds`; the same name over restarts, so that a due run is not forgotten."""
        self._wanted[name] = (function, seconds, arguments)
        if self._scheduler is not None:
            self._add(self._scheduler, name)

    async def start(self) -> None:
        """Take part in the election; jobs run once elected, on SQLite at once."""
        await (self._election.start() if self._election else self._switch(True))

    async def stop(self) -> None:
        """Leave the election; no new run starts."""
        try:
            await (self._election.stop() if self._election else self._switch(False))
        finally:
            self._engine.dispose()

    async def _switch(self, elected: bool) -> None:
        if not elected:
            if self._scheduler is not None:
                self._scheduler.stop()
                self._scheduler = None
            return
        self._scheduler = _Scheduler(
            jobstores={"default": self._store},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": INSTANCES},
            timezone=UTC,
        )
        self._scheduler.start(paused=True)
        for name in self._wanted:
            self._add(self._scheduler, name)
        self._scheduler.resume()

    def _add(self, scheduler: _Scheduler, name: str) -> None:
        function, seconds, arguments = self._wanted[name]
        known = scheduler.get_job(name)
        if known is None:
            scheduler.add_job(function, "interval", seconds=seconds, id=name, args=arguments)
            return
        if known.max_instances != INSTANCES:
            known.modify(max_instances=INSTANCES)
        if known.trigger.interval.total_seconds() != seconds:
            known.reschedule("interval", seconds=seconds)
