"""Rows that a command names."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.commands import Command, PauseTask, RaiseCap, ResumeTask, StopTask
from engine.commands import Limits as Caps
from engine.errors import NotFound, Refusal
from engine.llm.scripted import say
from tests.fakes.parts import build_engine, make_tables, sqlite_url


@pytest.mark.parametrize(
    "command",
    [PauseTask(99, "p"), ResumeTask(99, "p"), StopTask(99, "p"), RaiseCap(99, Caps(tokens=5), "p")],
    ids=lambda command: type(command).__name__,
)
async def test_a_task_that_is_not_there_is_named_with_where_to_look(tmp_path: Path, command: Command) -> None:
    """Why, and then what to do next."""
    make_tables(sqlite_url(tmp_path))
    engine, database = build_engine(sqlite_url(tmp_path), tmp_path, lambda _request: say("x"))
    try:
        with pytest.raises(NotFound) as told:
            await engine.handle(command)
    finally:
        await engine.stop()
        await database.close()
    assert told.value.refusal == Refusal("There is no task 99.", "Use /task list to see the tasks.")
