"""Nothing reads sentences: with every text worded again a whole task goes the same way."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.outbox.post import Post, load_post
from bot.outbox.projector import project_all
from bot.storage.tables import outbox
from engine.commands import SayToAgent, StartTask
from engine.events import Event, TaskEnded
from engine.llm.scripted import call
from engine.ports import ChatAnswer, ChatRequest, RunRequest, RunResult
from engine.store.core import ASSIGNMENTS, FILES, MESSAGES, STEPS, TASKS
from engine.store.transcript import past_step
from engine.tools import ToolOptions
from tests.fakes.inline_database import InlineDatabase
from tests.fakes.parts import FakeSandbox, build_engine, make_tables, sqlite_url
from tests.fakes.rewording import readable, reword_bot, reword_engine
from tests.flows.team import team

WORDS = frozenset(
    {"text", "reason", "detail", "note", "report", "question", "findings", "output", "summary", "goal"}
)
"""Fields of events and posts that hold texts."""

GOAL = "Write calc.py and a check of it. " * 20


@dataclass(frozen=True)
class Course:
    """What a task came to, but for its words."""

    offers: list[Any]
    events: list[Any]
    steps: list[Any]
    state: list[Any]


def careful_team(request: ChatRequest) -> ChatAnswer:
    """The team; its members overwrite what they did not read first, and run what they wrote."""
    made = [c.name for m in request.messages for c in m.tool_calls]
    if request.role == "member" and made and made[-1] == "write_file":
        return call(("run", {"command": ["python", "calc.py"]}))
    if request.role == "auditor" and "run" not in made:
        return call(("run", {"command": ["python", "check.py"]}))
    if request.role == "boss" and "finish" not in made and made.count("review") == 2 and made[-1] == "review":
        return call(("write_file", {"path": "calc.py", "content": "mine"}))
    return team(request)


async def course(folder: Path, *, small: bool, by_runs: bool) -> tuple[Course, list[Event]]:
    """Play the task, one agent at a time, to its end; while the third answer is made a person writes."""
    url = sqlite_url(folder)
    make_tables(url)
    offers: list[Any] = []
    script = readable(careful_team)

    async def noting(request: ChatRequest) -> ChatAnswer:
        offers.append((request.agent_id, request.offer, request.talk, request.priority))
        if len(offers) == 3:
            await engine.handle(SayToAgent(1, "Be quick.", "discord:7", "Ann", "9:9"))
        return script(request)

    def behave(request: RunRequest) -> RunResult:
        return RunResult(0, "checked", seconds=0.1)

    options = ToolOptions(audit_rounds=1, by_runs=by_runs)
    sandbox = FakeSandbox(behave)
    engine, db = build_engine(url, folder, noting, options=options, slots=1, sandbox=sandbox, small=small)
    await engine.start()
    seen: list[Event] = []
    task = await engine.handle(StartTask(GOAL, "discord:7", "guild:9"))
    async with asyncio.timeout(60):
        async for event in engine.events():
            seen.append(event)
            if isinstance(event.body, TaskEnded):
                break
    await engine.stop(drain=False)
    made = await db.read(lambda c: _written(c, task))
    await db.close()
    return Course(offers, [_bare(e.body) for e in seen], *made), seen


def _written(connection: sa.Connection, task: int) -> tuple[list[Any], list[Any]]:
    steps = []
    for row in connection.execute(sa.select(STEPS).order_by(STEPS.c.agent_id, STEPS.c.step)):
        step = past_step(row)
        read = [(m.from_kind, m.from_name, m.about, m.about_id, m.wakes) for m in step.messages]
        steps.append((row.agent_id, row.step, [(c.name, c.outcome) for c in step.calls], read))
    state: list[Any] = [
        tuple(connection.execute(sa.select(TASKS.c.state, TASKS.c.verified, TASKS.c.basis)).one())
    ]
    for query in (
        sa.select(ASSIGNMENTS.c.id, ASSIGNMENTS.c.state, ASSIGNMENTS.c.assignee_id),
        sa.select(FILES.c.path, FILES.c.blob, FILES.c.revision),
        sa.select(MESSAGES.c.to_agent, MESSAGES.c.about, MESSAGES.c.priority, MESSAGES.c.consumed_step),
    ):
        state.append(sorted(map(str, connection.execute(query))))
    return steps, state


def _bare(body: Any) -> tuple[str, dict[str, Any]]:
    kept = {k: v for k, v in asdict(body).items() if k not in WORDS}
    return type(body).__name__, kept


@pytest.mark.parametrize(("small", "by_runs"), [(False, False), (True, False), (True, True)])
async def test_a_task_runs_the_same_with_other_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: bool, by_runs: bool
) -> None:
    """Same offers, events, calls with their outcomes, messages, files and states."""
    before, _ = await course(_folder(tmp_path, "before"), small=small, by_runs=by_runs)
    with monkeypatch.context() as patch:
        reword_engine(patch)
        after, _ = await course(_folder(tmp_path, "after"), small=small, by_runs=by_runs)
    for each in fields(Course):
        assert getattr(after, each.name) == getattr(before, each.name), each.name
    assert ("done", not by_runs, "ran" if by_runs else "audited") in before.state
    assert any(outcome for _, _, calls, _ in before.steps for _, outcome in calls)


async def test_the_bot_posts_the_same_with_other_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kinds, lanes, pings, questions and order of what is posted come from data."""
    _, events = await course(_folder(tmp_path, "task"), small=False, by_runs=False)
    before = await _posted(events)
    with monkeypatch.context() as patch:
        reword_engine(patch)
        assert reword_bot(patch) > 200
        _, others = await course(_folder(tmp_path, "again"), small=False, by_runs=False)
        after = await _posted(others)
    assert len(before) > 8 and [_shape(post) for post in after] == [_shape(post) for post in before]
    assert sum(one.text != other.text for one, other in zip(before, after, strict=True)) > 5


async def _posted(events: list[Event]) -> list[Post]:
    database = InlineDatabase()
    await database.write(lambda c: project_all(c, events))
    query = sa.select(outbox.c.post).order_by(outbox.c.id)
    rows = await database.read(lambda c: list(c.execute(query).scalars()))
    await database.close()
    return [load_post(row) for row in rows]


def _shape(post: Post) -> dict[str, Any]:
    words = ("text", "head", "foot", "card", "fold", "folded", "notice", "attached")
    return {k: v if k not in words else bool(v) for k, v in asdict(post).items()}


def _folder(base: Path, name: str) -> Path:
    made = base / name
    made.mkdir()
    return made
