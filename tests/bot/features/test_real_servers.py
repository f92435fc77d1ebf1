"""What real servers and networks do to a bot: what is said has an effect or an answer, nothing is done twice.

Each test is a trial of a stranger who knows Discord and not this program.
"""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import pytest
from simcord.backend.models import MessageSticker, Poll, PollAnswer, User

from bot.local.actors import NoAnswerError
from bot.local.payloads import message_payload
from bot.storage import tables
from engine.commands import SayToAgent, StartTask, WithdrawMessage
from tests.bot.features.test_away import Away, away
from tests.bot.features.test_loopback import PATIENCE_S, Loop, loop, quickly

__all__ = ["away", "loop", "quickly"]
CALLBACK = r"/interactions/\d+/[^/]+/callback"
COMMANDS = r"/applications/\d+/commands"
MARK = r"/channels/\d+/messages/\d+/reactions/.*"


def started(loop: Loop) -> int:
    """How many tasks were started."""
    return sum(isinstance(command, StartTask) for command in loop.stage.engine.commands)


def notes(away: Away) -> list[str]:
    """What agents have, as it stands now."""
    return [note.command.text for note in away.loop.stage.engine.world.notes]


# ------------------------------------------------------------ servers come and go


async def test_removed_from_a_server_while_the_bot_was_away(loop: Loop) -> None:
    """Nothing tells of it: the next session begins without the server, and its tasks pause."""
    await loop.begin()
    await loop.close()
    await loop.local.you.kick_bot()
    await loop.connect()
    async with asyncio.timeout(PATIENCE_S):
        await loop.stage.engine.until(lambda: loop.stage.engine.world.tasks[1].state == "paused")


async def test_an_outage_at_the_start_is_no_removal(loop: Loop, quickly: None) -> None:
    """The server is named in READY and comes later: its task goes on, words are heard afterwards."""
    await loop.begin()
    await loop.close()
    await loop.local.you.send(loop.lobby, "Missed")
    loop.local.outage(True)
    await loop.connect()
    assert loop.stage.engine.world.tasks[1].state == "running"
    loop.local.outage(False)
    await loop.until("Missed")
    assert loop.stage.engine.world.tasks[1].state == "running"


@pytest.mark.parametrize("status", [403, 400, 503])
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_commands_that_are_not_taken_at_the_start_come_later(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, method: str, status: int
) -> None:
    """A limit of commands a day, or Discord in trouble, does not keep the bot from working."""
    monkeypatch.setattr("bot.app.client.SYNC_PAUSE_S", 0.2)
    await loop.begin()
    await loop.close()
    await loop.stage.records.set_fact("commands", "of an older version")
    code = {403: 50001, 400: 30034, 503: 0}[status]
    loop.local.faults.refuse(method, COMMANDS, status=status, code=code, times=1)
    await loop.connect()
    await loop.local.you.send(loop.lobby, "Hello")
    await loop.until("Hello")
    async with asyncio.timeout(PATIENCE_S):
        while await loop.stage.records.fact("commands") == "of an older version":  # noqa: ASYNC110 - a row
            await asyncio.sleep(0.01)


async def test_the_doctor_names_a_timeout(loop: Loop) -> None:
    """A moderator put the bot into a timeout: no role lacks a permission, and none is named."""
    await loop.begin()
    world, guild = loop.local.world, loop.local.guild_id
    world.get_guild(guild).members[world.bot_user.id].timed_out_until = world.iso_after(3600)
    world.announce_member_update(guild, world.bot_user.id)
    answered = await loop.local.you.slash(loop.lobby, "doctor")
    assert "in a timeout until" in answered.text and "lack" not in answered.text


# ------------------------------------------------------------ interactions


async def test_a_command_whose_acknowledgement_was_lost_is_done_once(loop: Loop) -> None:
    """Discord took it, the connection was cut: the person gets the answer, not "thinking" for ever."""
    loop.local.faults.drop_after("POST", CALLBACK)
    answered = await loop.local.you.slash(loop.lobby, "task new", goal="Build a boat")
    assert "has started" in answered.text and started(loop) == 1


async def test_a_button_whose_acknowledgement_was_lost_works(loop: Loop) -> None:
    """The same for what is pressed."""
    await loop.begin()
    (card,) = await loop.cards()
    wire = next(m for m in loop.local.you.history(loop.lobby) if m["id"] == str(card.id))
    loop.local.faults.drop_before("POST", CALLBACK)
    await loop.local.you.click(wire, "Pause")
    await loop.local.world.pulse.until(lambda: loop.stage.engine.world.tasks[1].state == "paused", PATIENCE_S)


async def test_an_interaction_told_twice_is_done_once(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    """A resumed session may tell of it again: Discord refuses the second answer (40060), and so do we."""
    seen: list[Any] = []
    loop.local.world.subscribers.append(
        lambda event, payload: seen.append(payload) if event == "INTERACTION_CREATE" else None
    )
    await loop.local.you.slash(loop.lobby, "task new", goal="Build a boat")
    for session in loop.local.gateway._sessions.values():
        session.push("INTERACTION_CREATE", seen[0])
    await loop.local.you.slash(loop.lobby, "task list")
    assert started(loop) == 1
    assert "incident" not in caplog.text


async def test_two_processes_with_one_token_start_a_task_once(loop: Loop) -> None:
    """With different databases no lock keeps them apart; Discord gives the command to the first answer."""
    other = Loop(loop.local)
    try:
        await other.connect()
        await loop.local.you.slash(loop.lobby, "task new", goal="Build a boat")
        for each in (loop, other):
            await each.bot.wait_until_ready()
        assert started(loop) + started(other) == 1
    finally:
        await other.close()
        other.stage.database.dispose()


@pytest.mark.parametrize(("status", "code"), [(404, 10062), (400, 50083)])
async def test_an_interaction_that_cannot_be_acknowledged_does_nothing(
    loop: Loop, caplog: pytest.LogCaptureFixture, status: int, code: int
) -> None:
    """Too late, or in a thread that is locked: nothing is done that the person is not told of."""
    loop.local.faults.refuse("POST", CALLBACK, status=status, code=code, times=1 + (code != 10062))
    with pytest.raises(NoAnswerError):
        await loop.local.you.slash(loop.lobby, "task new", goal="Build a boat")
    assert started(loop) == 0
    assert code == 50083 or "came too late" in caplog.text
    answered = await loop.local.you.slash(loop.lobby, "task new", goal="Build a boat")
    assert "has started" in answered.text


@pytest.mark.parametrize(("later", "edits"), [(13 * 60, 1), (15 * 60, 0)])
async def test_the_answer_to_a_start_is_left_alone_when_its_token_has_ended(
    loop: Loop, later: float, edits: int
) -> None:
    """A place that comes more than a quarter of an hour later is not told by an interaction (50027)."""
    await loop.local.you.slash(loop.lobby, "task new", goal="Build a boat")
    replies: Any = loop.stage.shown.start_replies
    async with asyncio.timeout(PATIENCE_S):
        while not replies._waiting:  # noqa: ASYNC110 - it is watched just after it was given
            await asyncio.sleep(0.01)
    begun = len(loop.local.rest.calls)
    loop.stage.clock += later
    await replies.tick()
    root = loop.stage.engine.world.tasks[1].root_group_id
    await loop.stage.meets(root, discord.Object(loop.lobby))
    await replies.tick()
    assert sum("@original" in call.path for call in loop.local.rest.calls[begun:]) == edits


async def test_reactions_of_other_bots_are_no_verbs(away: Away) -> None:
    """A bot that marks everything pauses nobody."""
    wire = await agents_words(away)
    world = away.world
    other = User(world.snowflake(), "marker", bot=True)
    world.users[other.id] = other
    world.add_member(away.loop.local.guild_id, other.id)
    world.set_reaction(away.place, int(wire["id"]), "⏸️", other.id, True)
    heard = await away.you.send(away.place, "Go on")
    await away.until(lambda: away.marks(int(heard["id"])))
    assert (
        away.loop.stage.engine.world.agents[away.loop.stage.engine.world.tasks[1].boss_id].state == "working"
    )


# ------------------------------------------------------------ words of other kinds


async def agents_words(away: Away) -> dict[str, Any]:
    """A message of the boss's in the place, as the outbox recorded it."""
    world, stage = away.world, away.loop.stage
    hook = away.proxy(world.application_id)
    message = world.create_message(away.place, hook.webhook_user_id, "Oak it is", webhook_id=hook.id)
    task = stage.engine.world.tasks[1]
    at = {"task_id": 1, "group_id": task.root_group_id, "state": "sent", "batch_id": message.id}
    words = {"key": f"test:{message.id}", "seq": 1, "at": 1.0, "post": {}, "agent_id": task.boss_id}
    sent = {"part": 0, "begun_at": 0.0, "message_id": message.id, "channel_id": away.place, "wire": {}}

    def work(connection: Any) -> None:
        connection.execute(tables.outbox.insert().values(**words, **at))
        connection.execute(tables.deliveries.insert().values(**sent, **at))

    await stage.database.write(work)
    return message_payload(world, message)


def forward(away: Away, wire: dict[str, Any], place: int) -> int:
    """A person forwards a message into a channel."""
    kept = {"type": 1, "message_id": wire["id"], "channel_id": wire["channel_id"]}
    reference = away.world.normalize_message_reference(place, kept)
    return away.world.create_message(place, away.you.id, "", reference=reference).id


async def test_a_forward_of_an_agents_words_is_no_reply(away: Away) -> None:
    """Shown to friends elsewhere it is nobody's business; in a place it is refused in words."""
    wire = await agents_words(away)
    forward(away, wire, away.loop.lobby)
    here = forward(away, wire, away.place)
    await away.shown("no text and no file")
    assert away.marks(here) == ["⛔"] and away.loop.said() == []
    assert not any(m.get("reactions") for m in away.you.history(away.loop.lobby))


async def test_stickers_polls_and_voice(away: Away) -> None:
    """What holds nothing an agent can read is refused; a voice message is a file."""
    world, you, guild = away.world, away.you, away.loop.local.guild_id
    sticker = world.create_message(away.place, you.id, "", stickers=[MessageSticker(1, "wave", 1, guild)])
    choices = [PollAnswer(1, "yes"), PollAnswer(2, "no")]
    poll = world.create_message(away.place, you.id, "", poll=Poll("Oak?", choices, world.iso_after(3600)))
    files = world.store_attachments(away.place, [("voice-message.ogg", b"OggS")])
    voice = world.create_message(away.place, you.id, "", attachments=files, flags=1 << 13)
    await away.until(lambda: away.marks(voice.id))
    assert [away.marks(m.id) for m in (sticker, poll, voice)] == [["⛔"], ["⛔"], ["📨"]]
    (heard,) = [c for c in away.commands if isinstance(c, SayToAgent)]
    assert list(heard.files.values()) == [b"OggS"]


async def test_four_thousand_characters(away: Away) -> None:
    """People who pay for it write twice as much as a bot may."""
    message = away.world.prepare_message(away.place, away.you.id, "x")
    message.content = "word " * 799 + "end!!"
    away.world.commit_message(message)
    await away.heard(message.content)


async def test_a_file_that_cannot_be_fetched_is_named(away: Away) -> None:
    """Its address has expired, or it was removed: nothing is said of deleted channels."""
    away.loop.local.conditions.links_last_s = -10.0
    message = await away.you.send(away.place, "See this", files=[("plan.txt", b"oak")])
    await away.shown("plan.txt")
    assert away.marks(int(message["id"])) == ["⛔"] and away.loop.said() == []


# ------------------------------------------------------------ changed and deleted at the wrong moment


async def test_events_in_another_order(away: Away) -> None:
    """The deletion and the edit come before the messages that they are about."""
    world = away.world
    real, seen = list(world.subscribers), list[tuple[str, Any]]()
    world.subscribers[:] = [lambda event, payload: seen.append((event, dict(payload)))]
    never, oak = [await away.you.send(away.place, text) for text in ("Never mind", "Oak")]
    await away.you.delete(never)
    await away.you.edit(oak, "Ash")
    world.subscribers[:] = real
    told = [each for each in seen if each[0].startswith("MESSAGE_")]
    for event, payload in sorted(told, key=lambda each: each[0] == "MESSAGE_CREATE"):
        for listener in real:
            listener(event, payload)
    last = await away.you.send(away.place, "And oil it")
    await away.until(lambda: away.marks(int(last["id"])))
    assert notes(away) == ["Ash", "And oil it"]


async def test_deleted_and_changed_while_it_is_caught_up_with(away: Away) -> None:
    """The history was read, and words in it change before their turn has come."""
    await away.loop.close()
    sent = [await away.you.send(away.place, text) for text in ("One", "Two", "Three")]
    away.loop.local.faults.delay("PUT", MARK, seconds=50.0)
    await away.loop.connect()
    await away.until(away.loop.said)
    await away.you.delete(sent[1])
    await away.you.edit(sent[2], "Three, better")
    await away.until(lambda: notes(away) == ["One", "Three, better"])


async def test_an_edit_of_an_answer_is_said_to_be_too_late(away: Away) -> None:
    """The answer counted; whoever changes it is told, and what to do instead."""
    stage = away.loop.stage
    gate = stage.engine.raise_gate(stage.engine.world.tasks[1].boss_id, "Which wood?", ("Oak", "Ash"))
    question = away.world.create_message(away.place, away.world.bot_user.id, "Which wood?")
    asked = type("Asked", (), {"id": question.id, "channel": discord.Object(away.place)})
    await stage.gate_posted(1, gate, asked)
    answer = await away.you.send(away.place, "Oak", reply_to=message_payload(away.world, question))
    await away.until(lambda: away.marks(int(answer["id"])) == ["📨"])
    await away.you.edit(answer, "Ash")
    await away.shown("already answered")
    assert away.marks(int(answer["id"])) == ["📨", "⛔"]


async def test_a_purge_of_unread_words(away: Away) -> None:
    """A moderator deletes many at once: no agent reads them."""
    ids = [int((await away.you.send(away.place, text))["id"]) for text in ("One", "Two")]
    await away.heard("One", "Two")
    for number in ids:
        del away.world.messages[away.place][number]
    told = {"ids": [str(number) for number in ids], "channel_id": str(away.place)}
    away.world.emit("MESSAGE_DELETE_BULK", told | {"guild_id": str(away.loop.local.guild_id)})
    await away.until(lambda: sum(isinstance(c, WithdrawMessage) for c in away.commands) == 2)


async def test_deleted_before_the_mark_came(away: Away) -> None:
    """The mark finds no message: the words are withdrawn, and nothing is tried again."""
    away.loop.local.faults.delay("PUT", MARK, seconds=30.0)
    message = await away.you.send(away.place, "Oops")
    await away.heard("Oops")
    await away.you.delete(message)
    await away.until(lambda: any(isinstance(c, WithdrawMessage) for c in away.commands))
    assert not await away.loop.stage.ledger.waiting() or notes(away) == []


async def test_words_in_a_thread_that_archived_itself_meanwhile(away: Away) -> None:
    """People wrote in a thread under a place, and an hour of silence closed it before the bot was back."""
    old = away.world.create_thread(away.place, "old", owner_id=away.you.id)
    await away.you.send(old.id, "Before")
    await away.heard("Before")
    await away.loop.close()
    thread = away.world.create_thread(away.place, "aside", owner_id=away.you.id)
    await away.you.send(thread.id, "Aside")
    for each in (old, thread):
        away.world.edit_channel(each.id, {}, thread_metadata={"archived": True})
    await away.loop.connect()
    await away.heard("Before", "Aside")


async def test_who_wrote_and_left(away: Away) -> None:
    """Words of the time away by somebody who is no member any more are refused."""
    world, guild = away.world, away.loop.local.guild_id
    leaver = User(world.snowflake(), "leaver")
    world.users[leaver.id] = leaver
    world.add_member(guild, leaver.id)
    await away.loop.close()
    message = world.create_message(away.place, leaver.id, "Hello")
    world.remove_member(guild, leaver.id)
    await away.loop.connect()
    await away.until(lambda: away.marks(message.id))
    assert away.marks(message.id) == ["⛔"] and away.loop.said() == []
