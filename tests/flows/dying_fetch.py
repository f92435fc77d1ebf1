"""An engine that dies while packages are fetched; its arguments are FOLDER, POINT and an index's address.

POINT: where the process is killed (-9); "": it lives.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import engine.packages.fetch as fetching
import engine.packages.store as storing
from engine.commands import StartTask
from engine.domain.packages import PackagePolicy
from engine.llm.scripted import call, say
from engine.packages import PipPackages
from engine.ports import ChatAnswer, ChatRequest, RunRequest, RunResult
from engine.store.core import AGENTS
from engine.tools import ToolOptions
from tests.fakes.parts import FakeSandbox, build_engine, make_tables, sqlite_url

POINTS = ("fetching", "verified", "stored", "recorded", "unpacked", "running")
"""pip has begun; its wheels are checked; they are in the cache; the pins are committed, nothing is unpacked;
the set is unpacked beside its place; the program that uses it runs."""


def boss(request: ChatRequest) -> ChatAnswer:
    """One answer that gets a package and runs a program."""
    if any(message.role == "assistant" for message in request.messages):
        return say("done")
    return call(("install_packages", {"packages": ["oak"]}), ("run", {"command": ["python", "use.py"]}))


def die(*_given: object, **_named: object) -> Any:
    """As a crash."""
    os.kill(os.getpid(), signal.SIGKILL)


class Uses(FakeSandbox):
    """Sees what a program would import; kills the process before it when told to."""

    def __init__(self, *, deadly: bool) -> None:
        super().__init__(lambda _: RunResult(0, "ran"))
        self._deadly = deadly

    async def run(self, request: RunRequest) -> RunResult:
        """Die, or say what there is."""
        if self._deadly:
            die()
        assert request.packages is not None
        found = sorted(path.name for path in request.packages.iterdir() if path.suffix == ".py")
        return RunResult(0, " ".join(found))


class Slow(PipPackages):
    """The product's own; kills the process when its wheels are stored, before they are recorded."""

    async def fetch(self, *given: Any) -> Any:
        """Fetch, then die."""
        await super().fetch(*given)
        return die()


def arm(point: str) -> type[PipPackages]:
    """Let the process die at a point."""
    deadly: dict[str, tuple[Any, str, Callable[..., Any]]] = {
        "fetching": (fetching, "_within_limits", die),
        "verified": (storing.PipPackages, "_check_size", die),
        "recorded": (storing.PipPackages, "site", die),
        "unpacked": (storing, "_open_to_all", die),
    }
    if point in deadly:
        setattr(*deadly[point])
    return Slow if point == "stored" else PipPackages


async def main(folder: Path, point: str, index: str) -> None:
    """Start the task or go on with it, until nobody has anything to do."""
    url = sqlite_url(folder)
    begun = (folder / "test.db").exists()
    make_tables(url)
    packages = arm(point)(folder / "packages", Path(sys.executable), 3_000_000, index)
    options = ToolOptions(audit_rounds=0, packages=PackagePolicy(("*",)))
    sandbox = Uses(deadly=point == "running")
    engine, db = build_engine(url, folder, boss, sandbox=sandbox, options=options, packages=packages)
    await engine.start()
    if not begun:
        await engine.handle(StartTask("g", "me", "here"))
    async with asyncio.timeout(60):
        idle = sa.select(AGENTS.c.fence).where(~AGENTS.c.in_turn)
        while not await db.read(lambda c: c.scalar(idle)):  # noqa: ASYNC110 - the database is waited for
            await asyncio.sleep(0.01)
    await engine.stop(drain=False)
    await db.close()


async def program(arguments: Sequence[str]) -> None:
    """What the fork server runs."""
    folder, point, index = arguments
    await main(Path(folder), point, index)
