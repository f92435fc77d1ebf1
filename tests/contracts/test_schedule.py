"""The clock's jobs: one elected process, missed runs made up for once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from engine.runtime.election import Election
from engine.runtime.schedule import Schedule
from engine.store.database import sync_engine
from tests.fakes.postgres import Cluster

RAN: list[str] = []


def ring(name: str) -> None:
    """The job of these tests."""
    RAN.append(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'clock.db'}"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.new_database()


async def until(ran: int) -> None:
    """Wait for so many runs."""
    async with asyncio.timeout(20):
        while len(RAN) < ran:  # noqa: ASYNC110 - jobs of the scheduler tell nobody
            await asyncio.sleep(0.02)


async def test_a_run_missed_while_nobody_ran_is_made_up_for_once(url: str) -> None:
    """Ten runs overdue after a stop come as one."""
    RAN.clear()
    schedule = Schedule(url)
    schedule.every("bell", 3_600, "tests.contracts.test_schedule:ring", "bell")
    await schedule.start()
    engine = sync_engine(url)
    async with asyncio.timeout(20):
        while not _jobs(engine):  # noqa: ASYNC110 - the election tells nobody outside
            await asyncio.sleep(0.02)
    await schedule.stop()
    assert RAN == []
    _set_back(url)
    again = Schedule(url)
    again.every("bell", 3_600, "tests.contracts.test_schedule:ring", "bell")
    await again.start()
    await until(1)
    await asyncio.sleep(0.2)
    await again.stop()
    engine.dispose()
    assert RAN == ["bell"]


def _jobs(engine: sa.Engine) -> int:
    if not sa.inspect(engine).has_table("apscheduler_jobs"):
        return 0
    with engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM apscheduler_jobs")).scalar_one())


def _set_back(url: str) -> None:
    """As if the process had been away for ten hours."""
    engine = sync_engine(url)
    store = SQLAlchemyJobStore(engine=engine, tablename="apscheduler_jobs")
    store.start(AsyncIOScheduler(timezone=UTC), "default")
    job = store.lookup_job("bell")
    job._modify(next_run_time=datetime.now(UTC) - timedelta(hours=10))
    store.update_job(job)
    engine.dispose()


async def test_one_of_two_processes_is_elected_and_the_other_follows(cluster: Cluster) -> None:
    """While one holds the office the other waits; when it goes, the other takes over."""
    url = cluster.new_database()
    told: list[tuple[str, bool]] = []

    def telling(name: str):  # type: ignore[no-untyped-def]
        async def tell(elected: bool) -> None:
            told.append((name, elected))

        return tell

    first, second = Election(url, telling("first")), Election(url, telling("second"))
    await first.start()
    async with asyncio.timeout(20):
        while not first.elected:  # noqa: ASYNC110 - an election tells by its attribute
            await asyncio.sleep(0.02)
    await second.start()
    await asyncio.sleep(0.3)
    assert not second.elected
    await first.stop()
    async with asyncio.timeout(20):
        while not second.elected:  # noqa: ASYNC110 - an election tells by its attribute
            await asyncio.sleep(0.02)
    await second.stop()
    assert told == [("first", True), ("first", False), ("second", True), ("second", False)]
