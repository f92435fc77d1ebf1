"""Hundreds of agents writing files of one task at once.

    python -m bench.workspace [--writers 590] [--revisions 10000] [--rate 250]

Each writer has its own file and one in ten writes goes to a shared one. A write is: put the bytes, win the
compare-and-set (merging with what others wrote meanwhile), and be in the git history. The store's
compare-and-set is stood in for by a dictionary in memory, so figures hold for the workspace alone.
Paced: writes begin at a fixed rate in random order, as turns of agents do; latency is begin to recorded.
Closed: every writer writes again at once; throughput is what counts there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from engine.ports import Revision
from engine.workspace import Current, GitWorkspace, resolve_write

TASK = 1
LINES = 40
GATHER_S = 0.005


@dataclass
class Store:
    """In-memory stand-in for the store's tables and its compare-and-set."""

    revisions: list[Revision] = field(default_factory=list)
    heads: dict[str, Revision] = field(default_factory=dict)

    def current(self, path: str) -> Current | None:
        """The path's newest revision."""
        head = self.heads.get(path)
        return Current(head.id, head.blob) if head else None

    def commit(self, path: str, blob: str, agent: str) -> Revision:
        """Append."""
        id = len(self.revisions) + 1
        revision = Revision(id, TASK, path, blob, agent, f"step-{id}", time.time())
        self.revisions.append(revision)
        self.heads[path] = revision
        return revision


class Recorder:
    """Projects committed revisions in order, a batch at a time, as the product's projector does."""

    def __init__(self, workspace: GitWorkspace, store: Store) -> None:
        self._workspace = workspace
        self._store = store
        self._done = 0
        self._reached = asyncio.Condition()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            batch = self._store.revisions[self._done :]
            if not batch:
                await asyncio.sleep(GATHER_S)
                continue
            await self._workspace.record(TASK, batch)
            async with self._reached:
                self._done += len(batch)
                self._reached.notify_all()

    async def reached(self, id: int) -> None:
        """Wait until revision `id` is in the history."""
        async with self._reached:
            await self._reached.wait_for(lambda: self._done >= id)


@dataclass
class Team:
    """The writers and what they measured."""

    workspace: GitWorkspace
    store: Store
    recorder: Recorder
    writers: int
    latencies: list[float] = field(default_factory=list)
    merges: int = 0
    conflicts: int = 0

    async def write(self, writer: int, number: int) -> None:
        """One write, from reading to recorded."""
        started = time.perf_counter()
        shared = random.random() < 0.1
        path = f"shared/{writer % 59}.md" if shared else f"area{writer % 24}/agent{writer}.md"
        seen = self.store.current(path)
        base = seen.blob if seen else None
        text = (await self.workspace.get(TASK, base)).decode().split("\n") if base else [""] * LINES
        text[writer % LINES] = f"agent {writer} wrote this as number {number}"
        blob = await self.workspace.put(TASK, "\n".join(text).encode())
        revision = await self._win(path, seen, base, blob, writer)
        await self.recorder.reached(revision.id)
        self.latencies.append(time.perf_counter() - started)

    async def _win(
        self, path: str, seen: Current | None, base: str | None, blob: str, writer: int
    ) -> Revision:
        known = seen.revision if seen else 0
        while True:
            current = self.store.current(path)
            decision = resolve_write(base=known, current=current, newest=len(self.store.revisions), blob=blob)
            if decision.outcome != "merge" or current is None or decision.theirs is None:
                return self.store.commit(path, blob, f"Agent {writer}")
            merge = await self.workspace.merge(TASK, base, blob, decision.theirs)
            self.merges += 1
            self.conflicts += merge.conflict
            blob, base, known = merge.blob, decision.theirs, current.revision


async def paced(team: Team, count: int, rate: float) -> None:
    """Begin `count` writes at `rate` a second."""
    started, running = time.perf_counter(), []
    for number in range(count):
        delay = started + number / rate - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        running.append(asyncio.create_task(team.write(random.randrange(team.writers), number)))
    await asyncio.gather(*running)


async def closed(team: Team, count: int) -> None:
    """Every writer writes, waits until it is recorded, and writes again."""

    async def one(writer: int) -> None:
        for number in range(max(1, count // team.writers)):
            await team.write(writer, number)

    await asyncio.gather(*(one(writer) for writer in range(team.writers)))


def figures(team: Team, before: int, seconds: float) -> dict[str, float]:
    """Throughput and latency since the last figures."""
    done = len(team.store.revisions) - before
    ordered = sorted(team.latencies)
    team.latencies.clear()
    return {
        "revisions": done,
        "per_second": round(done / seconds),
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 1),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)] * 1000, 1),
    }


async def phase(team: Team, work: object) -> dict[str, float]:
    """Run one phase and give its figures."""
    before, started = len(team.store.revisions), time.perf_counter()
    await work  # type: ignore[misc]
    return figures(team, before, time.perf_counter() - started)


async def measure(root: Path, writers: int, revisions: int, rate: float) -> dict[str, object]:
    """All figures, and git's verdict on the repository."""
    workspace, store = GitWorkspace(root), Store()
    recorder = Recorder(workspace, store)
    team = Team(workspace, store, recorder, writers)
    projecting = asyncio.create_task(recorder.run())
    sample = max(writers, revisions // 10)
    result: dict[str, object] = {"note": "the store's compare-and-set is a dictionary in memory"}
    result["paced_at_first"] = await phase(team, paced(team, sample, rate))
    result["closed"] = await phase(team, closed(team, revisions - len(store.revisions)))
    result[f"paced_after_{len(store.revisions)}"] = await phase(team, paced(team, sample, rate))
    projecting.cancel()
    # Packing under way ends first: git would miss the loose files it takes away.
    await asyncio.get_running_loop().shutdown_default_executor()
    result |= {
        "merges": team.merges,
        "conflicts": team.conflicts,
        "targets": {"per_second": 200, "p95_ms": 100},
    }
    return result | verdict(root / f"{TASK}.git", len(store.revisions))


def verdict(repository: Path, expected: int) -> dict[str, object]:
    """What the git command line says."""
    git = ["git", "--git-dir", str(repository)]
    fsck = subprocess.run(
        [*git, "fsck", "--strict", "--no-dangling"], capture_output=True, text=True, check=False
    )
    counted = subprocess.run(
        [*git, "rev-list", "--count", "main"], capture_output=True, text=True, check=True
    )
    size = sum(path.stat().st_size for path in repository.rglob("*") if path.is_file())
    return {
        "fsck": "clean" if fsck.returncode == 0 and not fsck.stdout.strip() else fsck.stderr + fsck.stdout,
        "commits": int(counted.stdout),
        "every_revision_present": int(counted.stdout) == expected,
        "repository_mb": round(size / 1e6, 1),
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Many writers, one history")
    parser.add_argument("--writers", type=int, default=590)
    parser.add_argument("--revisions", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=250.0)
    chosen = parser.parse_args()
    random.seed(4)
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), chosen.writers, chosen.revisions, chosen.rate)
        print(json.dumps(asyncio.run(measured), indent=2))


if __name__ == "__main__":
    main()
