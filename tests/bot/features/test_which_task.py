"""Which task a command without a number means, in the channel where tasks were started."""

from __future__ import annotations

import pytest

from engine.commands import StopTask
from tests.bot.features.conftest import Stage


@pytest.mark.parametrize("name", ["status", "stop", "export"])
async def test_of_two_tasks_started_here_it_is_asked_which(stage: Stage, name: str) -> None:
    """Both are named with what they are about; nothing is done to either."""
    boat, fence = await stage.start("Build a boat"), await stage.start("Paint a fence")
    asked = await stage.boss.slash(stage.lobby, f"task {name}")
    text = asked.response.content
    assert "Several tasks were started" in text
    assert f"`task:{boat.id}` Build a boat" in text and f"`task:{fence.id}` Paint a fence" in text
    assert not [c for c in stage.engine.commands if isinstance(c, StopTask)]


async def test_one_task_that_goes_on_here_is_the_one_that_is_meant(stage: Stage) -> None:
    """The other has ended."""
    first = await stage.start("Build a boat")
    second = await stage.start("Paint a fence")
    stage.engine.end(first.id)
    shown = await stage.boss.slash(stage.lobby, "task status")
    assert f"Task #{second.id}" in str(shown.response.components)
