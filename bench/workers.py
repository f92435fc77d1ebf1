"""Workers: three processes on one PostgreSQL; one is killed, one stopped with SIGTERM, one added.

`python -m bench.workers [rounds]`
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench.crash import TURN, seed_at
from bench.measure import report
from bench.parts import NoSandbox, database, make_tables
from bench.relay import NO_DAMAGE, WORK, Damage, finished, slow_relay, verify, workspace_in
from engine import Engine, EngineOptions, EngineParts
from engine.domain.limits import Caps
from engine.llm.scripted import ScriptedModel
from engine.runtime.clock import SystemClock
from engine.runtime.git_history import GitHistory
from engine.runtime.procrastinate import ProcrastinateDispatcher, QueueOptions
from engine.runtime.worker import run_worker
from engine.store.database import open_database, sync_engine

QUEUE = QueueOptions(heartbeat_s=0.5, stalled_s=2.0)
CAPS = Caps(10_000, 9, 10_000, 1_000, 10**14, 10**14, 600)
LONGEST_S = 60.0


async def _live(url: str, folder: Path) -> None:
    db = open_database(url)
    parts = EngineParts(db, ScriptedModel(slow_relay), workspace_in(folder), NoSandbox(), SystemClock())
    dispatcher = ProcrastinateDispatcher(db, 6, QUEUE)
    await run_worker(Engine(parts, dispatcher, EngineOptions(CAPS, TURN, sweeps=False)), lambda: None)
    await db.close()


async def write_history(url: str, folder: Path) -> None:
    """As the bot's process does beside its workers, which write none."""
    db = open_database(url)
    git_history = GitHistory(db, workspace_in(folder))
    await git_history.look()
    await git_history.stop()
    await db.close()


def start_worker(url: str, folder: Path) -> int:
    """Process id of a worker; SIGTERM drains it, then it ends with status 0."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(_live(url, folder))
            status = 0
        finally:
            os._exit(status)
    return child


def one_round(url: str, folder: Path, chance: random.Random) -> tuple[Damage, int]:
    """Three workers, one killed, one drained, one added -> (what is wrong, status of the drained)."""
    make_tables(url)
    asyncio.run(seed_at(url))
    doomed, drained, steady = (start_worker(url, folder) for _ in range(3))
    time.sleep(chance.uniform(0.3, 1.2))
    os.kill(doomed, signal.SIGKILL)
    os.waitpid(doomed, 0)
    added = start_worker(url, folder)
    time.sleep(chance.uniform(0.1, 0.6))
    os.kill(drained, signal.SIGTERM)
    _, status = os.waitpid(drained, 0)
    engine = sync_engine(url)
    _await_end(engine)
    for worker in (steady, added):
        os.kill(worker, signal.SIGTERM)
        os.waitpid(worker, 0)
    asyncio.run(write_history(url, folder))
    with engine.connect() as connection:
        damage = verify(connection, workspace_in(folder))
    engine.dispose()
    return damage, status


def _await_end(engine) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        with engine.connect() as connection:
            if finished(connection):
                return
        time.sleep(0.05)
    raise RuntimeError("the work did not end")


def bench(rounds: int) -> bool:
    """All rounds; prints the sums."""
    chance, total, bad_ends = random.Random(3), NO_DAMAGE, 0
    with tempfile.TemporaryDirectory() as parent:
        for number in range(rounds):
            folder = Path(parent) / str(number)
            folder.mkdir()
            with database("postgresql", folder) as url:
                damage, status = one_round(url, folder, chance)
            total, bad_ends = total + damage, bad_ends + (status != 0)
    wrong = total.lost + total.twice + total.events_missing + total.files_differing + total.held + bad_ends
    return report(
        f"workers, 3 on PostgreSQL, {rounds} rounds of {WORK.agents * WORK.hops} steps, damage",
        wrong,
        0,
        lost=total.lost,
        consumed_twice=total.twice,
        events_missing=total.events_missing,
        files_differing=total.files_differing,
        held=total.held,
        not_drained=bad_ends,
    )


if __name__ == "__main__":
    bench(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
