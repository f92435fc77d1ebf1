"""The first steps: the welcome and its buttons, plain words offered as a task, what the window says."""

from __future__ import annotations

from typing import Any

import pytest

from bot.features.welcome import texts
from engine.commands import StartDemonstration, StartTask
from tests.bot.features.conftest import Stage


def mention(stage: Stage) -> str:
    """The bot's mention."""
    return f"<@{stage.env.bot.user.id}>"


async def greeted(stage: Stage, words: str, person: Any = None) -> Any:
    """Mention the bot in the lobby and return its answer."""
    await (person or stage.boss).send(stage.lobby, f"{mention(stage)} {words}".strip())
    return stage.lobby.last_message


async def test_a_greeting_is_answered_with_the_welcome_and_its_buttons(stage: Stage) -> None:
    """Nothing but a mention: what this is, the demonstration, three examples, `/setup` for managers."""
    welcome = await greeted(stage, "")
    assert "a team of agents works on it" in welcome.content and "/setup" in welcome.content
    started = await stage.boss.click(welcome, label=texts.DEMO)
    assert "Task #" in started.response.content
    assert isinstance(stage.engine.commands[-1], StartDemonstration)
    assert len(texts.EXAMPLES) == 3


async def test_an_example_opens_the_window_with_its_goal(stage: Stage) -> None:
    """It can be changed there; the window says what the task may use, and takes files."""
    welcome = await greeted(stage, "")
    example = texts.EXAMPLES["trip"]
    opened = await stage.boss.click(welcome, label=example.label)
    shown = str(opened.modal)
    assert example.goal in shown and "at most 60 agents, $5.00" in shown
    goal = f"{example.goal} Avoid stairs."
    await stage.boss.submit_modal(opened, {"goal": goal, "files": [("map.md", b"# map")]})
    command = stage.engine.commands[-1]
    assert isinstance(command, StartTask) and command.goal == goal
    assert command.files == {"attachments/map.md": b"# map"}


async def test_plain_words_are_started_exactly_as_written(stage: Stage) -> None:
    """The offer keeps them; pressed once it starts them, pressed again it says that they were started."""
    words = "Write a haiku about *rust* & `iron`,\nplease: @everyone"
    offered = await greeted(stage, words)
    assert "Start a task with this goal?" in offered.content and not stage.engine.commands
    await stage.boss.click(offered, label=texts.START)
    command = stage.engine.commands[-1]
    assert isinstance(command, StartTask) and command.goal == words
    again = await stage.boss.click(offered, label=texts.START)
    assert "already started" in again.response.content
    assert len(stage.engine.commands) == 1


async def test_the_right_is_checked_when_the_offer_is_pressed(stage: Stage) -> None:
    """Anybody may write; only who may start tasks starts one, and a refusal keeps the words."""
    offered = await greeted(stage, "Draw a ship.", stage.crew)
    refused = await stage.crew.click(offered, label=texts.START)
    assert "not allowed to start" in refused.response.content and not stage.engine.commands
    refused = await stage.crew.click(await greeted(stage, "", stage.crew), label=texts.DEMO)
    assert "not allowed to start" in refused.response.content and not stage.engine.commands
    await stage.boss.click(offered, label=texts.START)
    assert stage.engine.commands[-1].goal == "Draw a ship."


async def test_an_offer_whose_task_began_is_used_up_whatever_fails_after(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that cannot be shown is no reason to start the same words twice."""
    offered = await greeted(stage, "Draw a ship.")

    async def broken(*_: object) -> bool:
        raise RuntimeError("the card's row cannot be read")

    monkeypatch.setattr(stage.shown.cards, "opened", broken)
    await stage.boss.click(offered, label=texts.START)
    again = await stage.boss.click(offered, label=texts.START)
    assert "already started" in again.response.content
    assert len(stage.engine.commands) == 1
