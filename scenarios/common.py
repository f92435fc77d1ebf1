"""Carrying out one unattended task, and the paper's figures beside its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from bot.app.migrations import upgrade
from engine.assembly import OpenEngine, open_engine
from engine.commands import Limits, StartTask, StopTask
from engine.engine import Engine
from engine.errors import EngineError
from engine.events import (
    AgentJoined,
    AssignmentChanged,
    Audited,
    CapReached,
    EventBody,
    FileWritten,
    Intervened,
    ModelWaiting,
    PlanProposed,
    TaskEnded,
)
from engine.ports import ChatModel, Sandbox
from engine.queries import TaskView
from engine.settings import EngineSettings
from engine.store.database import sync_engine

SHOWN = (
    AgentJoined,
    PlanProposed,
    FileWritten,
    Intervened,
    CapReached,
    Audited,
    ModelWaiting,
    AssignmentChanged,
)


@dataclass(frozen=True, slots=True)
class Paper:
    """What the paper reports of a work: agents, seconds, criteria met of all."""

    agents: int
    seconds: int
    met: int
    criteria: int


@dataclass(frozen=True, slots=True)
class Work:
    """A goal in plain words with its limits."""

    name: str
    goal: str
    limits: Limits
    paper: Paper


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a work; `agents` counts everyone who took part, auditors apart."""

    task: TaskView
    agents: int
    seconds: float
    files: dict[str, bytes]
    sandbox: Sandbox


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that must be so, whether it is, and what was seen."""

    name: str
    met: bool
    seen: str = ""


def say(text: str) -> None:
    """A line for whoever watches."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def carry_out(work: Work, settings: EngineSettings, model: ChatModel | None = None) -> Outcome:
    """Run the work to its end, telling what happens. Raises NotConfigured without a usable model."""
    opened = await open_engine(settings, model, migrate=up_to_date, say=say)
    space = f"scenario:{work.name}"
    try:
        await stop_left(opened.engine, space)
        await opened.engine.start()
        started = time.monotonic()
        start = StartTask(work.goal, "scenario", space, work.limits, attended=False)
        task = await opened.engine.handle(start)
        await follow(opened, task, started)
        return await _outcome(opened, task, time.monotonic() - started)
    finally:
        await opened.engine.stop()
        await opened.close()


def up_to_date(url: str) -> None:
    """Bring the tables up to date; a file from before versions were kept is put aside. Blocking."""
    path = Path(sa.make_url(url).database or "")
    if path.exists() and not _is_versioned_or_empty(url):
        for suffix in ("", "-wal", "-shm"):
            old = path.with_name(path.name + suffix)
            if old.exists():
                old.rename(path.with_name(f"old-{path.name}{suffix}"))
        say(f"{path} was made by an older version; it is now old-{path.name}.")
    upgrade(url)


def _is_versioned_or_empty(url: str) -> bool:
    engine = sync_engine(url)
    try:
        tables = sa.inspect(engine).get_table_names()
        return not tables or "alembic_version" in tables
    finally:
        engine.dispose()


def append_line(out: Path, line: object) -> None:
    """Append a result as JSON. A line that a crash cut off is ended first, or it would spoil this one."""
    with out.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(f"{json.dumps(line)}\n".encode())


async def stop_left(engine: Engine, space: str) -> None:
    """Stop tasks that an interrupted run left: they would run beside the new ones and cost twice."""
    for task in await engine.look.tasks(space):
        if task.ended_at is None:
            await engine.handle(StopTask(task.id, "scenario", "A new run began."))
            say(f"Task {task.id} of a run that was broken off is stopped.")


async def follow(opened: OpenEngine, task: int, started: float) -> None:
    """Tell what happens in a task until it ends."""
    async for event in opened.engine.events():
        if event.body.task_id != task:
            continue
        if isinstance(event.body, SHOWN):
            say(f"{time.monotonic() - started:8.1f} s  {line_of(event.body)}")
        if isinstance(event.body, TaskEnded):
            return


def line_of(body: EventBody) -> str:
    """An event in a line."""
    values = [getattr(body, name) for name in body.__dataclass_fields__ if not name.endswith("_id")]
    return f"{type(body).__name__}: {', '.join(str(value) for value in values)}"[:150].replace("\n", " ")


async def _outcome(opened: OpenEngine, task: int, seconds: float) -> Outcome:
    look = opened.engine.look
    agents = sum(agent.role != "auditor" for agent in await look.agents(task))
    files = {file.path: await look.read_file(task, file.path) for file in await look.files(task)}
    return Outcome(await look.task(task), agents, seconds, files, opened.sandbox)


def figures(work: Work, outcome: Outcome, criteria: Sequence[Criterion]) -> str:
    """The paper's figures beside this run's."""
    spend, paper = outcome.task.spend, work.paper
    met = sum(criterion.met for criterion in criteria)
    cost = f"${spend.cost_micros / 1e6:.4f}" + ("" if spend.priced else " (some calls without a known price)")
    judged = "verified by an auditor" if outcome.task.verified else "not verified"
    lines = [
        f"{work.name}: {outcome.task.state}, {judged}",
        f"{'':14}{'here':>12}{'paper':>12}",
        f"{'agents':14}{outcome.agents:>12,}{paper.agents:>12,}",
        f"{'seconds':14}{outcome.seconds:>12,.1f}{paper.seconds:>12,}",
        f"{'tokens in':14}{spend.prompt_tokens:>12,}{'':>12}",
        f"{'tokens out':14}{spend.completion_tokens:>12,}{'':>12}",
        f"{'criteria met':14}{f'{met} of {len(criteria)}':>12}{f'{paper.met} of {paper.criteria}':>12}",
        f"{'calls':14}{spend.calls:>12,}   cost {cost}",
    ]
    lines += [f"  [{'x' if c.met else ' '}] {c.name}{f': {c.seen}' if c.seen else ''}" for c in criteria]
    return "\n".join(lines)


def run(main: Coroutine[object, object, object]) -> None:
    """Run a scenario; what is missing on this machine is said in a sentence, with exit code 1."""
    try:
        asyncio.run(main)
    except EngineError as error:
        say(str(error))
        raise SystemExit(1) from error


def arguments(description: str) -> argparse.ArgumentParser:
    """Options that every scenario has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=Path("var/scenarios"), help="folder for what is made")
    parser.add_argument("--usd", type=float, help="cap on money")
    parser.add_argument("--tokens", type=int, help="cap on tokens")
    parser.add_argument("--minutes", type=int, help="cap on minutes")
    return parser


def configured(given: argparse.Namespace, work: Work) -> tuple[Work, EngineSettings]:
    """The work within the caps given, and settings that keep its data apart from the bot's."""
    changes = {
        "cost_micros": None if given.usd is None else round(given.usd * 1e6),
        "tokens": given.tokens,
        "minutes": given.minutes,
    }
    kept = {name: value for name, value in changes.items() if value is not None}
    settings = EngineSettings()
    return replace(work, limits=replace(work.limits, **kept)), settings.model_copy(
        update={"data_dir": given.data, "database_url": ""}
    )
