"""Turns: chains of hops through the real engine against an engine that costs nothing.

`python -m bench.turns [sqlite|postgresql] [agents] [hops] [seconds] [cap]`
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
from bench.parts import CappedModel, build, database, make_tables, seed_members, seed_messages
from engine import TurnOptions
from engine.store.core import EVENTS, MESSAGES, STEPS

ONE_MESSAGE = TurnOptions(inbox_limit=1)


def seed(connection: Connection, work: Chains) -> None:
    """Insert a task with all agents, one message each."""
    now = time.time()
    task, agents = seed_members(connection, work.agents, now)
    messages = [(agent, text_of(number, work.hops)) for number, agent in enumerate(agents)]
    seed_messages(connection, task, messages, now)


def left(connection: Connection) -> int:
    """Return the number of unread messages."""
    return int(
        connection.execute(
            sa.select(sa.func.count()).select_from(MESSAGES).where(MESSAGES.c.consumed_step.is_(None))
        ).scalar_one()
    )


def counts(connection: Connection) -> tuple[int, int, int, float]:
    """Return (messages, steps, events, seconds from the first call to the last commit)."""
    messages, steps, events = (
        int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
        for table in (MESSAGES, STEPS, EVENTS)
    )
    first, last = connection.execute(
        sa.select(sa.func.min(STEPS.c.started_at), sa.func.max(STEPS.c.ended_at))
    ).one()
    return messages, steps, events, last - first


async def run(work: Chains, url: str, folder: Path) -> tuple[float, int, float]:
    """Run the workload; return (seconds, steps, CPU seconds of this process)."""
    make_tables(url)
    model = CappedModel(chain_script(work), work.seconds, work.cap)
    running = build(url, folder, model, work.cap * 2, ONE_MESSAGE, sweeps=False)
    await running.db.write(lambda c: seed(c, work))
    meter = Meter()
    await running.engine.start()
    while await running.db.read(left):  # noqa: ASYNC110 - the database says when all is read
        await asyncio.sleep(min(0.2, work.seconds))
    cpu = meter.cpu
    messages, steps, _, seconds = await running.db.read(counts)
    await running.close()
    if messages != work.agents * work.hops + 1:
        raise RuntimeError(f"{messages} messages instead of {work.agents * work.hops + 1}")
    return seconds, steps, cpu


def bench(work: Chains, target: float, store: str) -> bool:
    """Run once and print the ratio."""
    ideal = ideal_seconds(work)
    with tempfile.TemporaryDirectory() as folder, database(store, Path(folder)) as url:
        seconds, steps, cpu = asyncio.run(run(work, url, Path(folder)))
    return report(
        f"turns, {store}, {work.agents} agents at {work.cap} at once, {work.seconds:g} s a call",
        seconds / ideal,
        target,
        seconds=seconds,
        ideal=ideal,
        turns_a_second=steps / seconds,
        cpu_ms_a_step=cpu / steps * 1e3,
        peak_mb=peak_rss(),
    )


def main() -> None:
    """See the module."""
    store = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    given = [float(value) for value in sys.argv[2:]]
    agents, hops, seconds, cap = given + [590, 10, 0.05, 64][len(given) :]
    work = Chains(int(agents), int(hops), seconds, int(cap))
    bench(work, 3.5 if store == "postgresql" else 1.4 if seconds < 1 else 1.15, store)


if __name__ == "__main__":
    main()
