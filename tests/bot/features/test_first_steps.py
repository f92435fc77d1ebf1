"""Start, card, status, stop, replies."""

from __future__ import annotations

from engine.commands import SayToAgent, StartTask, StopTask
from tests.bot.features.conftest import Stage


async def test_new_starts_a_task_and_shows_its_card(stage: Stage) -> None:
    """`/task new` starts a task, answers only the person, and posts the card where it was typed."""
    result = await stage.boss.slash(stage.lobby, "task new", goal="Build a boat")
    assert result.ephemeral and "Task #1 has started" in result.response.content
    command = stage.engine.commands[-1]
    assert isinstance(command, StartTask) and command.goal == "Build a boat"
    card = stage.lobby.last_message
    assert card.flags.components_v2


async def test_stop_asks_first(stage: Stage) -> None:
    """`/task stop` stops only after Yes."""
    task = await stage.start()
    asked = await stage.boss.slash(stage.lobby, "task stop", task=str(task.id))
    assert not any(isinstance(c, StopTask) for c in stage.engine.commands)
    done = await stage.boss.click(asked.response, label="Yes, stop it")
    assert isinstance(stage.engine.commands[-1], StopTask)
    assert "stopped" in done.response.content


async def test_plain_message_goes_to_the_head(stage: Stage) -> None:
    """A message in a group's channel reaches its head and is marked as delivered."""
    task = await stage.start()
    message = await stage.boss.send(task.room, "How is it going?")
    command = stage.engine.commands[-1]
    assert isinstance(command, SayToAgent) and command.agent_id == task.boss
    assert command.ref == f"{task.room.id}:{message.id}"
    assert [str(r.emoji) for r in task.room.last_message.reactions] == ["📨"]
