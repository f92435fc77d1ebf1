"""What containment costs, as ratios against plain subprocesses in the same run.

    python -m bench.sandbox [--runs 40] [--at-once 50] [--rounds 9]

Both sides get the same files, give back output and changed files, and end a run that takes too long: plain,
a program does that with a temporary folder and asyncio's subprocesses.

One run: the same Python program, plain and inside, alternating (median and 95th percentile).
At once: 50 started together, both ways alternating; the median over the rounds of each round's ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import operator
import statistics
import sys
import tempfile
import time
from pathlib import Path

from engine.ports import RunRequest, Sandbox
from engine.sandbox import choose_sandbox, environment_folder, prepare_environment

# What agents' programs do at the least: start, import, compute a little, print.
PROGRAM = b"""import json, random, collections
print(sum(i * i for i in range(json.load(open("size.json")))))
open("done.txt", "w").write("done")
"""
FILES = {"main.py": PROGRAM, "size.json": b"200000"}
DONE = {"done.txt": b"done"}
TIMEOUT_S = 60.0


async def plain(python: str) -> float:
    """Seconds of one plain subprocess."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, content in FILES.items():
            (folder / path).write_bytes(content)
        process = await asyncio.create_subprocess_exec(
            python,
            "main.py",
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(TIMEOUT_S):
            await process.communicate()
        assert changed(folder) == DONE
    return time.perf_counter() - started


def changed(folder: Path) -> dict[str, bytes]:
    """Files that are not as they were given."""
    left = {path.name: path.read_bytes() for path in folder.iterdir()}
    return {name: content for name, content in left.items() if FILES.get(name) != content}


async def inside(sandbox: Sandbox) -> float:
    """Seconds of one contained run."""
    started = time.perf_counter()
    result = await sandbox.run(RunRequest(("python", "main.py"), FILES, timeout_s=TIMEOUT_S))
    assert (result.exit_code, result.changed) == (0, DONE), result
    return time.perf_counter() - started


async def one_by_one(sandbox: Sandbox, python: str, runs: int) -> dict[str, float]:
    """Milliseconds of single runs."""
    plains, insides = [], []
    for _ in range(runs):
        plains.append(await plain(python) * 1000)
        insides.append(await inside(sandbox) * 1000)
    return {
        "plain_median_ms": round(statistics.median(plains), 1),
        "inside_median_ms": round(statistics.median(insides), 1),
        "overhead_median_ms": round(statistics.median(insides) - statistics.median(plains), 1),
        "overhead_p95_ms": round(p95(insides) - p95(plains), 1),
    }


def p95(values: list[float]) -> float:
    """95th percentile."""
    return sorted(values)[int(len(values) * 0.95)]


async def together(sandbox: Sandbox, python: str, count: int, rounds: int) -> dict[str, float]:
    """Seconds until the last of many started at once has ended."""
    plains, insides = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        await asyncio.gather(*(plain(python) for _ in range(count)))
        plains.append(time.perf_counter() - started)
        started = time.perf_counter()
        await asyncio.gather(*(inside(sandbox) for _ in range(count)))
        insides.append(time.perf_counter() - started)
    return {
        "at_once": count,
        "plain_median_s": round(statistics.median(plains), 3),
        "inside_median_s": round(statistics.median(insides), 3),
        "ratio": round(statistics.median(map(operator.truediv, insides, plains)), 3),
    }


async def measure(runs: int, at_once: int, rounds: int) -> dict[str, object]:
    """All figures."""
    folder = environment_folder(Path("var"), ["pytest"])
    prepared = prepare_environment(folder, ["pytest"])
    sandbox = choose_sandbox(folder)
    if not sandbox.status().available:
        sys.exit(sandbox.status().reason)
    python = str(prepared.tree / "bin" / "python")
    await asyncio.gather(plain(python), inside(sandbox))
    return {
        "mechanism": sandbox.status().mechanism,
        "one": await one_by_one(sandbox, python, runs),
        "many": await together(sandbox, python, at_once, rounds),
        "targets": {"overhead_ms": 40, "ratio_at_once": 1.2},
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description="What containment costs")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    print(json.dumps(asyncio.run(measure(chosen.runs, chosen.at_once, chosen.rounds)), indent=2))


if __name__ == "__main__":
    main()
