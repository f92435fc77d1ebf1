"""Persistent scheduled jobs in one elected process (APScheduler with a job store).

Runs missed while no process was running are made up for by one run. The job store is used by a thread of
its own: a database that does not answer delays scheduled runs, and never the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import UTC
from typing import TYPE_CHECKING, Any

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.base import STATE_STOPPED, BaseScheduler

from engine.store.database import sync_engine

if TYPE_CHECKING:
    from engine.runtime.election import Election

log = logging.getLogger(__name__)

STORE_TABLE = "apscheduler_jobs"
INSTANCES = 2
RETRY_S = 5.0
"""Wait after an error of the job store."""
STOP_S = 5.0
"""How long a stop waits for a statement that the database does not answer."""

_Wanted = dict[str, tuple[str, float, tuple[object, ...]]]


class _Executor(AsyncIOExecutor):  # type: ignore[misc]  # the library has no types
    """Runs jobs in the event loop; they arrive from the scheduler's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._eventloop, self._closed = loop, False
        self._pending_futures: set[asyncio.Future[Any]] = set()

    def start(self, scheduler: BaseScheduler, alias: str) -> None:
        """Take the name and the lock of a scheduler; the event loop is known already."""
        super(AsyncIOExecutor, self).start(scheduler, alias)

    def close(self) -> None:
        """Start nothing more and cancel what runs; in the event loop's thread."""
        self._closed = True
        super().shutdown(wait=False)

    def shutdown(self, wait: bool = True) -> None:
        """Leave the jobs alone: `close` ends them, in their own thread."""

    def _do_submit_job(self, job: Any, run_times: list[Any]) -> None:
        self._eventloop.call_soon_threadsafe(self._run, job, run_times)

    def _run(self, job: Any, run_times: list[Any]) -> None:
        if self._closed:
            self._run_job_success(job.id, [])
        else:
            super()._do_submit_job(job, run_times)


class _Store(SQLAlchemyJobStore):  # type: ignore[misc]  # the library has no types
    """A job store with no due jobs once it is closing, so that their runs stay due for the next process."""

    def __init__(self, url: str, closing: threading.Event) -> None:
        super().__init__(engine=sync_engine(url), tablename=STORE_TABLE)
        self._closing = closing

    def get_due_jobs(self, now: Any) -> list[Any]:
        """Return the jobs that are due; none after a stop, even if the database answered only now."""
        due: list[Any] = super().get_due_jobs(now)
        return [] if self._closing.is_set() else due


class _Scheduler(BaseScheduler):  # type: ignore[misc]  # the library has no types
    """A scheduler whose every use of the job store is in its own thread, which also closes the connections.

    (APScheduler's own AsyncIOScheduler queries the store in the event loop, and the `shutdown` of its
    BackgroundScheduler waits for a lock that is held during a query.)
    """

    def __init__(self, url: str, wanted: _Wanted, loop: asyncio.AbstractEventLoop) -> None:
        """Create a scheduler for `wanted` jobs; jobs may be added to these at any time (then `wakeup`)."""
        self._due, self._closing = threading.Event(), threading.Event()
        self._jobs = _Executor(loop)
        super().__init__(
            jobstores={"default": _Store(url, self._closing)},
            executors={"default": self._jobs},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": INSTANCES},
            timezone=UTC,
        )
        self._wanted, self._added = wanted, dict[str, tuple[str, float, tuple[object, ...]]]()
        self._loop, self._ended = loop, asyncio.Event()

    def serve(self) -> None:
        """Start the thread."""
        # A daemon: the end of the program does not wait for a database that is silent.
        threading.Thread(target=self._serve, name="schedule", daemon=True).start()

    def wakeup(self) -> None:
        """Look for due jobs; from any thread."""
        self._due.set()

    async def stop(self) -> None:
        """Start no further run, and wait until the thread has closed its connections.

        A statement that the database does not answer is waited for no longer than `STOP_S`; the thread ends
        when it is answered, and nothing is run then.
        """
        self._closing.set()
        self._jobs.close()
        self.wakeup()
        try:
            async with asyncio.timeout(STOP_S):
                await self._ended.wait()
        except TimeoutError:
            log.warning("the database does not answer: the schedule's thread ends when it does")

    def shutdown(self, wait: bool = True) -> None:
        """Release the job store; in the scheduler's thread."""
        if self.state != STATE_STOPPED:
            super().shutdown(wait)

    def _serve(self) -> None:
        try:
            while not self._closing.is_set():
                self._due.clear()
                self._due.wait(self._next())
        finally:
            self._release()

    def _next(self) -> float | None:
        """Bring the store up to date and start due jobs -> seconds until the next are due, if any are."""
        try:
            if self.state == STATE_STOPPED:
                self.start(paused=True)
            for name, wanted in tuple(self._wanted.items()):
                if self._added.get(name) != wanted:
                    self._add(name)
                    self._added[name] = wanted
            self.resume()
            wait: float | None = self._process_jobs()
        except Exception as error:  # noqa: BLE001 - whatever it is: a thread that ended would end the schedule
            log.warning("the schedule cannot use its job store, retrying: %s", error)
            return RETRY_S
        return wait

    def _add(self, name: str) -> None:
        function, seconds, arguments = self._wanted[name]
        known = self.get_job(name)
        if known is None:
            self.add_job(function, "interval", seconds=seconds, id=name, args=arguments)
            return
        if known.max_instances != INSTANCES:
            known.modify(max_instances=INSTANCES)
        if known.trigger.interval.total_seconds() != seconds:
            known.reschedule("interval", seconds=seconds)

    def _release(self) -> None:
        self.shutdown(wait=False)
        for store in self._jobstores.values():
            store.shutdown()  # also of a scheduler that never came to start
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended.set)


class Schedule:
    """A scheduler whose jobs are stored in the database; it runs only while this process is elected.

    A job is a function named by text (`module:function`) with JSON-like arguments, because it is stored; it
    should only insert messages. It may be called again while it still runs and must then return at once
    (APScheduler refuses a further overlapping call, with a warning).
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._scheduler: _Scheduler | None = None
        self._election: Election | None = None
        if not url.startswith("sqlite"):
            # SQLite has one process: it needs neither an election nor PostgreSQL's driver in memory.
            from engine.runtime.election import Election  # noqa: PLC0415

            self._election = Election(url, self._switch)
        self._wanted: _Wanted = {}

    def every(self, name: str, seconds: float, function: str, *arguments: object) -> None:
        """Run `function` every `seconds`; the same name over restarts, so that a due run is not forgotten."""
        self._wanted[name] = (function, seconds, arguments)
        if self._scheduler is not None:
            self._scheduler.wakeup()

    async def start(self) -> None:
        """Take part in the election; jobs run once elected, on SQLite at once."""
        await (self._election.start() if self._election else self._switch(True))

    async def stop(self) -> None:
        """Leave the election; no new run starts."""
        await (self._election.stop() if self._election else self._switch(False))

    async def _switch(self, elected: bool) -> None:
        before, self._scheduler = self._scheduler, None
        if before is not None:
            await before.stop()
        if elected:
            self._scheduler = _Scheduler(self._url, self._wanted, asyncio.get_running_loop())
            self._scheduler.serve()
