"""An engine that dies in the model call; its arguments are FOLDER and CALL.

CALL: the number of the call, in this process, in which it is killed (-9); 0: it lives. Each call writes a
line to FOLDER/charged before anything else, as a provider charges for it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from engine.commands import Limits, StartTask
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import AGENTS, TASKS
from tests.fakes.cast import View
from tests.fakes.parts import build_engine, make_tables, sqlite_url

QUOTE = 100
"""Micro-dollars that the scripted model quotes for a call, and that each costs."""

MEMBERS = 4


class Provider:
    """Charges for each call when it begins."""

    def __init__(self, folder: Path, dies_in: int) -> None:
        self._charged, self._dies_in = folder / "charged", dies_in
        self._calls = 0

    async def script(self, request: ChatRequest) -> ChatAnswer:
        """Charge, then answer or die; the members' calls overlap."""
        self._calls += 1
        with self._charged.open("a") as charged:
            charged.write("x")
        await asyncio.sleep(0.02)
        if self._calls >= self._dies_in > 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self._answer(View(request)), cost_micros=QUOTE)

    @staticmethod
    def _answer(view: View) -> ChatAnswer:
        if view.name == "Boss" and not view.did("recruit"):
            members = [{"name": f"M {n}", "role": "w", "instructions": "w"} for n in range(MEMBERS)]
            return call(("recruit", {"members": members}), ("send_message", {"to": ["group"], "text": "Go."}))
        return say("I wait.") if view.name == "Boss" or view.steps else call(("list_files", {}))


async def main(folder: Path, dies_in: int, cap: int) -> None:
    """Start the task or go on with it, until nobody has anything to do or the cap is reached."""
    begun = (folder / "test.db").exists()
    make_tables(sqlite_url(folder))
    engine, db = build_engine(sqlite_url(folder), folder, Provider(folder, dies_in).script)
    await engine.start()
    if not begun:
        await engine.handle(StartTask("g", "me", "here", Limits(cost_micros=cap)))
    works = sa.or_(AGENTS.c.in_turn, AGENTS.c.reserved_micros > 0, AGENTS.c.fence == 0)
    busy = sa.select(AGENTS.c.id).join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    busy = busy.where(works, TASKS.c.state == "running")
    async with asyncio.timeout(60):
        while await db.read(lambda c: c.scalar(busy)):  # noqa: ASYNC110 - the database is waited for
            await asyncio.sleep(0.01)
    await engine.stop()
    await db.close()


async def program(arguments: Sequence[str]) -> None:
    """What the fork server runs."""
    folder, dies_in, cap = arguments
    await main(Path(folder), int(dies_in), int(cap))
