"""Whole tasks with scripted agents over the real store, the watch set to tenths of a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from engine import Engine
from engine.commands import Command, StartTask
from engine.domain.limits import Caps
from engine.domain.snapshot import WatchOptions
from engine.events import EventBody, TaskEnded
from engine.ports import Database, Embedder, Packages, Sandbox
from engine.tools import ToolOptions
from tests.fakes.cast import Part, cast
from tests.fakes.parts import CAPS, build_engine, make_tables, sqlite_url

E = TypeVar("E")

PATIENCE_S = 60.0
FAST = WatchOptions(sweep_s=0.1, quiet_s=0.05, cooldown_s=0.1, silent_s=0.3, unassigned_s=0.2)
CALM = WatchOptions(sweep_s=0.1, quiet_s=0.05, silent_s=1e6, unassigned_s=1e6)


@dataclass
class Play:
    """A running task and everything the engine has said of it."""

    engine: Engine
    db: Database
    task: int
    events: list[EventBody] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, kind: type[E], /, **wanted: Any) -> list[E]:
        """Events of a kind with these values."""
        return [
            e
            for e in self.events
            if isinstance(e, kind) and all(getattr(e, name) == value for name, value in wanted.items())
        ]

    async def until(self, kind: type[E], /, **wanted: Any) -> E:
        """The first event of a kind with these values, waited for."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (found := self.of(kind, **wanted)):
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            told = "\n".join(str(event)[:200] for event in self.events[-25:])
            raise AssertionError(f"no {kind.__name__} {wanted}; last events:\n{told}") from None
        return found[0]

    async def more(self) -> None:
        """Wait for the next event."""
        self.news.clear()
        await asyncio.wait_for(self.news.wait(), PATIENCE_S)

    async def until_heard(self, heard: list[str]) -> None:
        """Wait until a part has noted something."""
        while not heard:
            await self.more()

    async def end(self) -> TaskEnded:
        """How the task ended."""
        return await self.until(TaskEnded)

    async def do(self, command: Command) -> int:
        """Carry out a person's command."""
        return await self.engine.handle(command)


Stage = Callable[..., Awaitable[Play]]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """`await stage({"Boss": part, …})` starts a task played by these parts."""
    async with AsyncExitStack() as stack:
        count = 0

        async def start(
            parts: dict[str, Part],
            *,
            watch: WatchOptions = CALM,
            audit_rounds: int = 0,
            caps: Caps = CAPS,
            attended: bool = True,
            sandbox: Sandbox | None = None,
            embedder: Embedder | None = None,
            url: str | None = None,
            slots: int = 64,
            history_tokens: int = 16_000,
            goal: str = "make the thing",
            fetcher: Packages | None = None,
            **options: Any,
        ) -> Play:
            nonlocal count
            count += 1
            folder = tmp_path / str(count)
            folder.mkdir()
            where = url or sqlite_url(folder)
            make_tables(where)
            tools = ToolOptions(audit_rounds=audit_rounds, watch=watch, **options)
            engine, db = build_engine(
                where,
                folder,
                cast(parts),
                sandbox=sandbox,
                options=tools,
                caps=caps,
                embedder=embedder,
                slots=slots,
                history_tokens=history_tokens,
                packages=fetcher,
            )
            stack.push_async_callback(db.close)
            await engine.start()
            stack.push_async_callback(engine.stop, drain=False)
            task = await engine.handle(StartTask(goal, "me", "guild:1", attended=attended))
            play = Play(engine, db, task)
            listener = asyncio.create_task(_listen(play))
            stack.callback(listener.cancel)
            return play

        yield start


async def _listen(play: Play) -> None:
    async for event in play.engine.events():
        play.events.append(event.body)
        play.news.set()
