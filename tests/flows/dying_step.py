"""An engine that dies with the program it runs; its arguments are FOLDER and RUN.

RUN: the number of the program, in this process, with which it is killed (-9); 0: it lives.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from engine.commands import StartTask
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest, RunRequest, RunResult
from engine.store.core import AGENTS
from tests.fakes.parts import FakeSandbox, build_engine, make_tables, sqlite_url

PATHS = ("a.md", "b.md", "c.md")


def boss(request: ChatRequest) -> ChatAnswer:
    """One answer with two programs between three files, then the end of the turn."""
    if any(message.role == "assistant" for message in request.messages):
        return say("done")
    a, b, c = (("write_file", {"path": path, "content": path}) for path in PATHS)
    first, second = (("run", {"command": ["python", f"{n}.py"]}) for n in (1, 2))
    return call(a, first, b, second, c, text="I write and run.")


class Deadly(FakeSandbox):
    """Kills the process in its `number`th run."""

    def __init__(self, number: int) -> None:
        super().__init__(lambda _: RunResult(0, "ran"))
        self._number = number

    async def run(self, request: RunRequest) -> RunResult:
        """Die, or say that it ran."""
        result = await super().run(request)
        if len(self.requests) == self._number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


async def main(folder: Path, number: int) -> None:
    """Start the task or go on with it, until nobody has anything to do."""
    begun = (folder / "test.db").exists()
    make_tables(sqlite_url(folder))
    engine, db = build_engine(sqlite_url(folder), folder, boss, sandbox=Deadly(number))
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
    await main(Path(arguments[0]), int(arguments[1]))
