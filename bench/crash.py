"""Crash test: runs killed with -9 at random moments, each resumed to its end, then checked for damage.

`python -m bench.crash [sqlite|postgresql] [runs]`
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from bench.measure import report
from bench.parts import build, database, make_tables
from bench.relay import NO_DAMAGE, Damage, finished, seed, slow_relay, verify, workspace_in
from engine import TurnOptions
from engine.llm.scripted import ScriptedModel
from engine.store.database import open_database, sync_engine
from engine.tools import ToolOptions

TURN = TurnOptions(tools=ToolOptions(audit_rounds=0), inbox_limit=1)
LONGEST_S = 60.0
KILLS = (1, 3)
FIRST, LATER = (0.15, 0.7), (0.1, 1.5)
"""How long a life may be, in parts of what the work takes undisturbed: the first ends in its middle."""
STALLED_S = 2.0


async def live(url: str, folder: Path) -> None:
    """Run the workload until it is finished (or this process is killed)."""
    running = build(url, folder, ScriptedModel(slow_relay), 16, TURN, stalled_s=STALLED_S)
    await running.engine.start()
    while not await running.db.read(finished):  # noqa: ASYNC110 - the database says when
        await asyncio.sleep(0.02)
    await running.close()


async def _within(life: Coroutine[Any, Any, None]) -> None:
    async with asyncio.timeout(LONGEST_S):
        await life


def start_process(url: str, folder: Path) -> int:
    """Return the id of a child process that exits with status 0 when the workload is done."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(_within(live(url, folder)))
            status = 0
        finally:
            os._exit(status)
    return child


def undisturbed(url: str, folder: Path) -> float:
    """Return the seconds that the workload takes when nothing kills it."""
    make_tables(url)
    asyncio.run(seed_at(url))
    began = time.perf_counter()
    _, status = os.waitpid(start_process(url, folder), 0)
    if status:
        raise RuntimeError(f"the undisturbed run did not end (status {status})")
    return time.perf_counter() - began


def one_run(url: str, folder: Path, chance: random.Random, whole: float) -> tuple[Damage, int]:
    """Kill a few times, then let it finish; return (damage, kills that hit)."""
    make_tables(url)
    asyncio.run(seed_at(url))
    hits = 0
    for number in range(chance.randint(*KILLS)):
        child = start_process(url, folder)
        time.sleep(whole * chance.uniform(*(LATER if number else FIRST)))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        hits += os.WIFSIGNALED(status)
    _, status = os.waitpid(start_process(url, folder), 0)
    if status:
        raise RuntimeError(f"the resumed run did not end (status {status})")
    engine = sync_engine(url)
    with engine.connect() as connection:
        damage = verify(connection, workspace_in(folder))
    engine.dispose()
    return damage, hits


async def seed_at(url: str) -> None:
    """Fill an empty database with the workload."""
    db = open_database(url)
    await db.write(seed)
    await db.close()


def bench(store: str, runs: int, seed_number: int = 1) -> bool:
    """Run all runs on one store and print the sums."""
    chance = random.Random(seed_number)
    total, hits, unhurt = NO_DAMAGE, 0, 0
    with tempfile.TemporaryDirectory() as parent:
        with tempfile.TemporaryDirectory() as first, database(store, Path(first)) as url:
            whole = undisturbed(url, Path(first))
        for number in range(runs):
            folder = Path(parent) / str(number)
            folder.mkdir()
            with database(store, folder) as url:
                damage, hit = one_run(url, folder, chance, whole)
            total, hits, unhurt = total + damage, hits + hit, unhurt + (hit == 0)
    wrong = total.lost + total.twice + total.events_missing + total.files_differing + total.held
    return report(
        f"crash, {store}, {runs} runs, damage",
        wrong,
        0,
        kills=hits,
        unhurt=unhurt,
        lost=total.lost,
        consumed_twice=total.twice,
        events_missing=total.events_missing,
        files_differing=total.files_differing,
        held=total.held,
    )


def main() -> None:
    """See the module."""
    store = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    bench(store, int(sys.argv[2]) if len(sys.argv) > 2 else 200)


if __name__ == "__main__":
    main()
