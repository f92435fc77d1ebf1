"""What happens in one task leaves every row and every message of the tasks beside it as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest
import sqlalchemy as sa

from bot.discord.access import GuildRules
from bot.features.files.archive import _forget, close_places, reopen_places
from bot.outbox.ledger import Delivery, Ledger, _tell_origin
from bot.outbox.post import OutgoingMessage, Post, load_post
from bot.outbox.projector import _StoredContext, project_all, repair_tasks
from bot.outbox.transcripts import Transcripts
from bot.places.records import MadePlace, PlaceRecords, WebhookRecord
from bot.storage.guild_settings import BotRecords, FollowMode
from bot.storage.tables import BOT_METADATA, deliveries, groups, made_places, outbox
from bot.storage.tables import tasks as task_rows
from engine import events as ev
from engine.commands import Limits
from engine.domain.gates import choices_of
from tests.bot.outbox.conftest import Stage
from tests.bot.places.test_repairs import begun, seen_by_bot
from tests.fakes.inline_database import InlineDatabase

BEFORE, SUBJECT, AFTER = 1, 2, 3
OTHERS = (BEFORE, AFTER)
ROOT, BOSS, ADA, SHOP, GATE, BOB = 1, 2, 3, 4, 5, 10


def of(task: int, number: int) -> int:
    """Return the id of something of a task: a group, an agent, a channel, a person."""
    return task * 1_000 + number


def owner_of(number: int) -> int:
    """Return the task that an id of `of` belongs to."""
    return number // 1_000


def beginning(task: int) -> list[ev.EventBody]:
    """Three tasks begin alike: a root group with the boss, a workshop with Ada."""
    root, boss, ada, shop = of(task, ROOT), of(task, BOSS), of(task, ADA), of(task, SHOP)
    space, by = f"guild:{of(task, 90)}", f"discord:{of(task, 91)}"
    return [
        ev.TaskAccepted(task, "a small game", by, space, None, f"channel:{of(task, 92)}"),
        ev.GroupFormed(task, root, None, boss, "root", 0),
        ev.AgentJoined(task, root, boss, "Boss", "boss"),
        ev.AgentJoined(task, root, ada, "Ada", "writer"),
        ev.GroupFormed(task, shop, root, ada, "workshop", 1),
        ev.AgentJoined(task, shop, of(task, BOB), "Bob", "writer"),
        ev.AgentSpoke(task, shop, ada, "Ada", (), "hello", ()),
        ev.GateRaised(task, root, of(task, GATE), "plan", boss, "Boss", "This plan?", choices_of("plan")),
    ]


def happening(t: int) -> dict[type, ev.EventBody]:
    """Everything that can happen in a task, one of each kind."""
    root, boss, ada, shop = of(t, ROOT), of(t, BOSS), of(t, ADA), of(t, SHOP)
    origin, space = f"channel:{of(t, 92)}", f"guild:{of(t, 90)}"
    bodies: tuple[ev.EventBody, ...] = (
        ev.TaskAccepted(t, "a small game", f"discord:{of(t, 91)}", space, None, origin),
        ev.TaskContinued(t, root, f"discord:{of(t, 91)}", "Eve", Limits(), 1),
        ev.RepeatPaused(t, 1, space, origin, "a small game", "no right"),
        ev.TaskChanged(t, "paused", "cap", "cap"),
        ev.PlanProposed(t, root, of(t, GATE), "the plan", ("one",), 9, 1, 1, 1),
        ev.GroupFormed(t, of(t, 6), root, boss, "workshop", 1),
        ev.AgentJoined(t, shop, of(t, 7), "Ada 2", "writer", shop),
        ev.AgentLeft(t, root, ada, "Ada", "slow"),
        ev.TaskNamed(t, root, "sales report"),
        ev.AgentChanged(t, root, ada, "Ada", "paused"),
        ev.AgentSpoke(t, shop, ada, "Ada", (), "hello", (f"{of(t, 92)}:1",)),
        ev.MessageRead(t, ada, f"{of(t, 92)}:1"),
        ev.AssignmentChanged(t, root, 1, "paint", "Boss", "Ada", "accepted", "good"),
        ev.RemarkNoted(t, shop, ada, "Ada", "I wait."),
        ev.PackagesAdded(t, shop, ada, "Ada", ("six 1.17.0",)),
        ev.AcceptedWorkChanged(t, root, 1, "a table", "Boss", ada, "Ada", ("a.py",)),
        ev.FileWritten(t, shop, ada, "Ada", "a.py", 1, 10, "added"),
        ev.CodeRan(t, shop, ada, "Ada", "python a.py", 0, "exit", "ok"),
        ev.OutsideCalled(t, shop, ada, "Ada", "web", "search", 1, "done", "{}"),
        ev.GateRaised(t, root, of(t, 8), "question", ada, "Ada", "Which wood?", ()),
        ev.GateReminded(t, root, of(t, GATE), "plan", "This plan?", "owner", "cancel", 9.0),
        ev.GateClosed(t, root, of(t, GATE), "person", f"discord:{of(t, 91)}"),
        ev.CapReached(t, "cost", 100, 9, 9, ada, "Ada", f"discord:{of(t, 91)}"),
        ev.CapsChanged(t, root, Limits(tokens=9), f"discord:{of(t, 91)}", "Eve", ada, "Ada"),
        ev.MonthBudgetReached(0, space, f"discord:{of(t, 91)}", "2026-11", "UTC", "cost", 80, 8, 10),
        ev.Intervened(t, root, ada, "Ada", "silent", "asked", "is silent", True),
        ev.ModelWaiting(t, "busy", 5.0),
        ev.ModelBack(t),
        ev.ModelNotice(t, "the model is slow"),
        ev.AuditBegun(t, root, boss, "Boss", "Auditor"),
        ev.Audited(t, root, "accepted", "good", 1, boss, "Boss"),
        ev.TaskEnded(t, root, "done", "Built.", ("a.py",), True),
    )
    return {type(body): body for body in bodies}


async def told(database: InlineDatabase, bodies: list[ev.EventBody], first: int = 1) -> None:
    """Project these events."""
    events = [ev.Event(seq, 1_000.0 + seq, body) for seq, body in enumerate(bodies, first)]
    await database.write(lambda c: project_all(c, events))


async def world(tasks: tuple[int, ...] = (BEFORE, SUBJECT, AFTER)) -> InlineDatabase:
    """These tasks, each followed, with places, webhooks, a question on Discord and a person's words."""
    database = InlineDatabase()
    for task in tasks:
        await told(database, beginning(task), first=of(task, 0))
    records, places = BotRecords(database), PlaceRecords(database)
    for t in tasks:
        await records.follow(t, of(t, 93), "all")
        await records.follow(t, of(t, 94), "answers")
        await records.change_card(t, message_id=of(t, 95), digest="d")
        await records.set_seen(of(t, 92), 1)
        here = GuildRules(
            of(t, 90), frozenset({t}), approve=frozenset({t}), alerts_id=of(t, 89), configured=True
        )
        await records.set_rules(here)
        await places.note_made(MadePlace(of(t, 96), t, "channel", 7, "mark"))
        await places.set_group(of(t, ROOT), channel_id=of(t, 96))
        await places.keep_hook(WebhookRecord(of(t, 96), of(t, 97), "token"))
        await Ledger(database).note_incoming(f"{of(t, 92)}:1", of(t, 93), of(t, ADA), "please", 1.0)
        message = {"batch_id": of(t, 98), "part": 0, "task_id": t, "group_id": of(t, ROOT), "wire": {}}
        message |= {"gate_id": of(t, GATE), "state": "sent", "begun_at": 1.0, "message_id": of(t, 99)}
        await database.write(lambda c, m=message: c.execute(sa.insert(deliveries).values(**m)))  # type: ignore[misc]
    return database


_NUMBERS = ("guild_id", "channel_id", "agent_id", "group_id", "place_id")


def _task_of(row: dict[str, Any]) -> int:
    """Return the task that a row belongs to, 0 for what belongs to none."""
    if "task_id" in row:
        return int(row["task_id"])
    return next((owner_of(row[name]) for name in _NUMBERS if row.get(name)), 0)


Rows = dict[str, list[dict[str, Any]]]


async def rows_of(database: InlineDatabase, *tasks: int) -> Rows:
    """All rows of the bot's tables that belong to these tasks."""

    def read(connection: sa.Connection) -> Rows:
        found: Rows = {}
        for table in BOT_METADATA.sorted_tables:
            rows = connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()
            found[table.name] = [dict(row) for row in rows if _task_of(dict(row)) in tasks]
        return found

    return await database.read(read)


async def posts(database: InlineDatabase, task: int) -> list[Post]:
    """What a task has in the outbox, in order; numbers of events left out."""
    query = sa.select(outbox.c.post).where(outbox.c.task_id == task).order_by(outbox.c.id)
    return [load_post(row) for row in await database.read(lambda c: c.execute(query).scalars().all())]


def test_every_event_has_a_case() -> None:
    """A new event without one is noticed here."""
    assert set(happening(SUBJECT)) == set(get_args(ev.EventBody))


@pytest.mark.parametrize("kind", get_args(ev.EventBody), ids=lambda kind: kind.__name__)
async def test_an_event_of_one_task_changes_nothing_of_others(kind: type) -> None:
    """Every row of the other tasks stays, what was known of them too."""
    database = await world()
    await database.write(lambda c: c.execute(sa.update(task_rows).values(state="of before")))
    before = await rows_of(database, *OTHERS)
    await told(database, [happening(SUBJECT)[kind]], first=of(9, 0))
    assert await rows_of(database, *OTHERS) == before
    await database.close()


@pytest.mark.parametrize("kind", get_args(ev.EventBody), ids=lambda kind: kind.__name__)
async def test_others_change_nothing_of_what_an_event_shows(kind: type) -> None:
    """Text, place, pings and followers of its posts are the same when the task is alone."""
    seen = []
    for tasks in ((BEFORE, SUBJECT, AFTER), (SUBJECT,)):
        database = await world(tasks)
        count = len(await posts(database, SUBJECT))
        await told(database, [happening(SUBJECT)[kind]], first=of(9, 0))
        made = (await posts(database, SUBJECT))[count:]
        seen.append([{f.name: getattr(post, f.name) for f in fields(post)} for post in made])
        await database.close()
    assert seen[0] == seen[1]


Act = Callable[[InlineDatabase], Awaitable[object]]
S = SUBJECT
ACTS: dict[str, Act] = {
    "set rules": lambda db: BotRecords(db).set_rules(GuildRules(of(S, 90), configured=True)),
    "follow": lambda db: BotRecords(db).follow(S, of(S, 93), "off"),
    "change card": lambda db: BotRecords(db).change_card(S, message_id=1, shown_seq=9),
    "see": lambda db: BotRecords(db).set_seen(of(S, 92), 9),
    "forget a channel": lambda db: BotRecords(db).forget_channel(of(S, 92)),
    "change a group": lambda db: PlaceRecords(db).set_group(of(S, ROOT), archived=True, channel_id=9),
    "change a task": lambda db: PlaceRecords(db).set_task(S, category_id=9, channels_full=True),
    "make a place": lambda db: PlaceRecords(db).note_made(MadePlace(of(S, 100), S, "thread", 7)),
    "keep a webhook": lambda db: PlaceRecords(db).keep_hook(WebhookRecord(of(S, 96), 1, "other")),
    "hear": lambda db: Ledger(db).note_incoming(f"{of(S, 92)}:9", 1, of(S, ADA), "x", 1.0),
}


@pytest.mark.parametrize("name", ACTS)
async def test_an_act_on_one_task_changes_its_rows_only(name: str) -> None:
    """Something of its own changes, nothing of the others."""
    database = await world()
    before, mine = await rows_of(database, *OTHERS), await rows_of(database, SUBJECT)
    await ACTS[name](database)
    assert await rows_of(database, *OTHERS) == before
    assert await rows_of(database, SUBJECT) != mine
    await database.close()


READS: dict[str, Act] = {
    "rules": lambda db: BotRecords(db).rules(of(S, 90)),
    "card": lambda db: BotRecords(db).card(S),
    "task of a card": lambda db: BotRecords(db).task_of_card(of(S, 95)),
    "follow mode": lambda db: BotRecords(db).follow_mode(S, of(S, 94)),
    "followers": lambda db: BotRecords(db).followers(S, "all", "answers"),
    "group": lambda db: PlaceRecords(db).group(of(S, ROOT)),
    "task": lambda db: PlaceRecords(db).task(S),
    "places": lambda db: PlaceRecords(db).places(S),
    "made": lambda db: PlaceRecords(db).made(S),
    "hook": lambda db: PlaceRecords(db).hook(of(S, 96)),
    "place of a channel": lambda db: Ledger(db).place_of(of(S, 96)),
    "channel of a group": lambda db: Ledger(db).channel_of(of(S, ROOT)),
    "messages of a channel": lambda db: Ledger(db).incoming_in(of(S, 92), 9),
    "gate of a message": lambda db: Ledger(db).gate_of(of(S, 99)),
    "root": lambda db: PlaceRecords(db).root(S),
    "watchers": lambda db: db.read(lambda c: _StoredContext(c).watchers(of(S, 90))),
    "place of a group": lambda db: db.read(lambda c: _StoredContext(c).place_of(of(S, ROOT))),
    "transcript": lambda db: Transcripts(db).lines(S),
    "transcript of a group": lambda db: Transcripts(db).lines(S, of(S, ROOT)),
}


@pytest.mark.parametrize("name", READS)
async def test_a_read_shows_one_task(name: str) -> None:
    """It finds something, and the same when the task is alone."""
    seen = []
    for tasks in ((BEFORE, SUBJECT, AFTER), (SUBJECT,)):
        database = await world(tasks)
        seen.append(await READS[name](database))
        await database.close()
    assert seen[0] and seen[0] == seen[1]


async def test_groups_of_others_take_no_channel_of_a_task() -> None:
    """A deep group gets a channel of its own, however many those beside it have."""
    database = await world()
    deep = of(SUBJECT, 200)
    bodies: list[ev.EventBody] = [
        ev.GroupFormed(task, of(task, 200 + n), of(task, ROOT), of(task, BOSS), "workshop", 1)
        for task in OTHERS
        for n in range(20)
    ]
    await told(database, bodies, first=of(9, 0))
    for task in OTHERS:
        await PlaceRecords(database).set_task(task, channels_full=True)
    mine = ev.GroupFormed(SUBJECT, deep, of(SUBJECT, SHOP), of(SUBJECT, ADA), "paint", 2)
    await told(database, [mine], first=of(9, 100))
    kind = sa.select(groups.c.kind).where(groups.c.group_id == deep)
    assert await database.read(lambda c: c.execute(kind).scalar()) == "channel"
    await database.close()


async def test_a_blank_row_is_completed_alone() -> None:
    """What an older version left without server and goal; rows of other tasks stay."""
    database = await world()
    blank = sa.update(task_rows).where(task_rows.c.task_id == SUBJECT).values(guild_id=0, goal="")
    await database.write(lambda c: c.execute(blank))
    before = await rows_of(database, *OTHERS)

    async def task(_task_id: int) -> SimpleNamespace:
        return SimpleNamespace(space="guild:7", by="discord:8", goal="a boat", state="done", ended_at=1.0)

    engine = cast(Any, SimpleNamespace(look=SimpleNamespace(task=task)))
    await repair_tasks(engine, database, 0)
    assert await rows_of(database, *OTHERS) == before
    (mine,) = (row for row in (await rows_of(database, SUBJECT))["bot_task"] if row["task_id"] == SUBJECT)
    assert (mine["guild_id"], mine["owner_id"], mine["goal"], mine["state"]) == (7, 8, "a boat", "done")
    await database.close()


async def test_a_person_follows_each_task_as_they_chose_for_it() -> None:
    """What they chose for others says nothing, when it is read and when a question pings its owner."""
    database = await world()
    records = BotRecords(database)
    modes: dict[int, FollowMode] = {BEFORE: "all", SUBJECT: "off", AFTER: "answers"}
    await database.write(lambda c: c.execute(task_rows.update().values(owner_id=7)))
    for task, mode in modes.items():
        await records.follow(task, 7, mode)
    for task, mode in modes.items():
        assert await records.follow_mode(task, 7) == mode
        info = await database.read(lambda c, t=task: _StoredContext(c).task(t))  # type: ignore[misc]
        assert info is not None and info.owner_notified == (mode != "off")
    await database.close()


async def test_a_notice_links_to_a_message_of_its_own_task() -> None:
    """The server in its address is the task's."""
    database = await world()
    wire = OutgoingMessage(SUBJECT, of(SUBJECT, ROOT), "Ada", "", "It is done.", notice="Ended.")
    await database.write(lambda c: c.execute(sa.update(task_rows).values(origin_id=1)))
    await database.write(lambda c: _tell_origin(c, Delivery(1, of(SUBJECT, 98), of(SUBJECT, ROOT), wire)))
    link = f"/channels/{of(SUBJECT, 90)}/"
    assert link in str((await posts(database, SUBJECT))[-1])
    await database.close()


async def test_a_transcript_of_a_group_has_its_words_alone() -> None:
    """What was said in another group of its task stands in the other's."""
    database = await world()
    for group, said in ((SHOP, True), (ROOT, False)):
        lines = await Transcripts(database).lines(S, of(S, group))
        assert lines and any("hello" in line.text for line in lines) is said
    await database.close()


async def test_a_log_has_lines_of_its_task_only() -> None:
    """Each task's log is as long as its own story."""
    database = await world()
    lines = await BotRecords(database).log(SUBJECT, 100)
    assert lines and {line.task_id for line in lines} == {SUBJECT}
    await database.close()


# ---------------------------------------------------------------- on Discord


async def _places(stage: Stage, task_id: int) -> set[int]:
    """Ids of the channels and threads of a task."""
    rows = await PlaceRecords(stage.database).places(task_id)
    return {row.thread_id or row.channel_id for row in rows}


def _standing(stage: Stage, places: set[int]) -> list[Any]:
    """What people see of these places: the channels as they are, and every message."""
    you = stage.local.you
    shown = [channel for channel in you.channels() if int(channel["id"]) in places]
    return [(channel, you.history(channel)) for channel in shown]


async def _three(stage: Stage) -> tuple[list[int], list[set[int]]]:
    """Three tasks begin in one channel, each with a place of its own."""
    tasks = [(await begun(stage))[0] for _ in range(3)]
    return tasks, [await _places(stage, task_id) for task_id in tasks]


async def test_the_end_of_a_task_is_told_in_its_own_place(stage: Stage) -> None:
    """Words, questions, report and pings of the second task appear nowhere else."""
    tasks, places = await _three(stage)
    others = places[0] | places[2]
    assert not places[1] & others
    await BotRecords(stage.database).follow(tasks[1], 4242, "all")
    before = _standing(stage, others)
    boss = stage.boss(tasks[1])
    stage.engine.speak(boss, "only here")
    stage.engine.raise_gate(boss, "Which wood?", ("Oak", "Ash"))
    await stage.drain()
    stage.engine.end(tasks[1], report="the report of the second")
    await stage.drain()
    assert _standing(stage, others) == before
    said = str(_standing(stage, places[1]))
    assert all(text in said for text in ("only here", "Which wood?", "the report of the second", "<@4242>"))


@pytest.mark.parametrize("remove", [True, False], ids=["removed", "read-only"])
async def test_archiving_touches_its_own_places_only(stage: Stage, remove: bool) -> None:
    """Channels, permissions and messages of the tasks beside it stay, and so do their rows."""
    tasks, places = await _three(stage)
    others = places[0] | places[2]
    await seen_by_bot(stage)
    before = _standing(stage, others)
    rows = await _all_rows(stage, tasks[1])
    closed = await close_places(stage.client, stage.database, stage.outbox.transcripts, tasks[1], remove)
    assert closed.forbidden == closed.not_ours == ()
    await seen_by_bot(stage)
    assert _standing(stage, others) == before and len(before) == 2
    assert await _all_rows(stage, tasks[1]) == rows
    archived = sa.select(groups.c.task_id).where(groups.c.archived).distinct()
    assert await stage.database.read(lambda c: c.execute(archived).scalars().all()) == [tasks[1]]
    assert bool(_standing(stage, places[1])) != remove


async def test_opening_places_again_touches_its_own_only(stage: Stage) -> None:
    """Of three archived tasks one is continued; of two with places open one is not archived."""
    tasks, places = await _three(stage)
    await seen_by_bot(stage)
    for task in tasks:
        await close_places(stage.client, stage.database, stage.outbox.transcripts, task, False)
    await seen_by_bot(stage)
    before, rows = _standing(stage, places[0] | places[2]), await _all_rows(stage, tasks[1])
    mine = _standing(stage, places[1])
    assert await reopen_places(stage.client, stage.database, tasks[1]) == ()
    await seen_by_bot(stage)
    assert _standing(stage, places[0] | places[2]) == before and _standing(stage, places[1]) != mine
    assert await _all_rows(stage, tasks[1]) == rows
    everything = await _all_rows(stage, 0)
    assert await reopen_places(stage.client, stage.database, tasks[1]) is None
    assert await _all_rows(stage, 0) == everything


async def test_a_deleted_place_is_forgotten_by_its_task_alone() -> None:
    """Also where others have a group in the same channel, or the same category."""
    database, place = await world(), of(S, 96)

    def shared(connection: sa.Connection) -> None:
        connection.execute(sa.update(groups).values(channel_id=place))
        connection.execute(sa.update(task_rows).values(category_id=place))

    await database.write(shared)
    before, mine = await rows_of(database, *OTHERS), await rows_of(database, S)
    for gone in (place, of(BEFORE, 96)):
        await database.write(lambda c, gone=gone: _forget(c, S, gone))  # type: ignore[misc]
        assert await rows_of(database, *OTHERS) == before
    now = await rows_of(database, S)
    assert (
        {row["channel_id"] for row in now["bot_group"]}
        == {0}
        != {row["channel_id"] for row in mine["bot_group"]}
    )
    left = sa.select(made_places.c.place_id).order_by(made_places.c.place_id)
    assert await database.read(lambda c: c.execute(left).scalars().all()) == [of(o, 96) for o in OTHERS]
    await database.close()


async def _all_rows(stage: Stage, but: int) -> Rows:
    """All rows that name a task, except those of one."""

    def read(connection: sa.Connection) -> Rows:
        tables = [table for table in BOT_METADATA.sorted_tables if "task_id" in table.c]
        return {
            t.name: [dict(r) for r in connection.execute(sa.select(t).where(t.c.task_id != but)).mappings()]
            for t in tables
        }

    return await stage.database.read(read)
