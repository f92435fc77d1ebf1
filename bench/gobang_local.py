"""How often the embedded model's agents make a game that plays: `python -m bench.gobang_local --seeds 1-10`.

One task a seed in a fresh data folder, with the goal a person would type and nothing more; what comes out is
played (gobang_play.py) and never believed. The seeds are said beforehand.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.gobang_play import Judged, judge_game
from engine.assembly import OpenEngine, open_engine
from engine.commands import StartTask
from engine.events import CodeRan, TaskEnded
from engine.settings import EngineSettings
from scenarios.common import say

GOAL = "write a Gobang game for two players in Python"
GRACE_S = 600


@dataclass(slots=True)
class Row:
    """The result of one seed."""

    seed: int
    state: str
    minutes: float
    tokens: int
    files: dict[str, bytes]
    judged: Judged
    report: str
    verified: bool
    steps: dict[str, int]
    runs: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return lines for people."""
        judged = self.judged
        verdict = "CORRECT" if judged.correct else "not correct"
        extra = "refused" if judged.extra is not None and judged.extra.met else "not refused"
        sizes = ", ".join(f"{path} ({len(data)} B)" for path, data in self.files.items())
        steps = ", ".join(f"{name} {count}" for name, count in self.steps.items())
        out = [
            f"seed {self.seed}: {verdict} {judged.met}/{len(judged.criteria)} "
            f"({judged.typing}; nonsense {extra})",
            f"    ended {self.state}, {'verified' if self.verified else 'not verified'}, "
            f"after {self.minutes:.1f} min; agents with steps: {steps}; {self.tokens} tokens",
            f"    files: {sizes or 'none'}",
            *(f"    ran: {run}" for run in self.runs[-4:]),
        ]
        out += [f"    [ ] {c.name}: {c.seen[-120:]}" for c in self.judged.criteria if not c.met]
        return [*out, *(f"    | {line[:200]}" for line in self.report.splitlines()[:14])]


async def attempt(seed: int, folder: Path, goal: str, threads: int) -> Row:
    """Run one task from the goal to its end, then play the game."""
    settings = EngineSettings(
        data_dir=folder / f"seed{seed}", local_seed=seed, local_threads=threads, database_url=""
    )
    opened = await open_engine(settings, say=say)
    try:
        await opened.engine.start()
        started = time.monotonic()
        task = await opened.engine.handle(StartTask(goal, "bench", "bench:gobang"))
        runs = await _until_end(opened, task, opened.settings.max_minutes * 60 + GRACE_S)
        return await _row(opened, seed, task, (time.monotonic() - started) / 60, runs)
    finally:
        await opened.engine.stop()
        await opened.close()


async def _until_end(opened: OpenEngine, task: int, limit_s: float) -> list[str]:
    runs: list[str] = []
    try:
        async with asyncio.timeout(limit_s):
            async for event in opened.engine.events():
                body = event.body
                if isinstance(body, CodeRan) and body.task_id == task:
                    runs.append(f"{body.name}: {body.command} -> {body.exit_code} {body.ended}")
                if isinstance(body, TaskEnded) and body.task_id == task:
                    break
    except TimeoutError:
        runs.append("it had not ended by itself when the bench gave up")
    return runs


async def _row(opened: OpenEngine, seed: int, task: int, minutes: float, runs: list[str]) -> Row:
    look = opened.engine.look
    view, agents = await look.task(task), await look.agents(task)
    files = {file.path: await look.read_file(task, file.path) for file in await look.files(task)}
    return Row(
        seed=seed,
        state=view.state,
        minutes=minutes,
        tokens=view.spend.prompt_tokens + view.spend.completion_tokens,
        files=files,
        judged=await judge_game(opened.sandbox, files),
        report=view.report,
        verified=view.verified,
        steps={agent.name: agent.steps for agent in agents},
        runs=runs,
    )


async def bench(seeds: list[int], folder: Path, goal: str, side_by_side: int, threads: int) -> None:
    """Run all seeds, print each when it is done, then the total."""
    gate = asyncio.Semaphore(side_by_side)
    rows: list[Row] = []

    async def one(seed: int) -> None:
        async with gate:
            shutil.rmtree(folder / f"seed{seed}", ignore_errors=True)
            row = await attempt(seed, folder, goal, threads)
        rows.append(row)
        say("\n".join(row.lines()))

    await asyncio.gather(*(one(seed) for seed in seeds))
    correct = sum(row.judged.correct for row in rows)
    ended = Counter(row.state for row in rows)
    minutes = sorted(row.minutes for row in rows)
    say(
        f"TOTAL: {correct} of {len(rows)} play correctly; ended: {dict(ended)}; "
        f"minutes: {minutes[0]:.1f} to {minutes[-1]:.1f}, median {minutes[len(minutes) // 2]:.1f}"
    )


def seeds_of(text: str) -> list[int]:
    """Return "1-10" or "3,5" as numbers."""
    parts = [part.partition("-") for part in text.split(",")]
    return [n for first, _, last in parts for n in range(int(first), int(last or first) + 1)]


def main() -> None:
    """Arguments in, outcomes out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1-10")
    parser.add_argument("--data", type=Path, default=Path("var/gobang_local"))
    parser.add_argument("--goal", default=GOAL)
    parser.add_argument("--side-by-side", type=int, default=1, help="tasks at a time")
    parser.add_argument("--threads", type=int, default=0, help="threads a model, 0: as many as cores")
    given = parser.parse_args()
    asyncio.run(bench(seeds_of(given.seeds), given.data, given.goal, given.side_by_side, given.threads))


if __name__ == "__main__":
    main()
