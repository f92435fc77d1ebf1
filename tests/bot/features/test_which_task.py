"""Which task a command without a number means, in the channel where tasks were started."""

from __future__ import annotations

import pytest

from engine.commands import StartTask, StopTask
from tests.bot.features.conftest import Stage
from tests.bot.features.test_card_keeper import drive


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


async def test_a_task_that_goes_on_is_found_however_many_have_ended_since(stage: Stage) -> None:
    """By its agents' names, as the only one that goes on, and where tasks are chosen."""
    old = await stage.start("Build a boat")
    for number in range(60):
        by, space = f"discord:{stage.boss.id}", f"guild:{stage.guild.id}"
        stage.engine.end(await stage.engine.handle(StartTask(f"Job {number}", by, space)))
    elsewhere = stage.guild.create_text_channel("elsewhere")
    said = await stage.boss.slash(elsewhere, "agent say", agent="Boss", text="Hurry")
    assert "has received your message" in said.response.content
    shown = await stage.boss.slash(elsewhere, "task status")
    assert f"Task #{old.id}" in str(shown.response.components)
    offered = await stage.boss.autocomplete(elsewhere, "task status", "task", "")
    assert offered[0]["value"] == str(old.id)
    found = await stage.boss.autocomplete(elsewhere, "task status", "task", "job 3")
    assert any(c["name"].endswith("Job 3") for c in found)


async def test_who_can_see_no_task_is_not_told_that_there_is_none(stage: Stage) -> None:
    """The server has some, only not for this person."""
    await stage.start()
    channel = stage.env.bot.get_channel(stage.env.bot.guilds[0].text_channels[-1].id)
    await drive(stage, channel.set_permissions(channel.guild.default_role, view_channel=False))
    await stage.env.settle()
    shown = await stage.stranger.slash(stage.lobby, "task list")
    assert shown.response.content == "There are no tasks here that you can see. Start one with `/task new`."
