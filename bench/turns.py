"""Turns: chains of hops through the real engine against an engine that costs nothing.

`python -m bench.turns [agents] [hops] [seconds] [cap]`
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from bench.chains import Chains, chain_script, ideal_seconds, text_of
from bench.measure import Meter, peak_rss, report
from bench.parts import CappedModel, Running, build, make_tables, seed_letters, seed_members, sqlite_url
from engine import LocalDispatcher, TurnOptions
from engine.store.core import EVENTS, MESSAGES, STEPS

ONE_LETTER = TurnOptions(letters=1)


def seed(connection: Connection, work: Chains) -> None:
    """A task with all agents, one letter each."""
    now = time.time()
    task, agents = seed_members(connection, work.agents, now)
    letters = [(agent, text_of(number, work.hops)) for number, agent in enumerate(agents)]
    seed_letters(connection, task, letters, now)


def left(connection: Connection) -> int:
    """Unread letters."""
    return int(
        connection.execute(
            sa.select(sa.func.count()).select_from(MESSAGES).where(MESSAGES.c.consumed_step.is_(None))
        ).scalar_one()
    )


def counts(connection: Connection) -> tuple[int, int, int, float]:
    """(letters, steps, events, seconds from the first call to the last commit)."""
    letters, steps, events = (
        int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
        for table in (MESSAGES, STEPS, EVENTS)
    )
    first, last = connection.execute(
        sa.select(sa.func.min(STEPS.c.started_at), sa.func.max(STEPS.c.ended_at))
    ).one()
    return letters, steps, events, last - first


async def run(work: Chains, url: str, folder: Path) -> tuple[float, int, float]:
    """Carry the work out -> (seconds, steps, CPU seconds)."""
    make_tables(url)
    model = CappedModel(chain_script(work), work.seconds, work.cap)
    running: Running = build(url, folder, model, LocalDispatcher(work.cap * 2), ONE_LETTER)
    await running.db.write(lambda c: seed(c, work))
    meter = Meter()
    await running.engine.start()
    while await running.db.read(left):
        await asyncio.sleep(min(0.2, work.seconds))
    cpu = meter.cpu
    letters, steps, _, seconds = await running.db.read(counts)
    await running.close()
    if letters != work.agents * work.hops + 1:
        raise RuntimeError(f"{letters} letters instead of {work.agents * work.hops + 1}")
    return seconds, steps, cpu


def bench(work: Chains, target: float, name: str) -> bool:
    """Run once on SQLite and print the ratio."""
    ideal = ideal_seconds(work)
    with tempfile.TemporaryDirectory() as folder:
        seconds, steps, cpu = asyncio.run(run(work, sqlite_url(Path(folder)), Path(folder)))
    return report(
        name,
        seconds / ideal,
        target,
        seconds=seconds,
        ideal=ideal,
        steps=steps,
        cpu_ms_a_step=cpu / steps * 1e3,
        peak_mb=peak_rss(),
    )


def main() -> None:
    """See the module."""
    given = [float(value) for value in sys.argv[1:]]
    agents, hops, seconds, cap = given + [590, 10, 0.05, 64][len(given) :]
    work = Chains(int(agents), int(hops), seconds, int(cap))
    bench(work, 1.4 if seconds < 1 else 1.15, f"turns, SQLite, {work.agents} agents at {work.cap} at once")


if __name__ == "__main__":
    main()
