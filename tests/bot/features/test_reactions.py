"""Reactions as verbs: the same actions and rights as commands; what comes of them is for the person alone."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from bot import texts
from bot.discord.limits import FILE_BYTES
from bot.features.reactions.cog import attached
from engine.commands import AnswerGate, ContinueTask, PauseAgent, ResumeAgent
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


def told(stage: Stage, person: Any) -> list[Any]:
    """What the bot wrote to somebody alone, oldest first."""
    world = stage.env.backend
    return sorted(world.messages[world.get_dm_channel(person.id).id].values(), key=lambda message: message.id)


async def test_a_question_mark_tells_why_and_attaches_the_whole(stage: Stage) -> None:
    """To whoever may view the task, in a direct message; what takes more than one message is a file."""
    task, ada, _ = await crew(stage)
    stage.engine.step(ada, "Oak it is.", ("read_file", '{"path": "a"}', "x" * 5_000))
    words = await stage.posted(task.room, ada)
    before = len(task.room.history())
    await stage.boss.react(words, "❓")
    (said,) = told(stage, stage.boss)
    assert "Why Ada said that" in said.content and "full text is attached" in said.content
    whole = stage.env.backend.cdn.get(said.attachments[0]["url"]).decode()
    assert whole.count("x") >= 5_000 and "Oak it is." in whole
    assert len(task.room.history()) == before


def test_what_no_file_can_hold_is_cut_between_pages_and_said() -> None:
    """A digest may hold the words of hundreds of agents; Discord takes files of 10 MiB."""
    page = f"### Why {'ä' * 2_000}\n" * 100
    told_ = attached([page] * 60)
    assert len(told_.whole) <= FILE_BYTES and len(told_.whole) + len(page.encode()) + 2 > FILE_BYTES
    number = told_.whole.decode().count("\n\n")
    assert 0 < number < 60 and f"{number} of 60 pages" in told_.message(told_.note)
    assert len(told_.message(told_.note)) <= 2000
    few = attached(["one", "two"])
    assert few.message(few.note) == f"one\n{texts.WHY_WHOLE}" and few.whole == b"one\n\ntwo\n\n"


async def test_words_of_several_agents_are_all_explained_and_nobody_is_paused(stage: Stage) -> None:
    """Which of them is meant nobody can tell: the question mark shows each, a pause asks for a name."""
    task, ada, byron = await crew(stage)
    for agent, said in ((ada, "Oak it is."), (byron, "Ash it is.")):
        stage.engine.step(agent, said)
    words = await stage.posted(task.room, ada, byron)
    await stage.boss.react(words, "❓")
    (said_,) = told(stage, stage.boss)
    whole = stage.env.backend.cdn.get(said_.attachments[0]["url"]).decode()
    assert "Oak it is." in whole and "Ash it is." in whole
    await stage.boss.react(words, "⏸️")
    assert "several agents (Ada, Ada Byron)" in told(stage, stage.boss)[-1].content
    assert not [c for c in stage.engine.commands if isinstance(c, PauseAgent)]


async def test_whoever_takes_no_direct_messages_cannot_make_the_bot_fill_a_channel(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reaction taken off and put on again finds the same note standing; later it is said again."""
    task, ada, _ = await crew(stage)
    words = await stage.posted(task.room, ada)

    async def closed(*_: object, **__: object) -> None:
        raise discord.RateLimited(3600)

    monkeypatch.setattr(discord.Member, "send", closed, raising=False)
    sent: list[str] = []
    original = discord.abc.Messageable.send

    async def counted(place: Any, content: str | None = None, **options: Any) -> Any:
        sent.append(content or "")
        return await original(place, content, **options)

    monkeypatch.setattr(discord.abc.Messageable, "send", counted)
    for _ in range(5):
        await stage.stranger.react(words, "⏸️")
        await stage.stranger.unreact(words, "⏸️")
    assert len([text for text in sent if "not allowed to steer" in text]) == 1
    stage.clock += 30
    await stage.stranger.react(words, "⏸️")
    assert len([text for text in sent if "not allowed to steer" in text]) == 2


async def test_an_arrow_resumes_what_is_paused_and_offers_to_continue(stage: Stage) -> None:
    """A paused agent by whoever may steer; a task that has ended is offered with its caps, and not begun."""
    task, ada, _ = await crew(stage)
    words = await stage.posted(task.room, ada)
    await stage.boss.react(words, "🔁")
    assert "is not paused" in told(stage, stage.boss)[-1].content
    await stage.boss.react(words, "⏸️")
    await stage.stranger.react(words, "🔁")
    assert not [c for c in stage.engine.commands if isinstance(c, ResumeAgent)]
    assert "not allowed to steer" in told(stage, stage.stranger)[-1].content
    await stage.boss.unreact(words, "🔁")
    await stage.boss.react(words, "🔁")
    assert [c.agent_id for c in stage.engine.commands if isinstance(c, ResumeAgent)] == [ada]
    stage.engine.end(task.id)
    await stage.boss.unreact(words, "🔁")
    await stage.boss.react(words, "🔁")
    assert "/task continue task:" in told(stage, stage.boss)[-1].content
    assert not [c for c in stage.engine.commands if isinstance(c, ContinueTask)]
