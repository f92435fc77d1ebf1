"""One world for every backend: SQLite and PostgreSQL, the embedded dispatcher and Procrastinate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from engine import Engine, EngineOptions, EngineParts, LocalDispatcher, TurnOptions, open_database
from engine.connectors.connectors import Connectors, OutsideOptions
from engine.domain.guard import Guard
from engine.events import Event, TaskEnded
from engine.llm.scripted import Script, ScriptedModel
from engine.ports import (
    ChatModel,
    Clock,
    Database,
    Dispatcher,
    Embedder,
    OutsideServers,
    Packages,
    Sandbox,
    Workspace,
)
from engine.runtime.clock import SystemClock
from engine.runtime.procrastinate import ProcrastinateDispatcher, QueueOptions, create_queue
from engine.store.core import AGENTS, MESSAGES, TASKS
from engine.tools import ToolOptions
from engine.workspace import GitWorkspace
from tests.fakes.parts import CAPS, FakeSandbox, make_tables
from tests.fakes.postgres import Cluster

T = TypeVar("T")
BACKENDS = ("sqlite-local", "postgresql-local", "postgresql-procrastinate")
PATIENCE_S = 40.0


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One throw-away PostgreSQL server for the whole session."""
    running = Cluster()
    yield running
    running.stop()


def make_tables_and_queue(url: str) -> None:
    """Create what the engine and Procrastinate need at `url`."""
    make_tables(url)
    create_queue(url)


@dataclass(slots=True)
class World:
    """A database and the engines that run on it, one after another or at once."""

    backend: str
    url: str
    folder: Path
    db: Database
    engines: list[Engine] = field(default_factory=list)

    def dispatcher(self, slots: int) -> Dispatcher:
        """The dispatcher this backend is tested with."""
        if self.backend.endswith("local"):
            return LocalDispatcher(slots)
        return ProcrastinateDispatcher(self.db, slots, QueueOptions(1.0, 4.0, 0.1, 5.0))

    async def start(
        self,
        script: Script,
        *,
        slots: int = 32,
        turn: TurnOptions | None = None,
        sweeps: bool = False,
        models: tuple[str, ...] | None = None,
        outside: OutsideServers | Sequence[OutsideServers] = (),
        guard: Guard | None = None,
        sandbox: Sandbox | None = None,
        workspace: Workspace | None = None,
        clock: Clock | None = None,
        packages: Packages | None = None,
        embedder: Embedder | None = None,
        model: ChatModel | None = None,
    ) -> Engine:
        """A running engine around `script`, or `model` in its place; without `sweeps` nothing but the
        dispatcher wakes anybody."""
        clock = clock or SystemClock()
        servers = outside if isinstance(outside, Sequence) else [outside]
        parts = EngineParts(
            db=self.db,
            model=model or ScriptedModel(script),
            workspace=workspace or GitWorkspace(self.folder / "workspaces"),
            sandbox=sandbox or FakeSandbox(),
            clock=clock,
            outside=Connectors(servers, self.db, clock, OutsideOptions(guard=guard or Guard()))
            if servers
            else None,
            packages=packages,
            embedder=embedder,
        )
        turn = turn or TurnOptions(tools=ToolOptions(plan_approval_over=1_000, audit_rounds=0))
        engine = Engine(parts, self.dispatcher(slots), EngineOptions(CAPS, turn, sweeps, models=models))
        self.engines.append(engine)
        await engine.start()
        return engine

    async def stop(self, engine: Engine, drain: bool = True) -> None:
        """Stop one engine."""
        self.engines.remove(engine)
        await engine.stop(drain)

    async def rows(self, query: sa.Select[Any]) -> list[Any]:
        """What a query finds now."""
        return await self.db.read(lambda c: list(c.execute(query).all()))

    async def scalar(self, query: sa.Select[Any]) -> Any:
        """First value of a query."""
        return (await self.rows(query))[0][0]

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run in a transaction."""
        return await self.db.write(work)

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until `holds()` (awaited) is true. Fails after a generous while."""
        async with asyncio.timeout(PATIENCE_S):
            while not await holds():  # noqa: ASYNC110 - the database is what is waited for
                await asyncio.sleep(0.02)


async def ended(engine: Engine, task: int) -> list[Event]:
    """All events up to the task's end."""
    seen = []
    async with asyncio.timeout(PATIENCE_S):
        async for event in engine.events():
            seen.append(event)
            if isinstance(event.body, TaskEnded) and event.body.task_id == task:
                return seen
    raise AssertionError("unreachable: the timeout raises")


RUN_AS = tuple(
    pytest.param(name, marks=pytest.mark.soak if name == "postgresql-local" else ()) for name in BACKENDS
)
"""The product runs SQLite with its own dispatcher and PostgreSQL with Procrastinate; the third is a soak."""


@pytest.fixture(params=RUN_AS)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """An empty world on each backend that the product runs on, under `make soak` on every one."""
    backend: str = request.param
    # A stack closes the rest when one part fails to stop: what stays open is reported in another test.
    async with AsyncExitStack() as stack:
        if backend.startswith("sqlite"):
            url = f"sqlite:///{tmp_path / 'world.db'}"
            make_tables(url)
        else:
            cluster: Cluster = request.getfixturevalue("cluster")
            url = cluster.new_database(make_tables_and_queue)
            stack.callback(cluster.give_back, url)
        made = World(backend, url, tmp_path, open_database(url))
        stack.push_async_callback(made.db.close)
        yield made
        for engine in made.engines:
            stack.push_async_callback(engine.stop, drain=False)


async def unread(world: World) -> int:
    """Messages that somebody is still to read: not of those who left, nor in a task that has ended."""
    return int(await world.scalar(_unread))


_unread = (
    sa.select(sa.func.count())
    .select_from(MESSAGES)
    .join(AGENTS, AGENTS.c.id == MESSAGES.c.to_agent)
    .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    .where(
        MESSAGES.c.consumed_step.is_(None),
        AGENTS.c.status != "dismissed",
        TASKS.c.state.in_(("running", "paused")),
    )
)


async def quiet(world: World) -> bool:
    """Nobody has an open turn or a message that wakes it, seen at one moment."""
    unread = sa.select(MESSAGES.c.id).where(MESSAGES.c.consumed_step.is_(None), MESSAGES.c.wakes)
    return not await world.rows(sa.select(AGENTS.c.id).where(sa.or_(AGENTS.c.in_turn, unread.exists())))


async def still(world: World) -> bool:
    """Nobody has messages or an open turn, seen at one moment."""
    busy = sa.select(sa.func.count()).select_from(AGENTS).where(AGENTS.c.in_turn)
    return not await world.scalar(sa.select(_unread.scalar_subquery() + busy.scalar_subquery()))
