"""What the engine says appears on Discord as it should, over real HTTP with limits on."""

from __future__ import annotations

from tests.bot.outbox.conftest import Stage


async def test_personas_speak_in_their_groups_channel(stage: Stage) -> None:
    """A group gets its channel with the first words, each agent its own name and face."""
    task_id = await stage.task()
    boss = stage.boss(task_id)
    (ada,) = stage.engine.recruit(boss, "Ada")
    stage.engine.speak(boss, "Let us begin.")
    stage.engine.speak(ada, "I am on it.")
    await stage.drain()

    messages = stage.said("root")
    shown = [(m["author"]["username"], m["content"]) for m in messages if m.get("webhook_id")]
    assert [text for _, text in shown] == ["Let us begin.", "I am on it."]
    assert shown[0][0].startswith("Boss") and shown[1][0].startswith("Ada")
    assert all(m["author"]["avatar"] for m in messages if m.get("webhook_id"))
