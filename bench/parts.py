"""Engine parts for benchmarks: the real engine, store and workspace around a scripted model."""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from engine import Engine, EngineOptions, EngineParts, LocalDispatcher, TurnOptions, open_database
from engine.commands import StartTask
from engine.domain.limits import Caps
from engine.errors import NotConfigured
from engine.events import GateRaised, TaskEnded
from engine.handlers.tasks import start_task
from engine.lifecycle.agents import NewAgent, add_agent
from engine.llm.scripted import Script, ScriptedModel
from engine.ports import (
    ChatModel,
    Clock,
    Database,
    Dispatcher,
    RunRequest,
    RunResult,
    SandboxSession,
    SandboxStatus,
)
from engine.runtime.clock import SystemClock
from engine.runtime.heap import freeze_startup
from engine.store.core import AGENTS, MESSAGES, TASKS
from engine.store.database import sync_engine
from engine.tools import ToolOptions
from engine.workspace import GitWorkspace

ROOMY = Caps(
    agents=20_000, depth=9, members=20_000, steps=1_000, cost_micros=10**14, tokens=10**14, minutes=600
)
SHORT_TURN = TurnOptions(tools=ToolOptions(audit_rounds=0, plan_approval_over=100_000))


class NoSandbox:
    """Benches run no code."""

    def status(self) -> SandboxStatus:
        """Never available."""
        return SandboxStatus(False, "", "benches run no code")

    async def run(self, request: RunRequest) -> RunResult:
        """Refuses."""
        raise NotConfigured("benches run no code.")

    async def open(self, request: RunRequest) -> tuple[SandboxSession, RunResult]:
        """Refuses."""
        raise NotConfigured("benches run no code.")


class CappedModel(ScriptedModel):
    """A scripted model that answers after `seconds`, at most `cap` calls at once."""

    def __init__(self, script: Script, seconds: float, cap: int) -> None:
        super().__init__(script)
        self._seconds, self._room = seconds, asyncio.Semaphore(cap)

    async def complete(self, request):  # type: ignore[no-untyped-def]
        """What the script says, later."""
        async with self._room:
            await asyncio.sleep(self._seconds)
        return await super().complete(request)


@dataclass(frozen=True, slots=True)
class Running:
    """An engine with its database, to be stopped by `close`."""

    engine: Engine
    db: Database

    async def until_end(self, task: int) -> None:
        """Wait until a task has ended. Raises RuntimeError when it asks people."""
        async for event in self.engine.events():
            if isinstance(event.body, GateRaised) and event.body.task_id == task:
                raise RuntimeError(f"people are asked: {event.body.question}")
            if isinstance(event.body, TaskEnded) and event.body.task_id == task:
                return

    async def close(self) -> None:
        """Stop both."""
        await self.engine.stop()
        await self.db.close()


@contextmanager
def database(store: str, folder: Path) -> Iterator[str]:
    """URL of an empty database that survives power cuts, for as long as the block lasts."""
    if store == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    yield _cluster().new_database()


@cache
def _cluster() -> Any:
    """One server for all benches of this process, stopped at its end."""
    from tests.fakes.postgres import Cluster  # noqa: PLC0415 - see _dispatcher

    cluster, owner = Cluster(durable=True), os.getpid()
    atexit.register(lambda: cluster.stop() if os.getpid() == owner else None)
    return cluster


def make_tables(url: str) -> None:
    """Create the engine's tables at `url`, on PostgreSQL also those of the queue."""
    engine = sync_engine(url)
    AGENTS.metadata.create_all(engine)
    engine.dispose()
    if url.startswith("postgresql"):
        from engine.runtime.procrastinate import create_queue  # noqa: PLC0415

        create_queue(url)


def build(
    url: str,
    folder: Path,
    model: ChatModel,
    slots: int,
    turn: TurnOptions = SHORT_TURN,
    sweeps: bool = True,
    stalled_s: float = 10.0,
    clock: Clock | None = None,
) -> Running:
    """Return a real engine around `model` with the dispatcher that belongs to the database.

    Without `sweeps` idle bosses are not woken: only the seeded work is done. `stalled_s`: the silence after
    which a killed worker's jobs are taken over.
    """
    db = open_database(url)
    parts = EngineParts(db, model, GitWorkspace(folder / "workspaces"), NoSandbox(), clock or SystemClock())
    made = Running(Engine(parts, _dispatcher(db, slots, stalled_s), EngineOptions(ROOMY, turn, sweeps)), db)
    freeze_startup()  # as the product does
    return made


def _dispatcher(db: Database, slots: int, stalled_s: float) -> Dispatcher:
    """Imported only where it is used, as the product does: memory is measured here."""
    if not db.url.startswith("postgresql"):
        return LocalDispatcher(slots)
    from engine.runtime.procrastinate import ProcrastinateDispatcher, QueueOptions  # noqa: PLC0415

    return ProcrastinateDispatcher(db, slots, QueueOptions(stalled_s / 5, stalled_s))


def seed_members(connection: Connection, count: int, now: float) -> tuple[int, list[int]]:
    """Insert a running task with a boss without unread messages and `count` members A0, A1, …; return
    (task, members)."""
    task = start_task(connection, StartTask("bench", "bench", "bench"), ROOMY, now).id
    connection.execute(MESSAGES.update().where(MESSAGES.c.task_id == task).values(consumed_step=0))
    boss = connection.execute(sa.select(AGENTS).where(AGENTS.c.task_id == task)).one()
    made = [
        add_agent(
            connection,
            NewAgent(
                task, boss.group_id, boss.id, boss.budget_id, f"A{n}", "worker", "Pass it on.", "member", 1
            ),
            now,
        )[0]
        for n in range(count)
    ]
    connection.execute(TASKS.update().where(TASKS.c.id == task).values(plan_state="approved"))
    return task, made


def seed_messages(connection: Connection, task: int, messages: list[tuple[int, str]], now: float) -> None:
    """Insert unread messages from the system: (agent, text) pairs."""
    rows = [
        {
            "task_id": task,
            "to_agent": agent,
            "from_kind": "system",
            "from_name": "system",
            "text": text,
            "key": f"seed.{task}.{number}",
            "priority": 5,
            "created_at": now,
        }
        for number, (agent, text) in enumerate(messages)
    ]
    connection.execute(MESSAGES.insert(), rows)
