"""Every button and window, also on a bot that was started after it was posted."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from bot.features.gates.buttons import gate_view
from engine.commands import AnswerGate, Limits, PauseTask, RaiseCap, ResumeTask, StopTask
from tests.bot.features.conftest import Stage, Task

CAP_LABELS = ["Raise by 50%", "Wrap up", "Stop the task"]


def card(stage: Stage) -> Any:
    """The newest card in the lobby."""
    return next(m for m in stage.lobby.history()[::-1] if m.flags.components_v2)


async def post_gate(stage: Stage, task: Task, gate_id: int) -> Any:
    """A gate's message as the outbox posts it."""
    with stage.env._bot_scope():
        channel = stage.env.bot.get_channel(task.room.id)
        await channel.send("Which wood?", view=gate_view(await stage.engine.look.gate(gate_id)))
    await stage.env.settle()
    return task.room.last_message


@pytest.fixture(params=[False, True], ids=["same bot", "after a restart"])
def restarts(request: pytest.FixtureRequest) -> bool:
    """Whether the bot is another one by the time of the press."""
    return bool(request.param)


async def test_card_pauses_and_resumes(stage: Stage, restarts: bool) -> None:
    """Pause and Resume change places on the card at once."""
    await stage.start()
    if restarts:
        await stage.restart()
    result = await stage.boss.click(card(stage), label="Pause")
    assert stage.engine.kinds()[-1] is PauseTask and result.ephemeral
    await stage.boss.click(card(stage), label="Resume")
    assert stage.engine.kinds()[-1] is ResumeTask


async def test_card_stops_after_a_yes(stage: Stage, restarts: bool) -> None:
    """The card's Stop asks first; both messages may be older than the bot."""
    await stage.start()
    asked = await stage.boss.click(card(stage), label="Stop")
    if restarts:
        await stage.restart()
    await stage.boss.click(asked.response, label="Yes, stop it")
    assert isinstance(stage.engine.commands[-1], StopTask)
    assert "stopped" in str(card(stage).components[0].to_dict())


async def test_card_raises_the_cap(stage: Stage, restarts: bool) -> None:
    """The window works even when the bot restarted while it was open."""
    await stage.start()
    shown = await stage.boss.click(card(stage), label="Caps")
    if restarts:
        await stage.restart()
    await stage.boss.submit_modal(shown, {"dollars": "20", "agents": "", "minutes": ""})
    command = stage.engine.commands[-1]
    assert isinstance(command, RaiseCap) and command.limits.cost_micros == 20_000_000


async def test_an_answer_is_told_where_its_question_cannot_be_changed(stage: Stage) -> None:
    """It counts, and whoever pressed is not told that it failed."""
    task = await stage.start()
    gate_id = stage.engine.raise_gate(task.boss, "Which wood?", ("oak", "ash"))
    message = await post_gate(stage, task, gate_id)
    stage.env.inject_error("PATCH", "/webhooks/*/*/messages/*", status=400, code=50083)
    result = await stage.boss.click(message, label="oak")
    assert isinstance(stage.engine.commands[-1], AnswerGate)
    (told,) = result.followups
    assert "oak" in told.content and told.flags.ephemeral


@pytest.mark.parametrize("custom_id", ["task:celebrate:1", "gate:", "something else"])
async def test_a_button_of_another_version_is_answered(stage: Stage, custom_id: str) -> None:
    """An update may take a button away whose message stays: Discord alone would say that it failed."""
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Old", custom_id=custom_id))
    with stage.env._bot_scope():
        await stage.env.bot.get_channel(stage.lobby.id).send("from before", view=view)
    view.stop()
    await stage.env.settle()
    result = await stage.boss.click(stage.lobby.last_message, custom_id=custom_id)
    assert result.ephemeral and "another version" in result.response.content


@pytest.mark.parametrize("custom_id", ["poem:1", "say:", "say:x"])
async def test_a_window_of_another_version_gives_its_words_back(stage: Stage, custom_id: str) -> None:
    """What was typed in it is not lost."""
    box = {"type": 18, "id": 1, "component": {"type": 4, "id": 2, "custom_id": "text", "value": "long words"}}
    data = {"custom_id": custom_id, "components": [box]}
    result = await stage.boss._dispatch_interaction(5, stage.lobby, data)
    assert result.ephemeral and "another version" in result.response.content
    assert len(result.response.attachments) == 1


async def test_card_follows_draws_and_lists_files(stage: Stage, restarts: bool) -> None:
    """Follow turns through its settings; pictures and files come to the one who pressed."""
    task = await stage.start()
    (ada,) = stage.engine.recruit(task.boss, "Ada")
    stage.engine.step(ada, "Hm.")
    stage.engine.write(ada, "notes.md", b"# Notes")
    if restarts:
        await stage.restart()
    await stage.boss.click(card(stage), label="Follow")
    assert await stage.records.follow_mode(task.id, stage.boss.id) == "answers"
    picture = await stage.boss.click(card(stage), label="Who's who")
    assert (await picture.response.attachments[0].read()).startswith(b"\x89PNG") and picture.ephemeral
    timeline = await stage.boss.click(card(stage), label="Timeline")
    assert (await timeline.response.attachments[0].read()).startswith(b"\x89PNG")
    files = await stage.boss.click(card(stage), label="Files")
    assert "1 file," in files.response.content


async def test_timeline_before_the_first_step(stage: Stage) -> None:
    """Nothing to draw is said, not drawn."""
    await stage.start()
    result = await stage.boss.click(card(stage), label="Timeline")
    assert "nothing to draw" in result.response.content


async def test_a_gate_is_answered_by_option_once(stage: Stage, restarts: bool) -> None:
    """The first answer counts and takes the buttons off; nothing is left to press twice."""
    task = await stage.start()
    gate_id = stage.engine.raise_gate(task.boss, "Which wood?", ("Oak", "Ash"))
    message = await post_gate(stage, task, gate_id)
    if restarts:
        await stage.restart()
    result = await stage.boss.click(message, label="Ash")
    assert stage.engine.ordered == AnswerGate(gate_id, f"discord:{stage.boss.id}", "o2")
    assert result.acknowledged
    assert task.room.last_message.components == []
    assert f"<@{stage.boss.id}> answered: Ash" in task.room.last_message.content


async def test_the_second_of_two_answers_is_told(stage: Stage) -> None:
    """Somebody else was first: the words say so and the buttons show the answer."""
    task = await stage.start()
    gate_id = stage.engine.raise_gate(task.boss, "Which wood?", ("Oak", "Ash"))
    message = await post_gate(stage, task, gate_id)
    await stage.engine.handle(AnswerGate(gate_id, "discord:1", "o1"))
    result = await stage.boss.click(message, label="Ash")
    assert "already answered" in result.followups[-1].content
    assert task.room.last_message.components == []
    assert "answered: Oak" in task.room.last_message.content


async def test_an_answered_gate_opens_no_window(stage: Stage) -> None:
    """Nobody types an answer for nothing."""
    task = await stage.start()
    gate_id = stage.engine.raise_gate(task.boss, "Which wood?", ("Oak",))
    message = await post_gate(stage, task, gate_id)
    await stage.engine.handle(AnswerGate(gate_id, "discord:1", "o1"))
    result = await stage.boss.click(message, label="Write an answer")
    assert result.modal is None and "already answered" in result.response.content


async def test_an_answered_plan_opens_no_window_for_caps(stage: Stage) -> None:
    """Somebody else was first: no caps are typed for nothing."""
    task = await stage.start()
    gate_id = stage.engine.raise_gate(task.boss, "Five groups", kind="plan")
    message = await post_gate(stage, task, gate_id)
    await stage.engine.handle(AnswerGate(gate_id, "discord:1", "approve"))
    result = await stage.boss.click(message, label="Approve with lower caps")
    assert result.modal is None and "already answered" in result.response.content


async def test_a_gate_is_answered_in_words(stage: Stage, restarts: bool) -> None:
    """Free text through a window, which may outlive the bot."""
    task = await stage.start()
    gate_id = stage.engine.raise_gate(task.boss, "Which wood?", ("Oak", "Ash"))
    message = await post_gate(stage, task, gate_id)
    shown = await stage.boss.click(message, label="Write an answer")
    assert "Which wood?" in str(shown.modal), "the window hides the message"
    if restarts:
        await stage.restart()
    await stage.boss.submit_modal(shown, {"text": "Larch @everyone"})
    assert stage.engine.ordered == AnswerGate(gate_id, f"discord:{stage.boss.id}", text="Larch @everyone")
    settled = task.room.last_message
    assert settled.components == [] and "answered: Larch" in settled.content


async def test_a_plan_can_be_approved_changed_capped_or_cancelled(stage: Stage) -> None:
    """A plan's buttons: its options, a change in words, its caps."""
    task = await stage.start()
    gate_id = stage.engine.raise_gate(task.boss, "Five groups", kind="plan")
    message = await post_gate(stage, task, gate_id)
    labels = [b.label for row in message.components for b in row.children]
    assert labels == ["Approve", "Cancel the task", "Request changes", "Approve with lower caps"]
    shown = await stage.boss.click(message, label="Request changes")
    assert shown.modal["title"] == "Change the plan"
    await stage.boss.submit_modal(shown, {"text": "Only three groups"})
    assert stage.engine.ordered == AnswerGate(gate_id, f"discord:{stage.boss.id}", text="Only three groups")


async def test_a_plan_is_approved_within_caps(stage: Stage, restarts: bool) -> None:
    """The caps travel beside the choice, as numbers; the message says that it is settled."""
    task = await stage.start()
    gate_id = stage.engine.raise_gate(task.boss, "Five groups", kind="plan")
    message = await post_gate(stage, task, gate_id)
    shown = await stage.boss.click(message, label="Approve with lower caps")
    if restarts:
        await stage.restart()
    await stage.boss.submit_modal(shown, {"dollars": "2.5", "agents": "12", "minutes": "30"})
    caps = Limits(agents=12, cost_micros=2_500_000, minutes=30)
    by = f"discord:{stage.boss.id}"
    assert stage.engine.ordered == AnswerGate(gate_id, by, "approve", limits=caps)
    settled = task.room.last_message
    assert settled.components == [] and "answered: Approve within 12 agents, $2.50" in settled.content


async def test_an_approval_raises_no_cap(stage: Stage) -> None:
    """Higher caps than the task's answer nothing and name the way; lower ones approve."""
    await stage.boss.slash(stage.lobby, "setup", approve=stage.role)
    task = await stage.start()
    gate_id = stage.engine.raise_gate(task.boss, "Five groups", kind="plan")
    message = await post_gate(stage, task, gate_id)
    for agents, closed in (("9999", False), ("5", True)):
        shown = await stage.crew.click(message, label="Approve with lower caps")
        result = await stage.crew.submit_modal(shown, {"dollars": "", "agents": agents, "minutes": ""})
        assert closed or "/task cap" in result.followups[-1].content
        assert any(isinstance(c, AnswerGate) for c in stage.engine.commands) is closed


async def test_a_reached_cap_is_raised_only_by_who_may_spend(stage: Stage) -> None:
    """Its question offers no words for an amount; who may only approve can wrap up, not raise."""
    await stage.boss.slash(stage.lobby, "setup", approve=stage.role)
    task = await stage.start()
    gate_id = stage.engine.raise_gate(task.boss, "The cap on cost is reached.", kind="cap")
    message = await post_gate(stage, task, gate_id)
    assert [b.label for row in message.components for b in row.children] == CAP_LABELS
    refused = await stage.crew.click(message, label="Raise by 50%")
    assert "not allowed to raise caps" in refused.followups[-1].content
    assert not any(isinstance(c, AnswerGate) for c in stage.engine.commands)
    await stage.crew.click(message, label="Wrap up")
    assert stage.engine.ordered == AnswerGate(gate_id, f"discord:{stage.crew.id}", "wrap_up")


async def test_a_button_that_breaks_says_so(stage: Stage) -> None:
    """What nobody foresaw becomes an incident number for the operator, not a dead button."""
    await stage.start()
    stage.engine.fail = OSError(5, "disk on fire")
    result = await stage.boss.click(card(stage), label="Pause")
    assert result.ephemeral and "incident" in result.response.content
    await stage.boss.click(card(stage), label="Pause")
    assert stage.engine.kinds()[-1] is PauseTask


async def test_buttons_check_who_presses(stage: Stage) -> None:
    """A stranger can press nothing that changes anything, and is told whom to ask."""
    task = await stage.start()
    gate_id = stage.engine.raise_gate(task.boss, "Which wood?", ("Oak",))
    message = await post_gate(stage, task, gate_id)
    before = len(stage.engine.commands)
    for label in ("Pause", "Stop", "Caps"):
        result = await stage.stranger.click(card(stage), label=label)
        assert result.ephemeral and "You are not allowed" in result.response.content
    for label in ("Oak", "Write an answer"):
        result = await stage.stranger.click(message, label=label)
        told = [*result.followups, result.response]
        assert any("You are not allowed to answer" in said.content for said in told if said is not None)
    assert len(stage.engine.commands) == before
    assert not task.room.last_message.components[0].children[0].disabled
