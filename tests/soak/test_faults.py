"""Faults of the world while work is under way: nothing is lost or doubled, and it goes on by itself.

The workload and its accounting are those of the crash bench. SOAK_ROUNDS makes it shorter.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from bench.crash import TURN, seed_at
from bench.parts import Running, build, make_tables
from bench.relay import NO_DAMAGE, finished, slow_relay, verify, workspace_in
from engine.domain.snapshot import WatchOptions
from engine.llm.scripted import ScriptedModel
from engine.runtime.clock import SystemClock
from engine.store.database import sync_engine
from tests.fakes.postgres import Cluster

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "10"))
LONGEST_S = 180.0
STALLED_S = 2.0
SWEEP_S = 0.2
OFTEN = replace(TURN, tools=replace(TURN.tools, watch=WatchOptions(sweep_s=SWEEP_S)))
LONGEST_GAP_S = 1.5
"""How long the event loop may do nothing else; the database is silent for twice as long."""


class JumpingClock(SystemClock):
    """A wall clock that somebody sets."""

    off = 0.0

    def now(self) -> float:
        """Return the time that it shows."""
        return super().now() + self.off


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server that keeps what was committed when it is killed."""
    running = Cluster(durable=True)
    yield running
    running.stop()


class Gaps:
    """The longest time for which the event loop did not answer."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._ticking = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.02)
            self.longest = max(self.longest, time.monotonic() - before)

    async def stop(self) -> float:
        """Stop measuring -> the longest gap in seconds."""
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)
        return self.longest


Fault = Callable[[Cluster, str, JumpingClock], Awaitable[None]]


async def restart(cluster: Cluster, _url: str, _clock: JumpingClock) -> None:
    """The server is killed and started again."""
    await asyncio.to_thread(cluster.restart)


async def drop(cluster: Cluster, url: str, _clock: JumpingClock) -> None:
    """Every connection breaks."""
    send(await asyncio.to_thread(cluster.sessions, url), signal.SIGTERM)


async def still(cluster: Cluster, url: str, _clock: JumpingClock) -> None:
    """Nothing comes over the connections for three seconds."""
    pids = await asyncio.to_thread(cluster.sessions, url)
    again = threading.Timer(3, send, (pids, signal.SIGCONT))
    again.start()  # in a thread of its own: a loop that is held, which this measures, must not hold it too
    send(pids, signal.SIGSTOP)
    await asyncio.to_thread(again.join)


async def jump(_cluster: Cluster, _url: str, clock: JumpingClock) -> None:
    """The clock is set two hours forward, then back, then two hours behind."""
    for clock.off in (7_200.0, 0.0, -7_200.0, 0.0):
        await asyncio.sleep(0.3)


def send(pids: Sequence[int], number: int) -> None:
    """Send a signal to processes that may be gone."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def until_finished(running: Running) -> None:
    """Wait for the end of the work, whatever the database answers meanwhile."""
    async with asyncio.timeout(LONGEST_S):
        while True:
            try:
                if await running.db.read(finished):
                    return
            except (SQLAlchemyError, OSError):
                pass  # the fault itself
            await asyncio.sleep(0.1)


@pytest.mark.soak
@pytest.mark.timeout(ROUNDS * (LONGEST_S + 30))
@pytest.mark.parametrize("fault", [restart, drop, still, jump], ids=lambda fault: fault.__name__)
async def test_work_goes_on_after_a_fault_and_nothing_is_lost(
    tmp_path: Path, cluster: Cluster, fault: Fault
) -> None:
    """At random moments, several times while the work is under way; the event loop answers all the time."""
    chance = random.Random(33)
    for number in range(ROUNDS):
        folder, url, clock = tmp_path / str(number), cluster.new_database(make_tables), JumpingClock()
        folder.mkdir()
        await seed_at(url)
        running = build(url, folder, ScriptedModel(slow_relay), 16, OFTEN, stalled_s=STALLED_S, clock=clock)
        await running.engine.start()
        gaps = Gaps()
        for _ in range(3):
            await asyncio.sleep(chance.uniform(0.05, 0.6))
            await fault(cluster, url, clock)
        await until_finished(running)
        gap = await gaps.stop()
        await running.close()
        sync = sync_engine(url)
        with sync.connect() as connection:
            damage = await asyncio.to_thread(verify, connection, workspace_in(folder))
        sync.dispose()
        assert damage == NO_DAMAGE, f"round {number} of {fault.__name__}"
        assert gap < LONGEST_GAP_S, (
            f"the loop stood still for {gap:.1f} s in round {number} of {fault.__name__}"
        )
