"""One contract for the outbox's tables on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bot.outbox.ledger import Ledger, MessageLocation, enqueue
from bot.outbox.post import Entry, Lane, OutgoingMessage, Post
from bot.outbox.projector import project_all
from bot.outbox.transcripts import Transcripts
from bot.places.records import PlaceRecords, WebhookRecord
from bot.storage.tables import BOT_METADATA
from engine import events as ev
from engine.errors import NotFound
from engine.ports import Database
from engine.store.database import open_database, sync_engine
from tests.fakes.postgres import Cluster

BIG = 1_574_681_296_343_400_448
STORY: tuple[ev.EventBody, ...] = (
    ev.TaskAccepted(1, "goal", f"discord:{BIG}", f"guild:{BIG + 1}", origin=f"channel:{BIG + 2}"),
    ev.GroupFormed(1, 2, None, 3, "Root", 0),
    ev.AgentJoined(1, 2, 3, "Ada", "boss"),
    ev.AgentSpoke(1, 2, 3, "Ada", (), "one"),
    ev.AgentSpoke(1, 2, 3, "Ada", (), "two"),
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One throw-away PostgreSQL server."""
    running = Cluster()
    yield running
    running.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path
) -> AsyncIterator[Database]:
    """An empty database of either kind with the bot's tables and the story told."""
    url = f"sqlite:///{tmp_path / 'bot.db'}" if request.param == "sqlite" else cluster.new_database()
    plain = sync_engine(url)
    BOT_METADATA.create_all(plain)
    plain.dispose()
    opened = open_database(url)
    events = [ev.Event(i, 10.0 + i, body) for i, body in enumerate(STORY, 1)]
    await opened.write(lambda c: project_all(c, events))
    yield opened
    await opened.close()


async def spoken(ledger: Ledger) -> list[Entry]:
    """What Ada said, waiting."""
    return [entry for entry in await ledger.waiting() if entry.post.kind == "say"]


def wire(content: str, **more: int) -> OutgoingMessage:
    """A message of Ada's."""
    return OutgoingMessage(1, 2, "Ada", "Ada", content, **more)  # type: ignore[arg-type]


async def test_pending_sending_sent(database: Database) -> None:
    """A batch of two posts in two messages: sent when the last is there, found unfinished until then."""
    ledger = Ledger(database)
    entries = await spoken(ledger)
    first, second = await ledger.begin(entries, [wire("one"), wire("two")], 99.0)
    assert await spoken(ledger) == []
    assert [(d.id, d.begun_at) for d in await ledger.unfinished()] == [(first.id, 99.0), (second.id, 0.0)]
    await ledger.sent(first, MessageLocation(BIG, BIG + 1))
    assert (await ledger.counts())["sending"] == 2
    second = await ledger.sending(second, 100.0)
    assert [d.begun_at for d in await ledger.unfinished()] == [100.0]
    await ledger.sent(second, MessageLocation(BIG, BIG + 2))
    assert await ledger.unfinished() == []
    assert (await ledger.counts())["sent"] == 2
    assert await ledger.agents_of(BIG + 2) == [3]
    assert await ledger.known([BIG + 1, 5]) == {BIG + 1}


async def test_dropped_batches_are_closed(database: Database) -> None:
    """What Discord refuses for good does not come back at the next start."""
    ledger = Ledger(database)
    (delivery,) = await ledger.begin(await spoken(ledger), [wire("one")], 1.0)
    await ledger.drop(delivery)
    assert await ledger.unfinished() == [] and await spoken(ledger) == []
    assert (await ledger.counts())["dropped"] == 2


async def test_no_post_is_passed_by(database: Database) -> None:
    """Of two writers at once the earlier post is never seen after the later one, where reading goes on."""
    ledger = Ledger(database)
    last = (await ledger.waiting())[-1]
    written, end = threading.Event(), threading.Event()

    def slowly(connection: Connection) -> None:
        enqueue(connection, "first", last.post, 1.0)
        written.set()
        end.wait(10)

    first = asyncio.create_task(database.write(slowly))
    await asyncio.to_thread(written.wait, 10)
    second = asyncio.create_task(ledger.say("second", last.post, 2.0))
    await asyncio.wait([second], timeout=0.3)
    seen = await ledger.waiting(last.id)
    end.set()
    await asyncio.gather(first, second)
    rest = await ledger.waiting(max([last.id, *(entry.id for entry in seen)]))
    assert len(seen) + len(rest) == 2


async def test_waiting_goes_on_after_an_id(database: Database) -> None:
    """Only what is newer is handed out, in order."""
    ledger = Ledger(database)
    entries = await ledger.waiting()
    assert [entry.id for entry in await ledger.waiting(entries[0].id)] == [e.id for e in entries[1:]]
    await ledger.close_entries([entry.id for entry in entries])
    assert await ledger.waiting() == []


async def test_pruning_keeps_the_way_back(database: Database) -> None:
    """Old settled messages are emptied once; to whom they lead, what was said and what waits stay."""
    ledger = Ledger(database)
    one, two = await spoken(ledger)
    (old,) = await ledger.begin([one], [wire("one")], 100.0)
    await ledger.sent(old, MessageLocation(BIG, BIG + 1))
    (open_,) = await ledger.begin([two], [wire("two")], 101.0)
    react = Post(1, 2, 9, "react", Lane.STATUS, "👀", ref="5:6", eager=False)
    assert await ledger.say("mark", react, 50.0)
    (mark,) = [entry for entry in await ledger.waiting() if entry.post.kind == "react"]
    await ledger.close_entries([mark.id])
    before = sum((await ledger.counts()).values())
    assert [await ledger.prune(200.0) for _ in range(2)] == [1, 0]
    assert sum((await ledger.counts()).values()) == before - 1
    assert await ledger.agents_of(BIG + 1) == [3] and await ledger.known([BIG + 1]) == {BIG + 1}
    assert [d.wire.content for d in await ledger.unfinished()] == ["two"] and open_.id != old.id
    assert "one" in [line.text for line in await Transcripts(database).lines(1)]


async def test_a_key_is_said_once(database: Database) -> None:
    """The same notice again is no news."""
    ledger = Ledger(database)
    note = Post(1, 2, 0, "note", Lane.STATUS, "repaired")
    assert [await ledger.say("k", note, 1.0) for _ in range(2)] == [True, False]
    for _ in range(2):
        await ledger.said_before("k")
    assert [await ledger.say("k", note, 1.0) for _ in range(2)] == [True, False]


async def test_gates_people_and_homes(database: Database) -> None:
    """Gate's message, people's messages (the first note of one counts) and the task's home."""
    ledger = Ledger(database)
    assert await ledger.gate_message(8) is None
    (delivery,) = await ledger.begin(await spoken(ledger), [wire("?", gate_id=8)], 1.0)
    await ledger.sent(delivery, MessageLocation(BIG, BIG + 9))
    assert await ledger.gate_message(8) == MessageLocation(BIG, BIG + 9)
    for _ in range(2):
        await ledger.note_incoming("1:2", BIG, 3, "x" * 500, 1.0)
    records = PlaceRecords(database)
    task = await records.task(1)
    assert (task.origin_id, task.owner_id, task.guild_id) == (BIG + 2, BIG, BIG + 1)


async def test_peoples_messages_are_found_by_their_channel(database: Database) -> None:
    """The newest first, as many as asked for, none of a channel whose id begins alike."""
    ledger = Ledger(database)
    for number, (channel, at) in enumerate(((12, 1.0), (12, 3.0), (123, 4.0), (1, 5.0), (12, 2.0))):
        await ledger.note_incoming(f"{channel}:{number}", BIG, 3, "x", at)
    found = [record.ref for record in await ledger.incoming_in(12, 2)]
    assert found == ["12:1", "12:4"] and await ledger.incoming_in(2, 9) == []


async def test_a_gate_is_posted_again_once(database: Database) -> None:
    """Found by its channel or the one above its thread; its old message is none of a question's any more."""
    ledger, records = Ledger(database), PlaceRecords(database)
    await records.set_group(2, channel_id=BIG, thread_id=BIG + 1)
    post = Post(1, 2, 9, "gate", Lane.STATUS, "Which?", persona="Ada", agent_id=3, gate_id=7)
    await database.write(lambda c: enqueue(c, "gate", post, 1.0))
    (entry,) = [each for each in await ledger.waiting() if each.post.kind == "gate"]
    (asked,) = await ledger.begin([entry], [wire("Which?", gate_id=7)], 2.0)
    assert await ledger.gates_in(BIG) == [] and not await ledger.ask_again(7, 3.0), "not sent yet"
    await ledger.sent(asked, MessageLocation(BIG + 1, BIG + 2))
    assert await ledger.gates_in(BIG) == await ledger.gates_in(BIG + 1) == [7]
    assert await ledger.ask_again(7, 4.0) and not await ledger.ask_again(7, 5.0)
    (again,) = [each for each in await ledger.waiting() if each.post.kind == "gate"]
    assert again.post == post and await ledger.gate_message(7) is None
    assert await ledger.gates_in(BIG) == [] and await ledger.gate_of(BIG + 2) == 7


async def test_places_and_hooks(database: Database) -> None:
    """Groups lead to places and back; a channel keeps one webhook."""
    ledger, records = Ledger(database), PlaceRecords(database)
    assert await ledger.channel_of(2) is None
    await records.set_group(2, channel_id=BIG, thread_id=BIG + 1)
    assert await ledger.channel_of(2) == BIG + 1
    assert (await ledger.place_of(BIG + 1)) is not None and await ledger.place_of(BIG) is None
    assert [group.group_id for group in await records.places(1)] == [2]
    for token in ("a", "b"):
        await records.keep_hook(WebhookRecord(BIG, 5, token, repairs=1))
    assert await records.hook(BIG) == WebhookRecord(BIG, 5, "b", 1)
    with pytest.raises(NotFound):
        await records.group(99)
    with pytest.raises(NotFound):
        await records.task(99)
