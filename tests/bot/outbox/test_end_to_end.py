"""What the engine says appears on Discord as it should, over real HTTP with limits on."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import pytest
from sqlalchemy.exc import OperationalError

from bot.features.files.archive import close_places
from bot.local.faults import LimitScope
from engine.commands import AnswerGate, SayToAgent
from engine.events import EndBasis, PlannedMember, PlanProposed, TaskEnded, TaskNamed
from tests.bot.outbox.conftest import SCALE, Stage

Wire = dict[str, Any]
BOT_SEND = r"/channels/\d+/messages"


def personas(messages: list[Wire]) -> list[tuple[str, str]]:
    """Who said what, of those that came by webhook."""
    return [(m["author"]["username"], m["content"]) for m in messages if m.get("webhook_id")]


def pinged(stage: Stage, message: Wire) -> set[int]:
    """Whom a message may ping; never everyone, roles or whoever it names."""
    kept = stage.local.world.get_message(int(message["channel_id"]), int(message["id"])).allowed_mentions
    assert not kept.everyone and kept.roles == frozenset() and kept.users is not None
    return set(kept.users)


async def begun(stage: Stage) -> tuple[int, int]:
    """A task with its place: (task id, boss)."""
    task_id = await stage.task()
    boss = stage.boss(task_id)
    stage.engine.speak(boss, "Let us begin.")
    await stage.drain()
    return task_id, boss


async def test_personas_speak_in_their_groups_channel(stage: Stage) -> None:
    """A group gets its channel with the first words, each agent its own name and face; who joins is told."""
    _, boss = await begun(stage)
    (ada,) = stage.engine.recruit(boss, "Ada")
    stage.engine.speak(ada, "I am on it.")
    await stage.drain()

    shown = personas(stage.said("root"))
    assert [text for _, text in shown] == ["Let us begin.", "I am on it.", "-# recruited Ada (Ada's work)"]
    assert shown[2][0] == shown[0][0]
    assert shown[0][0].startswith("Boss") and shown[1][0].startswith("Ada")
    assert all(m["author"]["avatar"] for m in stage.said("root") if m.get("webhook_id"))


@pytest.mark.parametrize("granted", [True, False])
async def test_the_way_to_the_card_is_pinned_where_the_bot_may(stage: Stage, granted: bool) -> None:
    """Once, over a restart; without Pin Messages nothing is asked of Discord and nothing said."""
    world, guild = stage.local.world, stage.local.guild_id
    for role in {*world.get_guild(guild).members[world.bot_user.id].role_ids, guild}:
        value = discord.Permissions(int(world.get_guild(guild).roles[role].permissions))
        value.update(administrator=False, manage_messages=False, pin_messages=granted)
        world.edit_role(guild, role, {"permissions": value.value})
    _, boss = await begun(stage)
    await stage.restart()
    stage.engine.speak(boss, "And on.")
    await stage.drain()
    pinned = [m["content"] for m in stage.said("root") if m.get("pinned")]
    assert ["The live card is in" in text for text in pinned] == [True] * granted
    asked = [call for call in stage.local.rest.calls if "/pins/" in call.path]
    assert len(asked) == granted
    assert granted or "pin" not in " ".join(m["content"] for m in stage.said("root"))
    assert (await stage.outbox.ledger.counts()).get("pending") is None


async def test_chatter_is_silent_and_pings_nobody(stage: Stage) -> None:
    """An agent's text cannot mention anyone, and nobody's phone rings for it."""
    _, boss = await begun(stage)
    you = stage.local.you
    stage.engine.speak(boss, f"@everyone @here <@{you.id}> <@&{stage.local.guild_id}> look!")
    await stage.drain()
    last = stage.said("root")[-1]
    assert pinged(stage, last) == set() and not last["mention_everyone"]
    assert last["flags"] & (1 << 12)
    assert "@everyone" not in last["content"]


async def test_an_answer_pings_who_asked_and_links_what(stage: Stage) -> None:
    """The answer names the person, quotes the question, links it, and is not silent."""
    _, boss = await begun(stage)
    you, channel = stage.local.you, stage.local.you.channel("root")
    asked = await you.send(channel, "How far are you?")
    ref = f"{channel['id']}:{asked['id']}"
    await stage.engine.handle(SayToAgent(boss, "How far are you?", f"discord:{you.id}", "You", ref))
    await stage.outbox.ledger.note_incoming(ref, you.id, boss, "How far are you?", 0.0)
    stage.engine.read(ref)
    stage.engine.speak(boss, "Half way.", refs=(ref,))
    await stage.drain()

    answer = stage.said("root")[-1]
    assert pinged(stage, answer) == {you.id}
    assert not answer["flags"] & (1 << 12)
    assert f"/{channel['id']}/{asked['id']}" in answer["content"] and "How far" in answer["content"]
    (question,) = [m for m in stage.said("root") if m["id"] == asked["id"]]
    assert [r["emoji"]["name"] for r in question["reactions"]] == ["👀"]


async def test_reaction_on_a_deleted_message_blocks_nothing(stage: Stage) -> None:
    """What cannot be marked any more is passed over."""
    _, boss = await begun(stage)
    you, channel = stage.local.you, stage.local.you.channel("root")
    asked = await you.send(channel, "never mind")
    ref = f"{channel['id']}:{asked['id']}"
    await stage.engine.handle(SayToAgent(boss, "never mind", f"discord:{you.id}", "You", ref))
    await you.delete(asked)
    stage.engine.read(ref)
    stage.engine.speak(boss, "next")
    await stage.drain()
    assert personas(stage.said("root"))[-1][1] == "next"


async def test_a_gate_pings_the_owner_and_has_buttons(stage: Stage) -> None:
    """In the bot's own voice, to be found again by its gate."""
    _, boss = await begun(stage)
    gate = stage.engine.raise_gate(boss, "Red or blue?", ("red", "blue"))
    await stage.drain()
    message = stage.said("root")[-1]
    assert pinged(stage, message) == {stage.local.you.id}
    assert [b["label"] for b in message["components"][0]["components"]] == ["red", "blue"]
    where = await stage.outbox.ledger.gate_message(gate)
    assert where is not None and where.message_id == int(message["id"])


async def test_a_plan_comes_as_a_card_with_buttons(stage: Stage) -> None:
    """The plan first, then people with their faces, then what the buttons mean; its gate finds it again."""
    task_id, boss = await begun(stage)
    gate = stage.engine.raise_gate(boss, "Two groups", kind="plan")
    root = stage.engine.world.tasks[task_id].root_group_id
    team = (PlannedMember("Ana", "the **hull**"), PlannedMember("Ben", ""))
    body = PlanProposed(task_id, root, gate, "It is big.", ("hull", "sails"), 12, 90_000, 0, 40, team=team)
    stage.engine.emit(body)
    await stage.drain()
    message = stage.said("root")[-1]
    plan, *people, choices = message["embeds"]
    assert "• hull" in plan["description"] and "12 agents" in plan["description"]
    assert [(one["author"]["name"], one["description"]) for one in people] == [
        ("Ana", "the hull"),
        ("Ben", "…"),
    ]
    assert len({one["author"]["icon_url"] for one in people}) == 2
    assert "work starts" in choices["description"] and "work starts" not in plan["description"]
    assert choices["author"]["name"] == "Your choices" and "\n" not in message["content"]
    assert [b["label"] for b in message["components"][0]["components"]] == ["Approve", "Cancel the task"]
    assert pinged(stage, message) == {stage.local.you.id}
    where = await stage.outbox.ledger.gate_message(gate)
    assert where is not None and where.message_id == int(message["id"])
    answer = AnswerGate(gate, f"discord:{stage.local.you.id}", "approve")
    await stage.engine.handle(answer)
    await stage.drain()
    message = stage.said("root")[-1]
    kept = [embed["description"] for embed in message["embeds"]]
    assert kept == [one["description"] for one in (plan, *people)], "what the buttons meant goes with them"
    assert not message["components"] and "answered: Approve" in message["content"]


async def test_the_end_brings_report_and_files(stage: Stage) -> None:
    """The owner is pinged once; what is too large or not there is said."""
    task_id, boss = await begun(stage)
    stage.engine.write(boss, "out/report.md", b"# Report")
    stage.engine.write(boss, "big.bin", b"x" * (11 * 1024 * 1024))
    group_id = stage.engine.world.tasks[task_id].root_group_id
    files = ("out/report.md", "big.bin", "gone.txt")
    ran = ("What was run:", "- true: ok")
    stage.engine.emit(TaskEnded(task_id, group_id, "done", "All done.", files, verified=True, runs=ran))
    await stage.drain()
    messages = [m for m in stage.said("root") if m["author"]["username"].startswith("Boss")]
    (end,) = [m for m in messages if "All done." in m["content"]]
    assert pinged(stage, end) == {stage.local.you.id}
    (attached,) = [m for m in messages if m["attachments"]]
    assert [a["filename"] for a in attached["attachments"]] == ["report.md", "what_was_run.md"]
    assert "big.bin" in attached["content"] and "gone.txt" in attached["content"]
    assert pinged(stage, attached) == set()


@pytest.mark.parametrize("basis", ["audited", "unfinished"])
async def test_an_end_is_told_once_where_the_task_was_started(stage: Stage, basis: EndBasis) -> None:
    """With a link to the report's first message, without a ping, over a lost answer and a restart.

    A task that is continued tells its next end too.
    """
    task_id, boss = await begun(stage)
    stage.engine.write(boss, "report.md", b"# Report")
    group_id = stage.engine.world.tasks[task_id].root_group_id
    for report in ("All done.", "Repaired."):
        ended = TaskEnded(task_id, group_id, "done", report, ("report.md",), verified=True, basis=basis)
        stage.local.faults.drop_after("POST", BOT_SEND)
        stage.engine.emit(ended)
        await stage.drain()
        await stage.restart()
        await stage.drain()
    notices = [m for m in stage.said("lobby") if "ended" in m["content"]]
    for notice, report in zip(notices, ("All done.", "Repaired."), strict=True):
        (end,) = [m for m in stage.said("root") if report in m["content"]]
        link = f"https://discord.com/channels/{stage.local.guild_id}/{end['channel_id']}/{end['id']}"
        state = "✅ done" if basis == "audited" else "⚠️ not finished"
        assert notice["content"] == f"-# Task #{task_id} ended: {state}. Its report: {link}"
        assert int(notice["id"]) > int(end["id"]) and pinged(stage, notice) == set()
    assert await stage.outbox.ledger.agents_of(int(notices[0]["id"])) == []


async def test_messages_lead_back_to_agents_and_groups(stage: Stage) -> None:
    """The ledger knows the agent of a message, the group of a channel, the place of a group."""
    task_id, boss = await begun(stage)
    ledger, channel = stage.outbox.ledger, int(stage.local.you.channel("root")["id"])
    (message,) = [m for m in stage.said("root") if m["content"] == "Let us begin."]
    assert await ledger.agents_of(int(message["id"])) == [boss]
    assert await ledger.agents_of(1) == []
    spot = await ledger.place_of(channel)
    assert spot is not None and (spot.task_id, spot.head_id) == (task_id, boss)
    assert await ledger.channel_of(spot.group_id) == channel
    assert await ledger.place_of(1) is None


async def test_a_flood_becomes_rollup_and_digest(stage: Stage) -> None:
    """When much waits, embeds carry the personas and a transcript the rest; nothing is lost."""
    _, boss = await begun(stage)
    crowd = stage.engine.recruit(boss, *(f"Agent{i}" for i in range(8)))
    for i in range(150):
        stage.engine.speak(crowd[i % 8], f"word{i} " + "blah " * 40)
    await stage.drain()
    messages = stage.said("root")
    assert len(messages) < 20
    shown = " ".join(m["content"] + " ".join(e.get("description", "") for e in m["embeds"]) for m in messages)
    for message in messages:
        for file in message["attachments"]:
            data = stage.local.world.cdn.get(file["url"])
            assert data is not None
            shown += data.decode()
    assert all(f"word{i} " in shown for i in range(150))


async def test_an_answer_names_everyone_it_answers(stage: Stage) -> None:
    """Two people wrote before the agent's turn: both are quoted, the newest words of each, and pinged."""
    _, boss = await begun(stage)
    guest, place = stage.local.guest, stage.local.you.channel("root")["id"]
    refs = []
    for person, text in ((stage.local.you, "Use oak"), (guest, "Use ash"), (stage.local.you, "And oil it")):
        message = await person.send(place, text)
        refs.append(f"{message['channel_id']}:{message['id']}")
        await stage.outbox.ledger.note_incoming(refs[-1], person.id, boss, text, 1.0)
    stage.engine.speak(boss, "Both.", refs=tuple(refs))
    await stage.drain()
    said = stage.said("root")[-1]
    head = [line for line in said["content"].splitlines() if line.startswith("-# ↪")]
    assert len(head) == 2 and "And oil it" in head[0] and "Use ash" in head[1]
    assert pinged(stage, said) == {stage.local.you.id, guest.id}


async def test_a_rollup_bears_the_title_that_the_task_got(stage: Stage) -> None:
    """Not the first words of the goal, by which its place was made."""
    task_id, boss = await begun(stage)
    crowd = stage.engine.recruit(boss, *(f"Agent{i}" for i in range(8)))
    stage.engine.emit(TaskNamed(task_id, stage.engine.world.tasks[task_id].root_group_id, "sales report"))
    await stage.drain()
    for i in range(60):
        stage.engine.speak(crowd[i % 8], f"word{i} " + "blah " * 40)
    await stage.drain()
    rolled = [m for m in stage.said("sales-report") if len(m["embeds"]) > 1]
    assert rolled and {m["author"]["username"] for m in rolled} == {"sales report"}


async def test_refused_name_is_said_by_the_bot(stage: Stage) -> None:
    """A name that Discord refuses for a reason unknown to us costs the face, not the words."""
    _, boss = await begun(stage)
    stage.local.faults.fail("POST", r"/webhooks/\d+/[^/]+", status=400)
    stage.engine.speak(boss, "still heard")
    await stage.drain()
    assert stage.said("root")[-1]["content"].endswith("still heard")


async def test_archived_places_take_nothing_more(stage: Stage) -> None:
    """After an archive that removed the channels, late events make no new ones; the transcript has all."""
    task_id, boss = await begun(stage)
    closed = await close_places(stage.client, stage.database, stage.outbox.transcripts, task_id, remove=True)
    kept = closed.files
    stage.engine.speak(boss, "too late")
    await stage.drain()
    assert not [c for c in stage.local.you.channels() if c["name"] == "root"]
    assert b"Let us begin." in kept[f"task-{task_id}.md"] and b"Let us begin." in kept[f"task-{task_id}.html"]


async def test_faces_are_uploaded_once(stage: Stage) -> None:
    """Drawn faces become emojis of the application and are used from then on; a restart uploads none."""
    await begun(stage)
    faces = stage.outbox.faces
    for _ in range(200):
        if "/emojis/" in faces.url("Boss"):
            break
        await asyncio.sleep(0.02)
    assert "/emojis/" in faces.url("Boss") and not faces.problem
    before = len(stage.local.world.application_emojis)
    await stage.restart()
    assert "/emojis/" in stage.outbox.faces.url("Boss")
    assert len(stage.local.world.application_emojis) == before


async def test_a_face_that_waits_at_a_restart_comes_after_it(stage: Stage) -> None:
    """Discord takes few drawings at a time; who joined before the restart gets a face all the same."""
    stage.local.faults.limit("POST", r"/applications/\d+/emojis", retry_after=600 * 50, times=1)
    _, boss = await begun(stage)
    assert "/emojis/" not in stage.outbox.faces.url("Boss")
    await stage.restart()
    stage.engine.speak(boss, "on we go")
    await stage.drain()
    async with asyncio.timeout(60):
        while "/emojis/" not in stage.outbox.faces.url("Boss"):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)


async def test_faces_wait_while_discord_takes_none(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 429 of the edge, or a store in trouble, is no reason to do without faces until the next start."""
    for pause in ("TROUBLE_S", "PATIENCE_S"):
        monkeypatch.setattr(f"bot.personas.avatars.{pause}", 0.01)
    emojis = r"/applications/\d+/emojis"
    stage.local.faults.limit("POST", emojis, retry_after=100 * SCALE)  # longer than discord.py waits
    stage.local.faults.limit("POST", emojis, scope=LimitScope.CLOUDFLARE, retry_after=0, times=2)
    stage.local.faults.fail("POST", emojis, status=503)
    faces, failed = stage.outbox.faces, list[int]()
    keeps = faces._keep

    async def once(number: int, emoji: discord.Emoji) -> None:
        failed.append(number)
        if len(failed) == 1:
            raise OperationalError("insert", {}, OSError("gone"))
        await keeps(number, emoji)

    monkeypatch.setattr(faces, "_keep", once)
    await begun(stage)
    await stage.local.world.pulse.until(lambda: bool(stage.local.world.application_emojis), 10)
    async with asyncio.timeout(60):
        while "/emojis/" not in faces.url("Boss"):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
    assert not faces.problem and len(stage.local.faults.met) == 4
    assert len(stage.local.world.application_emojis) == 1
