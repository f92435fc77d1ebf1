"""Reactions as verbs: the same actions and rights as commands; what comes of them is for the person alone."""

from __future__ import annotations

from engine.commands import AnswerGate, PauseAgent
from tests.bot.features.conftest import Stage
from tests.bot.features.test_replies import crew


async def test_a_pause_by_reaction_needs_the_right_to_steer(stage: Stage) -> None:
    """Whoever may not steer changes nothing, and the channel is not told."""
    task, ada, _ = await crew(stage)
    words = await stage.posted(task.room, ada)
    before = len(task.room.history())
    await stage.stranger.react(words, "⏸️")
    assert not [c for c in stage.engine.commands if isinstance(c, PauseAgent)]
    await stage.boss.react(words, "⏸️")
    paused = [c for c in stage.engine.commands if isinstance(c, PauseAgent)]
    assert [(c.agent_id, c.by) for c in paused] == [(ada, f"discord:{stage.boss.id}")]
    assert len(task.room.history()) == before


async def test_a_tick_decides_only_on_the_question_itself(stage: Stage) -> None:
    """On an agent's words it is applause; on the question it approves, for whoever may."""
    task, ada, _ = await crew(stage)
    words = await stage.posted(task.room, ada)
    gate = stage.engine.raise_gate(task.boss, "This plan?", kind="plan")
    asked = await stage.posted(task.room, task.boss, gate_id=gate)
    await stage.boss.react(words, "✅")
    await stage.stranger.react(asked, "✅")
    assert not [c for c in stage.engine.commands if isinstance(c, AnswerGate)]
    await stage.boss.react(asked, "✅")
    given = [c for c in stage.engine.commands if isinstance(c, AnswerGate)]
    assert [(c.gate_id, c.choice_id) for c in given] == [(gate, "approve")]
