"""The policy tree (590 agents) against the critical path of its own calls.

`python -m bench.policy_tree [seconds]`
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from bench.measure import Meter, peak_rss, report
from bench.parts import ROOMY, SHORT_TURN, CappedModel, build, make_tables
from bench.tree import Tree
from engine.commands import Limits, StartTask
from engine.llm.scripted import Script
from engine.store.core import MESSAGES, REVISIONS, STEPS

LIMITS = Limits(agents=ROOMY.agents, members=ROOMY.members, depth=9, steps=100)
_Step = tuple[int, int]


def longest_chain(connection: Connection) -> int:
    """Return the calls on the longest chain of dependent steps: own previous step, messages read."""
    needs: dict[_Step, list[_Step]] = defaultdict(list)
    for row in connection.execute(sa.select(MESSAGES).where(MESSAGES.c.consumed_step.is_not(None))):
        if row.from_agent is not None:
            _, step, _ = row.key.split(".")
            needs[(row.to_agent, row.consumed_step)].append((row.from_agent, int(step)))
    depth: dict[_Step, int] = {}
    ordered = connection.execute(sa.select(STEPS.c.agent_id, STEPS.c.step).order_by(STEPS.c.id))
    for agent, step in ordered:
        before = [(agent, step - 1), *needs[(agent, step)]]
        depth[(agent, step)] = 1 + max((depth.get(one, 0) for one in before), default=0)
    return max(depth.values())


async def run(brain: Script, seconds: float, folder: Path) -> tuple[float, int, int, int, float]:
    """The task -> (seconds, steps, longest chain, revisions, CPU seconds)."""
    url = f"sqlite:///{folder / 'bench.db'}"
    make_tables(url)
    model = CappedModel(brain, seconds, 1_000)
    running = build(url, folder, model, 700, SHORT_TURN)
    await running.engine.start()
    meter = Meter()
    start = StartTask("Write the policies of a nation.", "bench", "bench", LIMITS)
    await running.until_end(await running.engine.handle(start))
    took, cpu = meter.wall, meter.cpu
    chain = await running.db.read(longest_chain)
    revisions = await running.db.read(
        lambda c: c.execute(sa.select(sa.func.count()).select_from(REVISIONS)).scalar_one()
    )
    await running.close()
    return took, model.calls, chain, int(revisions), cpu


def bench(seconds: float = 0.2) -> bool:
    """One run, printed."""
    tree = Tree()
    with tempfile.TemporaryDirectory() as folder:
        took, calls, chain, revisions, cpu = asyncio.run(run(tree, seconds, Path(folder)))
    if revisions != 2 * tree.heads:
        raise RuntimeError(f"{revisions} revisions instead of {2 * tree.heads}")
    return report(
        f"policy tree, {tree.agents} agents, {seconds:g} s a call",
        took / (chain * seconds),
        1.5,
        seconds=took,
        critical_path=chain * seconds,
        calls=calls,
        cpu=cpu,
        peak_mb=peak_rss(),
    )


if __name__ == "__main__":
    bench(float(sys.argv[1]) if len(sys.argv) > 1 else 0.2)
