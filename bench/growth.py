"""Growth: CPU a step and memory an idle agent at 590, 2,000 and 10,000 agents, each in a fresh process.

`python -m bench.growth [agents]`
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.chains import Chains, chain_script
from bench.measure import Meter, report, rss
from bench.parts import CappedModel, build, make_tables
from bench.turns import ONE_MESSAGE, left, seed

SIZES = (590, 2_000, 10_000)
HOPS = 2


async def measure(agents: int, folder: Path) -> tuple[float, float]:
    """(CPU ms a step, kB an idle agent) for one size, after a small task has warmed everything up."""
    url = f"sqlite:///{folder / 'bench.db'}"
    make_tables(url)
    script = {"now": chain_script(Chains(50, HOPS, 0.0, 1_000))}
    model = CappedModel(lambda request: script["now"](request), 0.0, 1_000)  # noqa: PLW0108 - it changes
    running = build(url, folder, model, 1_200, ONE_MESSAGE, sweeps=False)
    await running.engine.start()
    await _carry_out(running, Chains(50, HOPS, 0.0, 1_000))
    before, work = rss(), Chains(agents, HOPS, 0.0, 1_000)
    script["now"] = chain_script(work)
    cpu = await _carry_out(running, work)
    gc.collect()
    kilobytes = (rss() - before) * 1e3 / agents
    await running.close()
    return cpu / (agents * HOPS) * 1e3, kilobytes


async def _carry_out(running, work: Chains) -> float:  # type: ignore[no-untyped-def]
    await running.db.write(lambda c: seed(c, work))
    meter = Meter()
    await running.engine.resume_ready()
    while await running.db.read(left):  # noqa: ASYNC110 - the database says when
        await asyncio.sleep(0.1)
    return meter.cpu


def one(agents: int) -> tuple[float, float]:
    """Measured in a fresh process."""
    command = [sys.executable, "-m", "bench.growth", str(agents)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    cpu, kilobytes = json.loads(done.stdout.strip().splitlines()[-1])
    return cpu, kilobytes


def bench() -> bool:
    """All sizes; prints the largest against the smallest."""
    found = {agents: one(agents) for agents in SIZES}
    costs = [cpu for cpu, _ in found.values()]
    shown = {f"ms_at_{agents}": cpu for agents, (cpu, _) in found.items()}
    flat = report("growth, CPU a step, most / least", max(costs) / min(costs), 1.2, **shown)
    most = found[SIZES[-1]][1]
    return report("growth, kB an idle agent at 10,000", most, 20) and flat


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as place:
            print(json.dumps(asyncio.run(measure(int(sys.argv[1]), Path(place)))))
    else:
        bench()
