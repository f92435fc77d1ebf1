"""What an operator reads when the product starts slowly, is stopped early, or is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from bot.app import cli
from bot.app.settings import BotSettings
from engine.llm.local.__main__ import TerminalProgress
from tests.bot.features.test_card import TASK


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ((), "Stopped."),
        ((1,), "Stopped. Task #1 resumes at the next start."),
        ((2, 1), "Stopped. Tasks #2, #1 resume at the next start."),
        (range(1, 8), "Stopped. Tasks #1, #2, #3, #4, #5 and 2 more resume at the next start."),
    ],
)
def test_the_end_says_what_goes_on(ids: Any, text: str) -> None:
    """Only tasks that have not ended."""
    ended = replace(TASK, id=99, ended_at=5.0)
    assert cli.farewell([ended, *(replace(TASK, id=number) for number in ids)]) == text


async def test_stopped_before_it_runs_it_leaves_and_says_what_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl+C in a long download is not put off until the download has ended; what was opened is closed."""
    stop, left, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def endless(*_: Any, **__: Any) -> AsyncIterator[None]:
        stop.set()
        try:
            await asyncio.Event().wait()
            yield
        finally:
            await asyncio.sleep(0)
            closed.set()

    def leave() -> None:
        assert closed.is_set()
        left.set()
        raise SystemExit(130)

    monkeypatch.setattr(cli, "running", endless)
    monkeypatch.setattr(cli, "_leave", leave)
    with pytest.raises(SystemExit):
        await cli._run_until(stop, BotSettings(), TerminalProgress())
    assert left.is_set() and "is kept" in capsys.readouterr().err
