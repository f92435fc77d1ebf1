"""A line in the place of agents that wait long for their model: edited, moved down, deleted; never left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.ports import Written
from engine.queries import ModelCallView
from tests.bot.features.conftest import Stage, Task
from tests.bot.features.test_card_keeper import drive


def lines(room: Any) -> list[str]:
    """What the bot itself says in a room."""
    return [m.content for m in room.history() if m.content.startswith("-# ✍️")]


def writes(stage: Stage, task: Task, began: float, count: int) -> None:
    """The boss's model has written `count` lines since `began`."""
    written = Written(count * 9, 1.0, "write_file", "main.py", count, "**x** <@1>")
    call = ModelCallView(task.id, task.boss, began, stage.clock, sent=True, written=written)
    stage.engine.world.model_calls[task.boss] = call


async def pass_time(stage: Stage, task: Task, seconds: Sequence[int]) -> list[list[str]]:
    """The listener ticks each second; one line is written each second -> what stands there after each."""
    seen = []
    began = stage.clock
    for second in seconds:
        writes(stage, task, began, second)
        await drive(stage, stage.shown.working.tick())
        seen.append(lines(task.room))
        stage.clock += 1
    return seen


async def test_nobody_waits_20_seconds_without_a_line_that_moves(stage: Stage) -> None:
    """It comes within 15 seconds, changes within 20, says how much, and pings nobody; another task's place
    stays as it is. When the model has answered it goes."""
    task, bystander = await stage.start(), await stage.start()
    stage.engine.world.usual_seconds = 42.0
    seen = await pass_time(stage, task, range(60))
    assert not seen[9] and len(seen[15]) == 1
    for second in range(15, 40):
        assert len(seen[second]) == 1 and seen[second] != seen[second + 20]
    (line,) = seen[-1]
    assert "writes main.py, " in line and "lines so far" in line and "a step takes about 42 s" in line
    assert "<@1>" not in line and not lines(bystander.room)
    stage.engine.world.model_calls.clear()
    stage.clock += 5
    await drive(stage, stage.shown.working.tick())
    assert not lines(task.room) and not await stage.records.facts("working-line:")


async def test_the_line_stays_below_what_is_said(stage: Stage) -> None:
    """Somebody writes: the next change of the line comes after it, and the old one goes."""
    task = await stage.start()
    await pass_time(stage, task, range(20))
    await stage.posted(task.room, task.boss, text="I begin.")
    began = stage.clock - 20
    for second in range(20, 42):
        writes(stage, task, began, second)
        await drive(stage, stage.shown.working.tick())
        stage.clock += 1
    said = [m.content for m in task.room.history()]
    assert said[-2] == "I begin." and said[-1].startswith("-# ✍️") and len(lines(task.room)) == 1


async def test_a_crash_leaves_no_line(stage: Stage) -> None:
    """The next start deletes what the last one left, also where people did so before, or closed the place."""
    task, other = await stage.start(), await stage.start()
    await pass_time(stage, task, range(20))
    stage.clock -= 20
    await pass_time(stage, other, range(20))
    assert len(lines(task.room)) == len(lines(other.room)) == 1
    stage.engine.world.model_calls.clear()
    await stage.restart()
    gone = stage.env.bot.get_channel(other.room.id)
    await drive(stage, gone.delete())
    stage.clock += 5
    await drive(stage, stage.shown.working.tick())
    assert not lines(task.room) and not await stage.records.facts("working-line:")
