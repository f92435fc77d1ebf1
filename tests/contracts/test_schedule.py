"""The clock's jobs: one elected process, missed runs made up for once."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import Pool

from engine.domain.snapshot import WatchOptions
from engine.runtime.clock import SystemClock
from engine.runtime.election import Election
from engine.runtime.monitor import Monitor
from engine.runtime.schedule import INSTANCES, Schedule
from engine.store.database import open_database, sync_engine
from tests.fakes.parts import make_tables
from tests.fakes.postgres import Cluster

RAN: list[str] = []


def ring(name: str) -> None:
    """The job of these tests."""
    RAN.append(name)


class Silence:
    """A database that answers no connection while `answers` is not set."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.reached, self.answers = threading.Event(), threading.Event()

    def connect(self, *_: object) -> None:
        """Wait, as a driver does whose server says nothing."""
        self.threads.append(threading.current_thread())
        self.reached.set()
        if threading.current_thread() is not threading.main_thread():
            assert self.answers.wait(20)

    async def until_reached(self) -> None:
        """Wait until somebody connects; that needs the event loop."""
        async with asyncio.timeout(60):
            while not self.reached.is_set():  # noqa: ASYNC110 - it is set in another thread
                await asyncio.sleep(0.005)


@pytest.fixture
def silence() -> Iterator[Silence]:
    """Every connection of SQLAlchemy is opened to a silent database."""
    silent = Silence()
    event.listen(sa.Engine, "do_connect", silent.connect)
    yield silent
    silent.answers.set()
    event.remove(sa.Engine, "do_connect", silent.connect)
    for thread in silent.threads:
        if thread is not threading.main_thread():
            thread.join(20)


async def test_a_silent_database_does_not_hold_the_event_loop(tmp_path: Path, silence: Silence) -> None:
    """Start, new jobs and due jobs: all of it waits in another thread until the database answers."""
    RAN.clear()
    schedule = Schedule(f"sqlite:///{tmp_path / 'clock.db'}")
    await schedule.start()
    await silence.until_reached()
    schedule.every("bell", 0.01, "tests.contracts.test_schedule:ring", "bell")
    await asyncio.sleep(0.02)
    assert RAN == [] and not silence.answers.is_set()
    silence.answers.set()
    await until(1)
    await schedule.stop()
    assert threading.main_thread() not in silence.threads


async def test_a_stop_does_not_wait_for_a_silent_database_and_nothing_runs_later(
    tmp_path: Path, silence: Silence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that waits for it ends by itself, closes what it opened, and starts no job."""
    RAN.clear()
    monkeypatch.setattr("engine.runtime.schedule.STOP_S", 0.02)
    schedule = Schedule(f"sqlite:///{tmp_path / 'clock.db'}")
    schedule.every("bell", 0.01, "tests.contracts.test_schedule:ring", "bell")
    await schedule.start()
    await silence.until_reached()
    await schedule.stop()
    assert not silence.answers.is_set()
    silence.answers.set()
    waiting = silence.threads[0]
    await asyncio.to_thread(waiting.join, 20)
    await asyncio.sleep(0)
    assert not waiting.is_alive() and RAN == []


async def test_an_error_of_the_job_store_does_not_end_the_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither at the start nor in between: it says so and tries again."""
    RAN.clear()
    monkeypatch.setattr("engine.runtime.schedule.RETRY_S", 0.01)
    broken = True

    def refuse(*_: object) -> None:
        if broken:
            raise OperationalError("INSERT", None, OSError("the server went away"))

    event.listen(sa.Engine, "before_cursor_execute", refuse)
    try:
        schedule = Schedule(f"sqlite:///{tmp_path / 'clock.db'}")
        schedule.every("bell", 0.01, "tests.contracts.test_schedule:ring", "bell")
        with caplog.at_level(logging.WARNING, "engine.runtime.schedule"):
            await schedule.start()
            async with asyncio.timeout(60):
                while not caplog.records:  # noqa: ASYNC110 - the scheduler tells nobody
                    await asyncio.sleep(0.005)
            for runs in (2, 4):
                broken = False
                await until(runs)
                broken = True
                await asyncio.sleep(0.03)
        broken = False
        await schedule.stop()
    finally:
        event.remove(sa.Engine, "before_cursor_execute", refuse)


async def test_after_a_stop_no_job_runs_and_no_connection_is_opened(tmp_path: Path) -> None:
    """Whatever the loop has queued already."""
    RAN.clear()
    opened: list[object] = []

    def note(connection: object, _record: object) -> None:
        opened.append(connection)

    schedule = Schedule(f"sqlite:///{tmp_path / 'clock.db'}")
    await schedule.start()
    schedule.every("bell", 0.02, "tests.contracts.test_schedule:ring", "bell")
    await until(1)
    time.sleep(0.05)  # noqa: ASYNC251 - the loop finds this task and a job that is due in the same pass
    await schedule.stop()
    ran = len(RAN)
    event.listen(Pool, "connect", note)
    await asyncio.sleep(0.05)
    event.remove(Pool, "connect", note)
    assert opened == [] and len(RAN) == ran
    for thread in threading.enumerate():
        if thread.name == "schedule":
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'clock.db'}"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.new_database()


async def until(ran: int) -> None:
    """Wait for so many runs."""
    async with asyncio.timeout(60):
        while len(RAN) < ran:  # noqa: ASYNC110 - jobs of the scheduler tell nobody
            await asyncio.sleep(0.02)


async def test_a_run_missed_while_nobody_ran_is_made_up_for_once(url: str) -> None:
    """Ten runs overdue after a stop come as one."""
    RAN.clear()
    await _keep_bell(url)
    assert RAN == []
    _set_back(url)
    again = Schedule(url)
    again.every("bell", 3_600, "tests.contracts.test_schedule:ring", "bell")
    await again.start()
    await until(1)
    await asyncio.sleep(0.2)
    await again.stop()
    assert RAN == ["bell"]


async def _keep_bell(url: str) -> None:
    """A process that stores the job and stops before it is due."""
    schedule, engine = Schedule(url), sync_engine(url)
    schedule.every("bell", 3_600, "tests.contracts.test_schedule:ring", "bell")
    await schedule.start()
    async with asyncio.timeout(60):
        while not _jobs(engine):  # noqa: ASYNC110 - the election tells nobody outside
            await asyncio.sleep(0.02)
    await schedule.stop()
    engine.dispose()


def _jobs(engine: sa.Engine) -> int:
    if not sa.inspect(engine).has_table("apscheduler_jobs"):
        return 0
    with engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM apscheduler_jobs")).scalar_one())


def _set_back(url: str) -> None:
    """As if the process had been away for ten hours."""
    _stored(url, next_run_time=datetime.now(UTC) - timedelta(hours=10))


def _stored(url: str, **changes: object) -> tuple[int, float]:
    """Change the stored job -> (instances, seconds between runs)."""
    engine = sync_engine(url)
    store = SQLAlchemyJobStore(engine=engine, tablename="apscheduler_jobs")
    store.start(AsyncIOScheduler(timezone=UTC), "default")
    job = store.lookup_job("bell")
    if changes:
        job._modify(**changes)
        store.update_job(job)
    engine.dispose()
    return job.max_instances, job.trigger.interval.total_seconds()


async def test_a_sweep_longer_than_its_interval_is_neither_doubled_nor_complained_of(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Very many agents take a while: ticks meanwhile are left out, without a line in the log each."""
    make_tables(url)
    db = open_database(url)
    under_way, seen = 0, []

    async def linger() -> None:
        nonlocal under_way
        under_way += 1
        seen.append(under_way)
        await asyncio.sleep(0.35)
        under_way -= 1

    options = WatchOptions(sweep_s=0.1)
    monitor = Monitor(
        db, SystemClock(), (lambda _, wakes: wakes, lambda _: None), lambda: None, options, linger
    )
    with caplog.at_level(logging.WARNING):
        await monitor.start()
        async with asyncio.timeout(60):
            while len(seen) < 3:  # noqa: ASYNC110 - jobs of the scheduler tell nobody
                await asyncio.sleep(0.02)
        await monitor.stop()
    await db.close()
    assert set(seen) == {1}
    assert [r.getMessage() for r in caplog.records if "skipped" in r.getMessage()] == []


async def test_a_stopped_monitor_looks_after_no_task(url: str) -> None:
    """A turn that ends while the process stops would be checked in a database that is closed."""
    db = open_database(url)
    monitor = Monitor(db, SystemClock(), (lambda _, wakes: wakes, lambda _: None), lambda: None)
    monitor.check_soon(1)
    assert "quiet-1" in {task.get_name() for task in asyncio.all_tasks()}
    await monitor.stop()
    monitor.check_soon(2)
    assert not {"quiet-1", "quiet-2"} & {task.get_name() for task in asyncio.all_tasks()}
    await db.close()


async def test_an_older_version_s_stored_job_is_brought_up_to_date(url: str) -> None:
    """What is kept over restarts takes on this version's way to run."""
    await _keep_bell(url)
    _stored(url, max_instances=1)
    again = Schedule(url)
    again.every("bell", 1_800, "tests.contracts.test_schedule:ring", "bell")
    await again.start()
    async with asyncio.timeout(60):
        while _stored(url) != (INSTANCES, 1_800):  # noqa: ASYNC110 - the election tells nobody outside
            await asyncio.sleep(0.02)
    await again.stop()


async def test_one_of_two_processes_is_elected_and_the_other_follows(cluster: Cluster) -> None:
    """While one holds the office the other waits; when it goes, the other takes over."""
    url = cluster.new_database()
    leadership: list[tuple[str, bool]] = []

    def telling(name: str):  # type: ignore[no-untyped-def]
        async def tell(elected: bool) -> None:
            leadership.append((name, elected))

        return tell

    first, second = Election(url, telling("first")), Election(url, telling("second"))
    await first.start()
    async with asyncio.timeout(60):
        while not first.elected:  # noqa: ASYNC110 - an election tells by its attribute
            await asyncio.sleep(0.02)
    await second.start()
    await asyncio.sleep(0.3)
    assert [name for name, _ in leadership] == ["first"]
    await first.stop()
    async with asyncio.timeout(60):
        while not second.elected:  # noqa: ASYNC110 - an election tells by its attribute
            await asyncio.sleep(0.02)
    await second.stop()
    assert leadership == [("first", True), ("first", False), ("second", True), ("second", False)]
