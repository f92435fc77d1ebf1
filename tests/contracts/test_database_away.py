"""A database that is away for a moment costs no call of a model, and is no failure of a tool."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import StartTask
from engine.domain.effects import StepOutcome
from engine.domain.state import Turn
from engine.llm.scripted import call
from engine.ports import ChatAnswer, ChatRequest
from engine.runtime import procrastinate, turn
from engine.store.core import STEPS
from engine.store.driver_errors import is_disconnect
from engine.tools import files
from engine.tools.base import FileNow
from tests.contracts.conftest import World, ended


@pytest.mark.parametrize("times", [1, 3])
async def test_an_answer_is_acted_on_again_when_the_database_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """The file is written, the model is asked once for each answer and is told of no failure."""
    asked: list[str] = []
    lost: list[str] = []
    read = files._committed

    def script(request: ChatRequest) -> ChatAnswer:
        asked.append(request.messages[-1].content)
        if request.messages[-1].role != "tool":
            return call(("write_file", {"path": "a.txt", "content": "kept"}))
        return call(("finish", {"report": "done"}))

    def breaks(connection: Connection, task_id: int, path: str) -> FileNow | None:
        if len(lost) < times:
            lost.append(path)
            raise psycopg.OperationalError("the connection is closed")
        return read(connection, task_id, path)

    monkeypatch.setattr(turn, "OUTAGES_S", (0.0,) * times)
    monkeypatch.setattr(files, "_committed", breaks)
    engine = await world.start(script)
    task = await engine.handle(StartTask("g", "me", "here", attended=False))
    await ended(engine, task)
    assert await engine.look.read_file(task, "a.txt") == b"kept"
    assert len(asked) == 2 and not [words for words in asked if "failed" in words]
    assert (await engine.look.task(task)).spend.calls == 2


def test_what_cannot_work_later_is_no_outage() -> None:
    """A wrong statement, a broken rule and what is no error of the database are told as they are."""
    assert is_disconnect(psycopg.OperationalError("the connection is closed"))
    assert is_disconnect(psycopg.errors.AdminShutdown())
    assert is_disconnect(psycopg.errors.ConnectionFailure())
    for other in (psycopg.errors.UndefinedColumn(), psycopg.errors.DiskFull(), ValueError(), OSError()):
        assert not is_disconnect(other)


async def test_a_commit_whose_answer_was_lost_is_booked_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step stands, and its cost is counted once, though it is acted on again."""
    lost: list[str] = []
    commit = turn.TurnRunner._commit

    def script(request: ChatRequest) -> ChatAnswer:
        if request.messages[-1].role != "tool":
            return call(("write_file", {"path": "a.txt", "content": "kept"}))
        return call(("finish", {"report": "done"}))

    async def breaks(runner: turn.TurnRunner, loaded: Turn, outcome: StepOutcome) -> bool:
        again = await commit(runner, loaded, outcome)
        if not lost:
            lost.append("the answer to the commit")
            raise psycopg.OperationalError("the connection is closed")
        return again

    monkeypatch.setattr(turn, "OUTAGES_S", (0.0,))
    monkeypatch.setattr(turn.TurnRunner, "_commit", breaks)
    engine = await world.start(script)
    task = await engine.handle(StartTask("g", "me", "here", attended=False))
    await ended(engine, task)
    view = await engine.look.task(task)
    steps = await world.rows(sa.select(STEPS.c.prompt_tokens, STEPS.c.completion_tokens))
    assert lost and view.spend.calls == len(steps) == 2
    assert view.spend.prompt_tokens == sum(row.prompt_tokens for row in steps)


async def test_a_turn_that_failed_is_run_again_though_the_database_is_away_longer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent keeps its reservation, so that no sweep would wake it."""
    lost: list[str] = []
    commit = turn.TurnRunner._commit
    defer = procrastinate.ProcrastinateDispatcher._defer

    async def breaks(runner: turn.TurnRunner, loaded: Turn, outcome: StepOutcome) -> bool:
        if not lost:
            lost.append("the turn")
            raise psycopg.OperationalError("the connection is closed")
        return await commit(runner, loaded, outcome)

    def cannot(
        queue: procrastinate.ProcrastinateDispatcher,
        connection: Connection,
        agents: Sequence[tuple[int, int]],
        later_s: float = 0.0,
        *,
        unless_busy: bool = False,
    ) -> None:
        if later_s and len(lost) < 3:
            lost.append("the wake-up")
            raise RuntimeError("the store has no tries left")
        defer(queue, connection, agents, later_s, unless_busy=unless_busy)

    monkeypatch.setattr(turn, "OUTAGES_S", ())
    monkeypatch.setattr(procrastinate, "RETRY_S", 0.05)
    monkeypatch.setattr(turn.TurnRunner, "_commit", breaks)
    monkeypatch.setattr(procrastinate.ProcrastinateDispatcher, "_defer", cannot)
    engine = await world.start(lambda _: call(("finish", {"report": "done"})))
    await ended(engine, await engine.handle(StartTask("g", "me", "here", attended=False)))
    by_queue = isinstance(engine._dispatcher, procrastinate.ProcrastinateDispatcher)
    assert lost == ["the turn"] + ["the wake-up"] * 2 * by_queue
