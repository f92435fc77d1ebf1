"""People's plain messages: to whom they go, who is heard, edits, deletions, what was missed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import discord
import pytest
from simcord.backend.serializers import message_payload
from sqlalchemy import select

from bot.features.gates.buttons import gate_view
from bot.features.replies.addressing import replied_words
from bot.features.replies.cog import has_outcome
from bot.features.replies.proxies import PLURALKIT
from bot.outbox.ledger import Delivery, MessageLocation
from bot.outbox.post import OutgoingMessage
from bot.places.records import MadePlace, PlaceRecords
from bot.storage import tables
from engine.commands import (
    AnswerGate,
    ContinueTask,
    EditMessage,
    Limits,
    SayToAgent,
    WithdrawMessage,
)
from engine.domain.gates import GateKind
from engine.errors import Invalid
from tests.bot.features.conftest import Stage, Task
from tests.bot.features.test_card_keeper import drive


def said(stage: Stage) -> list[SayToAgent]:
    """What reached agents."""
    return [c for c in stage.engine.commands if isinstance(c, SayToAgent)]


def marks(message: discord.Message) -> list[str]:
    """Reactions on a message."""
    return [str(reaction.emoji) for reaction in message.reactions]


def found(room: Any, message: discord.Message) -> Any:
    """The message as it stands now."""
    return next(m for m in room.history() if m.id == message.id)


async def crew(stage: Stage) -> tuple[Task, int, int]:
    """A task with Ada and Ada Byron."""
    task = await stage.start()
    ada, byron = stage.engine.recruit(task.boss, "Ada", "Ada Byron")
    return task, ada, byron


async def test_a_reply_to_a_persona_reaches_that_agent(stage: Stage) -> None:
    """Whoever's channel it is, the agent replied to gets it, and the ledger knows who asked."""
    task, ada, _ = await crew(stage)
    words = await stage.posted(task.room, ada)
    message = await stage.boss.send(task.room, "Why oak?", reply_to=words)
    assert (said(stage)[-1].agent_id, said(stage)[-1].text) == (ada, "Why oak?")
    assert said(stage)[-1].by_name == f"{stage.boss.name} (started the task)"
    assert said(stage)[-1].quoted == words.content != ""
    assert marks(found(task.room, message)) == ["📨"]


@pytest.mark.parametrize(
    ("text", "who", "words"),
    [
        ("@Ada hurry", "ada", "hurry"),
        ("ada, hurry", "ada", "hurry"),
        ("Ada Byron: hurry", "byron", "hurry"),
        ("@Ada Byron hurry", "byron", "hurry"),
        ("Ada hurries too much", "boss", "Ada hurries too much"),
        ("Adam, hurry", "boss", "Adam, hurry"),
    ],
)
async def test_a_name_at_the_start_says_to_whom(stage: Stage, text: str, who: str, words: str) -> None:
    """A mention or a name with a comma or colon addresses; a name within a sentence does not."""
    task, ada, byron = await crew(stage)
    await stage.boss.send(task.room, text)
    assert said(stage)[-1].agent_id == {"ada": ada, "byron": byron, "boss": task.boss}[who]
    assert said(stage)[-1].text == words


async def test_a_thread_belongs_to_its_group(stage: Stage) -> None:
    """A message in a group's thread goes to that group's head."""
    _, ada, _ = await crew(stage)
    stage.engine.recruit(ada, "Finn")
    group_id = stage.engine.world.agents[ada].leads_group_id
    assert group_id is not None
    room = stage.guild.create_text_channel("adas-room")
    await stage.meets(group_id, room)
    await stage.boss.send(room, "What next?")
    assert said(stage)[-1].agent_id == ada


async def test_a_reply_to_a_rollup_goes_to_the_one_it_names(stage: Stage) -> None:
    """A message may carry several agents' words: a name decides, else the first who speaks in it."""
    task, ada, byron = await crew(stage)
    words = await stage.posted(task.room, ada, byron)
    await stage.boss.send(task.room, "Ada Byron, why?", reply_to=words)
    await stage.boss.send(task.room, "Why?", reply_to=words)
    assert [c.agent_id for c in said(stage)] == [byron, ada]


async def test_attachments_arrive_with_the_message(stage: Stage) -> None:
    """Files of a message land in the workspace; words are not needed then."""
    task, _, _ = await crew(stage)
    await stage.boss.send(task.room, "", attachments=[("plan b.txt", b"oak")])
    assert said(stage)[-1].files == {"attachments/plan_b.txt": b"oak"}


async def test_other_peoples_messages_never_reach_an_agent(stage: Stage) -> None:
    """Refused with a mark and, once, in private; the owner's and the crew's words go through."""
    task, _, _ = await crew(stage)
    first = await stage.stranger.send(task.room, "Do my homework")
    second = await stage.stranger.send(task.room, "Please")
    assert not said(stage)
    assert marks(found(task.room, first)) == marks(found(task.room, second)) == ["⛔"]
    assert not [m for m in task.room.history() if m.author.bot], "the channel is not told"
    world = stage.env.backend
    (line,) = world.messages[world.get_dm_channel(stage.stranger.id).id].values()
    assert "may steer" in line.content and f"/{task.room.id}/{first.id}" in line.content
    await stage.boss.slash(stage.lobby, "setup", steer=stage.role)
    await stage.crew.send(task.room, "Hello")
    assert said(stage)[-1].by == f"discord:{stage.crew.id}"


async def test_who_takes_no_direct_messages_is_refused_below_the_words(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent line, once: nobody is left without a reason."""
    task, _, _ = await crew(stage)

    async def closed(*_: object, **__: object) -> None:
        raise discord.RateLimited(3600)

    monkeypatch.setattr(discord.Member, "send", closed, raising=False)
    await stage.stranger.send(task.room, "Do my homework")
    await stage.stranger.send(task.room, "Please")
    (line,) = [m for m in task.room.history() if m.author.bot]
    assert "may steer" in line.content and line.flags.suppress_notifications


async def test_messages_elsewhere_are_nobodys_business(stage: Stage) -> None:
    """No mark, no word in channels that are no group's."""
    await crew(stage)
    message = await stage.boss.send(stage.lobby, "Lunch?")
    assert not said(stage) and marks(found(stage.lobby, message)) == []


async def test_words_to_an_ended_task_are_kept_and_offered(stage: Stage) -> None:
    """One offer for all that is written, with its caps; whoever may continues it with one press, even after
    a restart; nothing is lost."""
    task, ada, _ = await crew(stage)
    stage.engine.end(task.id)
    message = await stage.boss.send(task.room, "One more thing")
    more = await stage.boss.send(task.room, "Ada, and another")
    (offered,) = [m for m in task.room.history() if "is kept" in m.content]
    assert marks(found(task.room, message)) == marks(found(task.room, more)) == ["🔁"]
    assert "Your message is kept" in offered.content and "$5.00" in offered.content
    assert [note.command.agent_id for note in stage.engine.world.notes] == [task.boss, ada]
    refused = await stage.crew.click(offered, label="Continue")
    assert "start" in refused.followups[-1].content and refused.followups[-1].flags.ephemeral
    await stage.restart()
    done = await stage.boss.click(offered, label="Continue")
    assert "continues. It may use at most $5.00" in done.followups[-1].content
    command = stage.engine.commands[-1]
    assert isinstance(command, ContinueTask) and command.limits.cost_micros == 5_000_000
    assert command.by_name == f"{stage.boss.name} (started the task)"
    assert stage.engine.world.tasks[task.id].state == "running"
    assert not found(task.room, offered).components, "the offer is used up"
    assert marks(found(task.room, await stage.boss.send(task.room, "Go"))) == ["📨"]


async def test_a_button_that_stays_is_no_failure(stage: Stage) -> None:
    """What was asked for is done: Discord not taking the buttons away is nobody's concern."""
    task, _, _ = await crew(stage)
    stage.engine.end(task.id)
    await stage.boss.send(task.room, "One more thing")
    (offered,) = [m for m in task.room.history() if "is kept" in m.content]
    stage.env.inject_error("PATCH", "/webhooks/*/*/messages/*", status=400, code=50083)
    done = await stage.boss.click(offered, label="Continue")
    assert stage.engine.world.tasks[task.id].state == "running"
    (told,) = done.followups
    assert "continues. It may use at most" in told.content


async def test_each_end_is_offered_to_continue(stage: Stage) -> None:
    """Also to who was offered the same before: a task that was continued ends again."""
    task, _, _ = await crew(stage)
    for ends in (1, 2):
        stage.engine.end(task.id)
        await stage.boss.send(task.room, "One more thing")
        offers = [m for m in task.room.history() if "is kept" in m.content]
        assert len(offers) == ends, "each end has its offer"
        await stage.boss.click(max(offers, key=lambda m: m.id), label="Continue")
    assert stage.engine.world.tasks[task.id].continued == 2


async def test_an_ended_demonstration_takes_no_words_and_offers_no_continuation(stage: Stage) -> None:
    """It cannot be continued: nothing is kept, no window opens, and every door says the same."""
    await stage.boss.slash(stage.lobby, "task demo")
    (shown,) = stage.engine.world.tasks.values()
    room = stage.guild.create_text_channel("demo")
    await stage.meets(shown.root_group_id, room)
    stage.engine.end(shown.id)
    message = await stage.boss.send(room, "One more thing")
    assert marks(found(room, message)) == ["⛔"] and not stage.engine.world.notes
    (said,) = [m.content for m in room.history() if "was a demonstration" in m.content]
    assert "/task new" in said and "continue" not in said.lower()
    for door in ("task continue", "task stop"):
        refused = await stage.boss.slash(stage.lobby, door, task=str(shown.id))
        assert refused.modal is None and "was a demonstration" in refused.response.content
    words = await stage.posted(room, shown.boss_id)
    await stage.boss.react(words, "🔁")
    world = stage.env.backend
    (line,) = world.messages[world.get_dm_channel(stage.boss.id).id].values()
    assert "was a demonstration" in line.content and "**Continue**" not in line.content


async def test_words_in_an_archived_place_are_answered_beside_the_card(stage: Stage) -> None:
    """Nothing can be said there: the line comes once, with a link back, and names the way on in words."""
    task, _, _ = await crew(stage)
    stage.engine.end(task.id)
    channel: Any = stage.env.bot.get_channel(task.room.id)
    await drive(stage, channel.set_permissions(channel.guild.me, send_messages=False))
    message = await stage.boss.send(task.room, "Repair the sail")
    await stage.boss.send(task.room, "And the mast")
    assert marks(found(task.room, message)) == ["🔁"]
    (line,) = [entry.post for entry in await stage.ledger.waiting() if "is kept" in entry.post.text]
    assert line.channel_id == stage.lobby.id and str(message.id) in line.text
    assert f"/task continue task:{task.id}" in line.text


async def test_a_window_continues_with_other_caps_and_words(stage: Stage) -> None:
    """The card's button opens it; caps above the usual ones need the right to spend; words are shown."""
    task, _, _ = await crew(stage)
    stage.engine.end(task.id)
    opened = await stage.boss.slash(task.room, "task continue")
    values = {"text": "Shorter, please.", "dollars": "2.50", "tokens": "90000", "minutes": "20"}
    sent = await stage.boss.submit_modal(opened, values)
    assert "$2.50, 90,000 tokens, 20 minutes" in sent.response.content
    command = stage.engine.commands[-1]
    assert isinstance(command, ContinueTask)
    assert command.limits == Limits(cost_micros=2_500_000, tokens=90_000, minutes=20)
    assert "Shorter, please." in "".join(m.content for m in task.room.history())
    assert stage.engine.world.notes[-1].command.text == "Shorter, please."


async def test_words_of_a_refused_continuation_come_back(stage: Stage) -> None:
    """A wrong number costs nobody the words written beside it."""
    task, _, _ = await crew(stage)
    stage.engine.end(task.id)
    opened = await stage.boss.slash(task.room, "task continue")
    values = {"text": "Shorter, please.", "dollars": "a few", "tokens": "90000", "minutes": "20"}
    sent = await stage.boss.submit_modal(opened, values)
    assert "A budget must be" in sent.response.content
    (kept,) = sent.response.attachments
    assert kept.filename == "continue.txt" and await kept.read() == b"Shorter, please."
    assert not stage.engine.world.notes


async def test_an_archived_task_that_may_not_go_on_stays_archived(stage: Stage) -> None:
    """A refusal of the engine closes its places again; once it goes on they are open."""
    task, _, _ = await crew(stage)
    stage.engine.end(task.id)
    await stage.boss.slash(task.room, "task archive")
    values = {"text": "", "dollars": "2.50", "tokens": "90000", "minutes": "20"}
    for refusal, archived in ((Invalid("Too many tasks.", "Wait."), [(task.id, False)]), (None, [])):
        stage.engine.fail = refusal
        opened = await stage.boss.slash(task.room, "task continue")
        sent = await stage.boss.submit_modal(opened, values)
        assert ("Too many tasks." in sent.response.content) == bool(refusal)
        assert stage.archive.closed == archived


async def test_edits_and_deletions_of_unread_messages_are_honoured(stage: Stage) -> None:
    """The agent reads the newest words, or none; the name in front is not part of them."""
    task, ada, _ = await crew(stage)
    message = await stage.boss.send(task.room, "Ada, use oak")
    await stage.boss.edit(message, "Ada, use ash")
    assert stage.engine.commands[-1] == EditMessage(f"{task.room.id}:{message.id}", "use ash")
    assert stage.engine.world.notes[-1].command.agent_id == ada
    await stage.boss.delete(message)
    assert stage.engine.commands[-1] == WithdrawMessage(f"{task.room.id}:{message.id}")
    assert not stage.engine.world.notes


async def test_an_edit_after_reading_is_said_to_be_too_late(stage: Stage) -> None:
    """Nobody believes an agent took a correction it never saw."""
    task, _, _ = await crew(stage)
    message = await stage.boss.send(task.room, "Use oak")
    stage.engine.read(f"{task.room.id}:{message.id}")
    await stage.boss.edit(message, "Use ash")
    assert "already read the message" in task.room.last_message.content


async def test_a_pin_of_a_message_edited_long_ago_changes_nothing(stage: Stage) -> None:
    """Discord tells of a pin as of an edit; a bot that does not remember the message is not fooled."""
    task, _, _ = await crew(stage)
    message = await stage.boss.send(task.room, "Use oak")
    await stage.boss.edit(message, "Use ash")
    stage.engine.read(f"{task.room.id}:{message.id}")
    await stage.env.advance_time(120)
    await stage.restart()
    stored = stage.env.backend.get_message(task.room.id, message.id)
    assert stored.edited_timestamp is not None
    stage.env.backend.emit("MESSAGE_UPDATE", message_payload(stage.env.backend, stored))
    await stage.env.settle()
    assert not any("already read the message" in m.content for m in task.room.history())
    assert stage.engine.world.notes[0].command.text == "Use ash"


async def test_what_was_missed_is_caught_up_with_once(stage: Stage) -> None:
    """Messages of the time the bot was away are delivered in order after it is back, none twice."""
    task, _, _ = await crew(stage)
    heard = await stage.boss.send(task.room, "Before")
    backend, room = stage.env.backend, task.room
    stage.env.bot.remove_listener(stage.env.bot.cogs["RepliesCog"].on_message, "on_message")
    missed = [await stage.boss.send(room, text) for text in ("While away 1", "While away 2")]
    assert backend is not None and len(said(stage)) == 1
    await stage.restart()
    await stage.env.settle()
    assert [c.text for c in said(stage)] == ["Before", "While away 1", "While away 2"]
    assert all(marks(found(room, m)) == ["📨"] for m in (heard, *missed))
    await stage.restart()
    await stage.env.settle()
    assert len(said(stage)) == 3


async def test_a_repeated_event_delivers_once(stage: Stage) -> None:
    """A resumed session may tell of a message again."""
    task, _, _ = await crew(stage)
    message = await stage.boss.send(task.room, "Once")
    stored = stage.env.backend.get_message(task.room.id, message.id)
    stage.env.backend.emit("MESSAGE_CREATE", message_payload(stage.env.backend, stored))
    await stage.env.settle()
    assert len(said(stage)) == 1


@pytest.mark.parametrize(
    ("emoji", "me", "outcome"),
    [("📨", True, True), ("⛔", True, True), ("📨", False, False), ("👍", True, False)],
)
async def test_only_the_bots_own_marks_are_outcomes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, emoji: str, me: bool, outcome: bool
) -> None:
    """After a crash the bot believes its own mark on a message, nobody else's (SimCord never says `me`)."""
    task, _, _ = await crew(stage)
    message = await stage.boss.send(task.room, "Once")
    payload: Any = {"emoji": {"id": None, "name": emoji}, "count": 1, "me": me, "burst_count": 0}
    monkeypatch.setattr(message, "reactions", [discord.Reaction(message=message, data=payload)])
    assert has_outcome(message) is outcome


async def test_a_foreign_servers_room_cannot_steer(stage: Stage) -> None:
    """Even a manager elsewhere is nobody to a task of this server."""
    task, _, _ = await crew(stage)
    view = stage.engine.world.tasks[task.id]
    stage.engine.world.tasks[task.id] = replace(view, space="guild:1")
    message = await stage.boss.send(task.room, "Hello")
    assert not said(stage) and marks(found(task.room, message)) == ["⛔"]


class TestWithoutReadingRights:
    """The same without the message-content intent."""

    @pytest.fixture
    def offstage(self, offstage: Stage) -> Stage:
        """A bot that may not read."""
        offstage.content = False
        return offstage

    async def test_it_says_how_to_talk_instead(self, stage: Stage) -> None:
        """A message it cannot read is refused with the menu and the command that work."""
        task, _, _ = await crew(stage)
        message = await stage.boss.send(task.room, "Hello?")
        assert not said(stage) and marks(found(task.room, message)) == ["⛔"]
        assert "Reply to agent" in task.room.last_message.content

    async def test_an_edit_it_cannot_read_is_said(self, stage: Stage) -> None:
        """The mention that let it read is gone: the agent keeps what it has, and the line says so."""
        task, _, _ = await crew(stage)
        message = await stage.boss.send(task.room, f"<@{stage.env.bot.user.id}> Use oak")
        assert [c.text for c in said(stage)] == ["Use oak"]
        await stage.boss.edit(message, "Use ash")
        assert marks(found(task.room, message))[-1] == "⛔"
        assert "Boss still has the message as it was before" in task.room.last_message.content
        assert "/agent say" in task.room.last_message.content
        assert [note.command.text for note in stage.engine.world.notes] == ["Use oak"]

    async def test_the_menu_reaches_the_agent(self, stage: Stage) -> None:
        """Right-click, Reply to agent, type: delivered."""
        task, ada, _ = await crew(stage)
        words = await stage.posted(task.room, ada)
        shown = await stage.boss.context_menu(task.room, "Reply to agent", words)
        await stage.boss.submit_modal(shown, {"text": "Use oak"})
        assert (said(stage)[-1].agent_id, said(stage)[-1].text) == (ada, "Use oak")


async def asked(stage: Stage, task: Task, kind: GateKind, *options: str) -> tuple[int, Any]:
    """A question of the boss's as the outbox posted it: its id and message."""
    gate_id = stage.engine.raise_gate(task.boss, "Which wood?", options, kind)
    with stage.env._bot_scope():
        channel = stage.env.bot.get_channel(task.room.id)
        await channel.send("Which wood?", view=gate_view(await stage.engine.look.gate(gate_id)))
    await stage.env.settle()
    message = task.room.last_message
    await stage.gate_posted(task.id, gate_id, message)
    return gate_id, message


async def test_a_reply_to_a_question_is_its_answer(stage: Stage) -> None:
    """Words in reply to an open question answer it, once; after that they go to the head."""
    task = await stage.start()
    gate_id, question = await asked(stage, task, "question", "Oak", "Ash")
    message = await stage.boss.send(task.room, "Larch, please", reply_to=question)
    assert stage.engine.ordered == AnswerGate(gate_id, f"discord:{stage.boss.id}", text="Larch, please")
    assert marks(found(task.room, message)) == ["📨"] and said(stage) == []
    await stage.boss.send(task.room, "And oil it", reply_to=question)
    assert [c.text for c in said(stage)] == ["And oil it"]


async def test_plain_words_to_the_agent_that_asked_are_its_answer(stage: Stage) -> None:
    """In its channel, while nothing else is asked there, by who may answer; later ones are words again."""
    task = await stage.start()
    gate_id, _ = await asked(stage, task, "question", "Oak", "Ash")
    message = await stage.boss.send(task.room, "Larch, please")
    assert stage.engine.ordered == AnswerGate(gate_id, f"discord:{stage.boss.id}", text="Larch, please")
    assert marks(found(task.room, message)) == ["📨"] and said(stage) == []
    await stage.boss.edit(message, "Ash, please")
    assert "already" in task.room.last_message.content
    await stage.boss.send(task.room, "And oil it")
    assert [c.text for c in said(stage)] == ["And oil it"]


async def test_plain_words_name_an_option(stage: Stage) -> None:
    """As with a reply; a standstill that the engine asks about is answered alike."""
    task = await stage.start()
    gate_id, _ = await asked(stage, task, "question", "Oak", "Ash")
    name = (await stage.engine.look.agent(task.boss)).name
    await stage.boss.send(task.room, f"{name}, ash")
    chosen = stage.engine.world.gates[gate_id].choices[1].id
    assert stage.engine.ordered == AnswerGate(gate_id, f"discord:{stage.boss.id}", chosen)
    still_id, _ = await asked(stage, task, "stall")
    await stage.boss.send(task.room, "Leave the doors out")
    assert stage.engine.ordered == AnswerGate(
        still_id, f"discord:{stage.boss.id}", text="Leave the doors out"
    )


async def test_words_that_no_question_takes_are_delivered_and_it_is_said_that_one_is_open(
    stage: Stage,
) -> None:
    """Two questions at once, one of somebody else, one whose words would refuse a call, a reply to another
    post: the agent gets the words, and their writer the way to answer."""
    task, ada, _ = await crew(stage)
    _, question = await asked(stage, task, "question")
    post = await stage.posted(task.room, task.boss)
    await stage.boss.send(task.room, "How is it going?", reply_to=post)
    assert [c.text for c in said(stage)] == ["How is it going?"]
    assert f"/{question.id}" in task.room.last_message.content
    await asked(stage, task, "question")
    await stage.boss.send(task.room, "Oak")
    assert "2 questions" in task.room.last_message.content
    await stage.boss.send(task.room, "Ada, hurry")
    assert [(c.agent_id, c.text) for c in said(stage)][1:] == [(task.boss, "Oak"), (ada, "hurry")]
    assert not any(isinstance(c, AnswerGate) for c in stage.engine.commands)


async def test_plain_words_refuse_no_call(stage: Stage) -> None:
    """They reach the agent; the question about a plan or a call is answered by its reply or its buttons."""
    task = await stage.start()
    _, question = await asked(stage, task, "plan")
    await stage.boss.send(task.room, "Looks good")
    assert [c.text for c in said(stage)] == ["Looks good"]
    assert f"/{question.id}" in task.room.last_message.content


async def test_plain_words_of_who_may_not_answer_are_words(stage: Stage) -> None:
    """Who may steer and not answer is heard, the question stays open, and nothing is said of it."""
    await stage.boss.slash(stage.lobby, "setup", steer=stage.role)
    task = await stage.start()
    await asked(stage, task, "question", "Oak", "Ash")
    message = await stage.crew.send(task.room, "Ash")
    assert [c.text for c in said(stage)] == ["Ash"] and marks(found(task.room, message)) == ["📨"]
    assert task.room.last_message.id == message.id
    assert not any(isinstance(c, AnswerGate) for c in stage.engine.commands)


async def test_who_may_not_answer_does_not_by_reply(stage: Stage) -> None:
    """The rights of the buttons hold for words too, and words never say how far a cap is raised."""
    await stage.boss.slash(stage.lobby, "setup", steer=stage.role)
    task = await stage.start()
    _, question = await asked(stage, task, "question", "Oak", "Ash")
    message = await stage.crew.send(task.room, "Ash", reply_to=question)
    assert marks(found(task.room, message)) == ["⛔"]
    _, full = await asked(stage, task, "cap")
    await stage.boss.send(task.room, "a bit more", reply_to=full)
    assert "/task cap" in task.room.last_message.content
    assert not any(isinstance(c, AnswerGate) for c in stage.engine.commands)
    await stage.boss.send(task.room, "wrap up", reply_to=full)
    assert isinstance(stage.engine.commands[-1], AnswerGate)


async def test_words_to_somebody_paused_say_when_they_are_read(stage: Stage) -> None:
    """Delivered, with one line that says what makes it go on."""
    task = await stage.start()
    await stage.boss.slash(task.room, "task pause")
    for words in ("hello?", "anybody?"):
        message = await stage.boss.send(task.room, words)
        assert marks(found(task.room, message)) == ["📨"]
    assert len([m for m in task.room.history() if "/task resume" in m.content]) == 1


async def test_the_bot_called_by_name_elsewhere_offers_to_start_the_words(stage: Stage) -> None:
    """A mention where no agents are is answered with the offer; plain talk there is nobody's business."""
    await stage.boss.send(stage.lobby, "nice weather")
    assert not [m for m in stage.lobby.history() if m.author.bot]
    await stage.boss.send(stage.lobby, f"<@{stage.env.bot.user.id}> write a game")
    (answer,) = [m for m in stage.lobby.history() if m.author.bot]
    assert "write a game" in answer.content and said(stage) == []


async def test_a_reply_to_a_card_reaches_the_boss(stage: Stage) -> None:
    """The card stands where the task was begun; what is written under it can be changed or taken back."""
    task = await stage.start()
    card = next(m for m in stage.lobby.history() if m.flags.components_v2)
    message = await stage.boss.send(stage.lobby, "Use oak", reply_to=card)
    assert [(c.agent_id, c.text) for c in said(stage)] == [(task.boss, "Use oak")]
    assert marks(found(stage.lobby, message)) == ["📨"]
    await stage.boss.edit(message, "Use larch")
    assert stage.engine.commands[-1] == EditMessage(f"{stage.lobby.id}:{message.id}", "Use larch")
    await stage.boss.delete(message)
    assert stage.engine.commands[-1] == WithdrawMessage(f"{stage.lobby.id}:{message.id}")


async def test_in_peoples_own_channel_only_words_to_agents_are_taken(stage: Stage) -> None:
    """A group that had to speak in the lobby: talk there gets no mark and reaches nobody."""
    task, ada, _ = await crew(stage)
    root = stage.engine.world.tasks[task.id].root_group_id
    records = PlaceRecords(stage.database)
    await records.set_group(root, kind="channel", channel_id=stage.lobby.id, thread_id=0, repairs=1)
    talk = await stage.boss.send(stage.lobby, "Lunch?")
    chat = await stage.stranger.send(stage.lobby, "Yes!")
    assert not said(stage) and marks(found(stage.lobby, talk)) == marks(found(stage.lobby, chat)) == []
    await stage.boss.send(stage.lobby, "Ada, hurry")
    words = await stage.posted(stage.lobby, ada)
    await stage.boss.send(stage.lobby, "Why oak?", reply_to=words)
    assert [(c.agent_id, c.text) for c in said(stage)] == [(ada, "hurry"), (ada, "Why oak?")]
    await records.note_made(MadePlace(stage.lobby.id, task.id, "channel", 1))
    await stage.boss.send(stage.lobby, "And now?")
    assert said(stage)[-1].text == "And now?"


@pytest.mark.parametrize(("application", "heard"), [(466378653216014359, True), (1, False)])
async def test_a_proxys_copy_stands_for_the_persons_message(
    stage: Stage, application: int, heard: bool
) -> None:
    """Deleted and posted again by a known proxy's webhook: the agent gets it as that person's words."""
    task, _, _ = await crew(stage)
    original = await stage.boss.send(task.room, "l: Good morning")
    copy = await stage.guild.create_webhook(task.room, "proxy").send("Good morning", username="Luna")
    message = stage.env.bot._connection._get_message(copy.id)
    message.application_id = application
    await drive(stage, stage.env.bot.get_cog("RepliesCog").on_message(message))
    assert (said(stage)[-1].text == "Good morning") is heard
    assert said(stage)[-1].by == f"discord:{stage.boss.id}"
    taken = [c for c in stage.engine.commands if isinstance(c, WithdrawMessage)]
    assert bool(taken) is heard and original.id != copy.id


async def copied(stage: Stage, room: Any, text: str, application: int | None = 77) -> discord.Message:
    """A webhook of some application's posts again what somebody wrote."""
    backend = stage.env.backend
    wire = await stage.guild.create_webhook(room, "proxy").send(text, username="Luna")
    message: discord.Message = stage.env.bot._connection._get_message(wire.id)
    message.application_id = application
    await drive(stage, stage.env.bot.get_cog("RepliesCog").on_message(message))
    assert backend.get_message(room.id, wire.id)
    return message


@pytest.mark.parametrize("first", ["deletion", "copy"])
async def test_a_proxy_nobody_listed_is_known_by_the_deletion(stage: Stage, first: str) -> None:
    """Whatever its application: a copy of words that were just deleted stands for them, in either order."""
    task, ada, _ = await crew(stage)
    words = await stage.posted(task.room, ada)
    original = await stage.boss.send(task.room, "l: Why oak?", reply_to=words)
    if first == "deletion":
        await stage.boss.delete(original)
        copy = await copied(stage, task.room, "Why oak?")
    else:
        copy = await copied(stage, task.room, "Why oak?")
        await stage.boss.delete(original)
    assert (said(stage)[-1].agent_id, said(stage)[-1].text) == (ada, "Why oak?")
    assert said(stage)[-1].ref == f"{task.room.id}:{copy.id}" and len(said(stage)) == 2
    assert stage.engine.world.notes[-1].command.text == "Why oak?" and len(stage.engine.world.notes) == 1


@pytest.mark.parametrize("kind", ["not deleted", "other words", "by nobody's application", "own"])
async def test_what_is_no_proxys_copy_stays_unheard(stage: Stage, kind: str) -> None:
    """Webhooks that repeat something else, or that a person made, speak for nobody."""
    task, _, _ = await crew(stage)
    original = await stage.boss.send(task.room, "Why oak?")
    if kind != "not deleted":
        await stage.boss.delete(original)
    text = "Delete it all" if kind == "other words" else "Why oak?"
    applications = {"by nobody's application": None, "own": stage.env.bot.application_id}
    await copied(stage, task.room, text, applications.get(kind, 77))
    assert [c.text for c in said(stage)] == ["Why oak?"]


async def test_a_proxied_answer_to_a_question_counts_once(stage: Stage) -> None:
    """The original answered it: the copy is not said to an agent besides."""
    task, _, _ = await crew(stage)
    _, message = await asked(stage, task, "question", "Oak", "Ash")
    original = await stage.boss.send(task.room, "Larch", reply_to=message)
    await stage.boss.delete(original)
    await copied(stage, task.room, "Larch")
    assert isinstance(stage.engine.commands[-1], AnswerGate | WithdrawMessage) and said(stage) == []


async def test_an_edit_of_the_copy_is_the_persons_edit(stage: Stage) -> None:
    """Proxies change their copy when the person asks them to."""
    task, _, _ = await crew(stage)
    original = await stage.boss.send(task.room, "l: Why oak?")
    await stage.boss.delete(original)
    copy = await copied(stage, task.room, "Why oak?")
    stored = stage.env.backend.get_message(task.room.id, copy.id)
    stage.env.backend.edit_message(task.room.id, copy.id, {"content": "Why ash?"})
    await stage.env.settle()
    assert stored.content == "Why ash?"
    assert stage.engine.commands[-1] == EditMessage(f"{task.room.id}:{copy.id}", "Why ash?")


async def test_an_edit_that_cannot_be_taken_is_said(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discord in trouble while the writer is looked up: again first, then said; never only logged."""
    quick = {"attempts": 3, "timeout": None, "wait_initial": 0.01, "wait_jitter": 0.0}
    monkeypatch.setattr("bot.features.replies.cog.RETRY", quick)
    task, _, _ = await crew(stage)
    replies = stage.env.bot.get_cog("RepliesCog")
    wire = await stage.boss.send(task.room, "Use oak")
    message = stage.env.bot._connection._get_message(wire.id)
    message.author, message.content = discord.Object(stage.boss.id), "Use ash"
    message._edited_timestamp = discord.utils.utcnow()
    stage.env.bot.get_guild(stage.guild.id)._members.clear()
    tried = []

    async def down(_self: discord.Guild, user_id: int) -> discord.Member:
        tried.append(user_id)
        raise discord.DiscordServerError(SimpleNamespace(status=503, reason=""), "upstream error")  # type: ignore[arg-type]

    monkeypatch.setattr(discord.Guild, "fetch_member", down)
    await drive(stage, replies._edited(message))
    assert len(tried) == 3 and marks(found(task.room, wire))[-1] == "⛔"
    assert "Try again" in task.room.last_message.content


async def test_a_clock_that_is_wrong_loses_no_edit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """How old an edit is goes by Discord's clock, not by this machine's."""
    task, _, _ = await crew(stage)
    right = discord.utils.utcnow
    monkeypatch.setattr(discord.utils, "utcnow", lambda: right() + timedelta(minutes=10))
    message = await stage.boss.send(task.room, "Use oak")
    await stage.boss.edit(message, "Use ash")
    assert stage.engine.commands[-1] == EditMessage(f"{task.room.id}:{message.id}", "Use ash")


async def test_marks_and_refusals_that_do_not_go_through_come_later(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During a ban or without a permission: both are rows of the outbox then, each once."""
    task, _, _ = await crew(stage)

    async def closed(*_: object, **__: object) -> None:
        raise discord.RateLimited(3600)

    with monkeypatch.context() as patched:
        patched.setattr(discord.Message, "add_reaction", closed)
        patched.setattr(discord.Message, "reply", closed)
        patched.setattr(discord.Member, "send", closed, raising=False)
        heard = await stage.boss.send(task.room, "Use oak")
        refused = await stage.stranger.send(task.room, "Me too")
    waiting = [entry.post for entry in await stage.ledger.waiting()]
    kept = {(post.kind, post.ref, post.text) for post in waiting if post.kind == "react"}
    assert kept == {("react", f"{task.room.id}:{m.id}", mark) for m, mark in ((heard, "📨"), (refused, "⛔"))}
    (line,) = [p for p in waiting if p.kind == "note" and p.channel_id == task.room.id]
    assert "may steer" in line.text and str(refused.id) in line.text


async def test_a_reply_before_the_message_is_recorded_answers_its_question(stage: Stage) -> None:
    """Discord shows a message to people before its id is stored: the reply waits for that."""
    task, _, _ = await crew(stage)
    gate = stage.engine.raise_gate(task.boss, "Which wood?", ("Oak", "Ash"))
    asked = await stage.posted(task.room, task.boss, gate_id=gate)
    sending = tables.deliveries.update().values(state="sending", message_id=0)
    await stage.database.write(lambda c: c.execute(sending))
    number = await stage.database.read(lambda c: c.execute(select(tables.deliveries.c.id)).scalar_one())
    writing = asyncio.ensure_future(stage.boss.send(task.room, "Ash", reply_to=asked))
    await asyncio.sleep(0.05)
    here = MessageLocation(task.room.id, asked.id)
    await stage.ledger.sent(Delivery(number, asked.id, 0, OutgoingMessage(task.id, 0, "", "", "")), here)
    await writing
    assert not said(stage)
    (given,) = [c for c in stage.engine.commands if isinstance(c, AnswerGate)]
    assert given.choice_id == stage.engine.world.gates[gate].choices[1].id


async def test_a_copy_of_words_that_two_people_wrote(stage: Stage) -> None:
    """Whose they are is known by the deletion; the other's words stay."""
    task, _, _ = await crew(stage)
    await stage.boss.slash(stage.lobby, "setup", steer=stage.role)
    original = await stage.boss.send(task.room, "l: Yes")
    await stage.crew.send(task.room, "Yes")
    await copied(stage, task.room, "Yes", PLURALKIT)
    await stage.boss.delete(original)
    left = [(note.command.by, note.command.text) for note in stage.engine.world.notes]
    assert left == [(f"discord:{stage.crew.id}", "Yes"), (f"discord:{stage.boss.id}", "Yes")]


async def test_files_stay_named_when_the_words_beside_them_change(stage: Stage) -> None:
    """An edit replaces the text that an agent reads, the files are in the workspace all the same."""
    task, _, _ = await crew(stage)
    described = await stage.boss.send(task.room, "See", attachments=[("b.txt", b"ash")])
    await stage.boss.edit(described, "Look")
    assert stage.engine.commands[-1].files == ("attachments/b.txt",)


def test_an_agent_reads_the_words_of_a_post_without_its_pings_and_marks() -> None:
    """What a person replied to, as they saw it."""
    post, message = MagicMock(spec=discord.Message), MagicMock(spec=discord.Message)
    post.content = "<@123456789012345678> 🏁 **Done.**\nAll of it.\n-# wrote `a.py`"
    message.reference.resolved = post
    assert replied_words(message) == "🏁 Done. All of it."
