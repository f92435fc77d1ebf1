"""A model that talks nonsense in every way: the task ends, the report says so, nothing reaches the top."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
import sqlalchemy as sa

from bench.malformed import Malformed
from engine import Engine, EngineOptions, EngineParts, LocalDispatcher, TurnOptions, open_database
from engine.commands import StartTask
from engine.events import Event, Intervened, TaskEnded
from engine.llm.scripted import ScriptedModel
from engine.runtime.clock import SystemClock
from engine.store.core import BUDGETS, STEPS
from engine.tools import ToolOptions
from engine.workspace import GitWorkspace
from tests.fakes.parts import CAPS, FakeSandbox, make_tables


class HastyClock(SystemClock):
    """Real time, but pauses before trying again are short."""

    async def sleep(self, seconds: float) -> None:
        """A moment."""
        await asyncio.sleep(min(seconds, 0.01))


async def soak(folder: Path, steps: int, seed: int) -> tuple[list[Event], Malformed, int, int]:
    """Run one task through `steps` broken answers -> (events, the model, steps made, tokens still held)."""
    url = f"sqlite:///{folder / 'soak.db'}"
    make_tables(url)
    db, model = open_database(url), Malformed(seed, steps)
    parts = EngineParts(db, ScriptedModel(model), GitWorkspace(folder / "ws"), FakeSandbox(), HastyClock())
    turn = TurnOptions(tools=ToolOptions(audit_rounds=0, plan_approval_over=1_000))
    engine = Engine(parts, LocalDispatcher(16), EngineOptions(CAPS, turn))
    await engine.start()
    task = await engine.handle(StartTask("Survive.", "me", "here", attended=False))
    events = []
    async with asyncio.timeout(50 + steps / 5):
        async for event in engine.events():
            events.append(event)
            if isinstance(event.body, TaskEnded) and event.body.task_id == task:
                break
    await engine.stop()
    made = await db.read(lambda c: c.execute(sa.select(sa.func.count()).select_from(STEPS)).scalar_one())
    held = await db.read(lambda c: c.execute(sa.select(BUDGETS.c.reserved_tokens)).scalar_one())
    await db.close()
    return events, model, int(made), int(held)


def judge(events: list[Event], caplog: pytest.LogCaptureFixture, held: int) -> None:
    """It ended with words, interventions were told, no exception was logged, nothing stays reserved."""
    end = events[-1].body
    assert isinstance(end, TaskEnded)
    assert end.report
    assert any(isinstance(event.body, Intervened) for event in events)
    assert [r for r in caplog.records if r.exc_info and r.name.startswith("engine")] == []
    assert held == 0


@pytest.mark.parametrize("seed", range(3))
async def test_sixty_broken_answers_end_in_a_report(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    """Whatever the model answers, the task comes to an end that people can read."""
    with caplog.at_level(logging.WARNING):
        events, _, made, held = await soak(tmp_path, 60, seed)
    judge(events, caplog, held)
    assert made > 3


@pytest.mark.soak
async def test_a_thousand_broken_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The long version: a thousand broken answers over tasks of their own."""
    broken, number = 0, 0
    while broken < 1_000:
        folder = tmp_path / str(number)
        folder.mkdir()
        with caplog.at_level(logging.WARNING):
            events, model, _, held = await soak(folder, 100, 100 + number)
        judge(events, caplog, held)
        broken, number = broken + 100 - model.left, number + 1
