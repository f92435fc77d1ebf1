"""The outbox's rows: posts to send, messages sent, and the lookup from a message to its agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, delete, exists, func, insert, select, update

from bot.discord.identities import message_of, message_ref
from bot.outbox.post import (
    UPDATE_KINDS,
    EmbedCard,
    Entry,
    Lane,
    OutgoingMessage,
    Post,
    dump_outgoing,
    dump_post,
    load_outgoing,
    load_post,
)
from bot.storage.tables import deliveries, groups, incoming, made_places, outbox, tasks
from bot.storage.upsert import insert_once
from engine.ports import Database

UNSETTLED = ("pending", "sending")
RECORDED_S = 2.0
"""How long a look-up waits for the id of a message that is on its way."""

_ORDER_LOCK = 0x4F757442
"""PostgreSQL gives out ids before the commit; without this lock the reader of new posts could pass one by."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of a batch. `begun_at` is Discord's time of the first attempt to send it, 0 before."""

    id: int
    batch_id: int
    group_id: int
    wire: OutgoingMessage
    begun_at: float = 0.0

    @property
    def place_key(self) -> int:
        """Return the key of its place; see `Post.place_key`."""
        return self.group_id or -self.wire.channel_id


@dataclass(frozen=True, slots=True)
class GroupRef:
    """The task, group and head that a channel or thread belongs to."""

    task_id: int
    group_id: int
    head_id: int
    shared: bool = False
    """Whether the channel is people's own, where a group only speaks for want of a place."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A person's message that was delivered to an agent; see `IncomingRow`."""

    ref: str
    user_id: int
    agent_id: int
    excerpt: str
    edited_at: float | None


@dataclass(frozen=True, slots=True)
class MessageLocation:
    """A message of the bot on Discord; in a thread, `channel_id` is the thread's id.

    `webhook_id`: the webhook that sent it, 0 for the bot itself.
    """

    channel_id: int
    message_id: int
    webhook_id: int = 0


def enqueue(connection: Connection, key: str, post: Post, at: float) -> bool:
    """Insert a post into the outbox; a known key changes nothing. Runs in the caller's transaction."""
    values = {
        "key": key,
        "task_id": post.task_id,
        "group_id": post.group_id,
        "agent_id": post.agent_id,
        "seq": post.seq,
        "at": at,
        "state": "pending",
        "post": dump_post(post),
    }
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_ORDER_LOCK)))
    return insert_once(connection, outbox, values)


class Ledger:
    """Repository of posts and deliveries. Each method is one transaction, durable unless noted.

    `wake` is called for posts that follow from what was sent.
    """

    def __init__(self, database: Database, wake: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._wake = wake
        self._settled = asyncio.Event()

    # ------------------------------------------------------------ the way out

    async def waiting(self, after: int = 0) -> list[Entry]:
        """Return posts that are in no batch yet and have an id above `after`, in order."""
        query = (
            select(outbox.c.id, outbox.c.at, outbox.c.post)
            .where(outbox.c.state == "pending", outbox.c.id > after)
            .order_by(outbox.c.id)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [Entry(id_, at, load_post(post)) for id_, at, post in rows]

    async def begin(
        self, entries: Sequence[Entry], wires: Sequence[OutgoingMessage], now: float
    ) -> list[Delivery]:
        """Store the messages that carry `entries`; the first one counts as being sent."""
        batch_id = min(entry.id for entry in entries)
        mine = outbox.c.id.in_([entry.id for entry in entries])

        def work(connection: Connection) -> list[Delivery]:
            connection.execute(update(outbox).where(mine).values(state="sending", batch_id=batch_id))
            return [
                _insert(connection, batch_id, i, wire, now if i == 0 else 0.0) for i, wire in enumerate(wires)
            ]

        return await self._database.write(work)

    async def sending(self, delivery: Delivery, now: float) -> Delivery:
        """Record that a message is about to be sent for the first time."""
        await self._settle(deliveries.c.id == delivery.id, state="sending", begun_at=now)
        return replace(delivery, begun_at=now)

    async def sent(self, delivery: Delivery, where: MessageLocation) -> None:
        """Record that a message is on Discord; the last one of a batch settles its posts.

        What follows from it (a `notice` in the task's origin, a `pin`) is enqueued with that. Not flushed to
        disk: if a power failure loses this, the next start looks the message up.
        """
        done = {"state": "sent", **asdict(where)}
        mine = deliveries.c.id == delivery.id
        followed = delivery if delivery.wire.notice or delivery.wire.pin else None
        await self._settle(mine, delivery.batch_id, durable=False, followed=followed, **done)

    async def drop(self, delivery: Delivery) -> None:
        """Record that Discord permanently rejects this message."""
        await self._settle(deliveries.c.id == delivery.id, delivery.batch_id, state="dropped")

    async def close_entries(self, ids: Sequence[int], state: str = "sent") -> None:
        """Set the state of entries that need no message."""
        change = update(outbox).where(outbox.c.id.in_(ids)).values(state=state)
        await self._database.write(lambda c: c.execute(change))

    async def unfinished(self) -> list[Delivery]:
        """Return messages of batches started before a restart and not confirmed as sent, in order."""
        columns = [deliveries.c[name] for name in ("id", "batch_id", "group_id", "wire", "begun_at")]
        query = select(*columns).where(deliveries.c.state.in_(UNSETTLED)).order_by(deliveries.c.id)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [
            Delivery(i, batch, group, load_outgoing(wire), begun) for i, batch, group, wire, begun in rows
        ]

    async def known(self, message_ids: Sequence[int]) -> set[int]:
        """Return those of the ids that already belong to a delivery."""
        query = select(deliveries.c.message_id).where(deliveries.c.message_id.in_(message_ids))
        return set(await self._database.read(lambda c: c.execute(query).scalars().all()))

    async def say(self, key: str, post: Post, now: float) -> bool:
        """Enqueue a post of the bot itself, at most once per key; return True if it is new."""
        return await self._database.write(lambda c: enqueue(c, f"say:{key}", post, now))

    async def said_before(self, key: str) -> None:
        """Take its key from a post of the bot itself, so that it may be said once more. Its row stays."""
        known = outbox.c.key == f"say:{key}"
        past = update(outbox).where(known).values(key=outbox.c.key + ":" + cast(outbox.c.id, Text))
        await self._database.write(lambda c: c.execute(past))

    async def counts(self) -> dict[str, int]:
        """Return the number of posts in each state (for `/doctor`)."""
        query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return {state: count for state, count in rows}  # noqa: C416 - rows are not pairs to dict()'s types

    async def prune(self, before: float) -> int:
        """Empty messages settled before unix time `before`; return how many.

        Their content is on Discord. Kept is what leads from a message back to agents and events, and what
        was said, for transcripts; acts go altogether.
        """
        settled = deliveries.c.state.not_in(UNSETTLED) & (deliveries.c.begun_at < before)
        lone = outbox.c.state.not_in(UNSETTLED) & outbox.c.batch_id.is_(None) & (outbox.c.at < before)

        def work(connection: Connection) -> int:
            bare = select(deliveries.c.id).where(settled, cast(deliveries.c.wire, Text) != "{}")
            change = update(deliveries).where(deliveries.c.id.in_(bare)).values(wire={})
            connection.execute(
                delete(outbox).where(lone, outbox.c.post["kind"].as_string().in_(UPDATE_KINDS))
            )
            return connection.execute(change).rowcount

        return await self._database.write(work)

    async def _settle(
        self,
        which: ColumnElement[bool],
        batch_id: int = 0,
        durable: bool = True,
        followed: Delivery | None = None,
        **values: Any,
    ) -> None:
        def work(connection: Connection) -> None:
            connection.execute(update(deliveries).where(which).values(**values))
            if batch_id:
                _close_batch(connection, batch_id)
            if followed is not None and followed.wire.notice:
                _tell_origin(connection, followed)
            if followed is not None and followed.wire.pin:
                _pin(connection, followed)

        await self._database.write(work, durable=durable)
        if followed is not None:
            self._wake()
        self._settled.set()
        self._settled = asyncio.Event()

    # ------------------------------------------------------------ the way back

    async def recorded(self, message_id: int, channel_id: int) -> None:
        """Return once it is recorded what a message carries, or that it is none of those being sent.

        A person may answer a message before the response that names its id is stored.
        """
        known = exists().where(deliveries.c.message_id == message_id)
        sending = exists().where(deliveries.c.state == "sending", _in_channel(channel_id))
        with suppress(TimeoutError):
            async with asyncio.timeout(RECORDED_S):
                while True:
                    settled = self._settled
                    if not await self._database.read(lambda c: c.scalar(select(sending & ~known))):
                        return
                    await settled.wait()

    async def agents_of(self, message_id: int) -> list[int]:
        """Return the agents whose posts a message contains, in their order in the message."""
        query = (
            select(outbox.c.agent_id)
            .join(deliveries, deliveries.c.batch_id == outbox.c.batch_id)
            .where(deliveries.c.message_id == message_id, outbox.c.agent_id.is_not(None))
            .order_by(outbox.c.id)
        )
        rows = await self._database.read(lambda c: c.execute(query).scalars().all())
        return list(dict.fromkeys(rows))

    async def spoke_at(self, message_id: int) -> dict[int, list[float]]:
        """Return the agents whose posts a message contains, each with the times of what was posted."""
        query = (
            select(outbox.c.agent_id, outbox.c.at)
            .join(deliveries, deliveries.c.batch_id == outbox.c.batch_id)
            .where(deliveries.c.message_id == message_id, outbox.c.agent_id.is_not(None))
            .order_by(outbox.c.id)
        )
        found: dict[int, list[float]] = {}
        for agent_id, at in await self._database.read(lambda c: c.execute(query).all()):
            found.setdefault(agent_id, []).append(at)
        return found

    async def place_of(self, channel_id: int) -> GroupRef | None:
        """Return the group of a channel or thread; a channel belongs to its own group, not its threads'."""
        mine = (groups.c.thread_id == channel_id) | (
            (groups.c.channel_id == channel_id) & (groups.c.thread_id == 0)
        )
        query = (
            select(groups.c.task_id, groups.c.group_id, groups.c.head_id)
            .add_columns(_borrowed(channel_id))
            .where(mine)
            .order_by(groups.c.depth, groups.c.group_id)
        )
        row = await self._database.read(lambda c: c.execute(query).first())
        return GroupRef(row[0], row[1], row[2], shared=bool(row[3])) if row else None

    async def channel_of(self, group_id: int) -> int | None:
        """Return the channel or thread of a group, None if it has no place yet."""
        query = select(groups.c.thread_id, groups.c.channel_id).where(groups.c.group_id == group_id)
        row = await self._database.read(lambda c: c.execute(query).first())
        return (row.thread_id or row.channel_id or None) if row else None

    async def gate_message(self, gate_id: int) -> MessageLocation | None:
        """Return the location of a gate's message, None before it is sent."""
        columns = (deliveries.c.channel_id, deliveries.c.message_id, deliveries.c.webhook_id)
        query = select(*columns).where(deliveries.c.gate_id == gate_id, deliveries.c.state == "sent")
        row = await self._database.read(lambda c: c.execute(query).first())
        return MessageLocation(*row) if row else None

    async def gates_in(self, channel_id: int) -> list[int]:
        """Return the gates, closed ones too, whose messages stand in a channel, its threads, or a thread."""
        threads = select(groups.c.thread_id).where(groups.c.channel_id == channel_id, groups.c.thread_id != 0)
        there = (deliveries.c.channel_id == channel_id) | deliveries.c.channel_id.in_(threads)
        query = select(deliveries.c.gate_id).where(
            deliveries.c.gate_id.is_not(None), deliveries.c.state == "sent", there
        )
        return sorted(set(await self._database.read(lambda c: c.execute(query).scalars().all())))

    async def ask_again(self, gate_id: int, now: float) -> bool:
        """Post a gate once more whose message was deleted, once; return whether it is posted."""

        def work(connection: Connection) -> bool:
            asked = (deliveries.c.gate_id == gate_id) & (deliveries.c.state == "sent")
            known = select(outbox.c.post).where(
                outbox.c.batch_id.in_(select(deliveries.c.batch_id).where(asked)),
                outbox.c.post["gate_id"].as_integer() == gate_id,
            )
            post = connection.execute(known).scalar()
            if post is None or not enqueue(connection, f"again:{gate_id}", load_post(post), now):
                return False
            connection.execute(update(deliveries).where(asked).values(state="deleted"))
            return True

        again = await self._database.write(work)
        if again:
            self._wake()
        return again

    async def gate_cards(self, gate_id: int) -> tuple[EmbedCard, ...]:
        """Return the cards of a gate's message, () where there are none or it was emptied since."""
        query = select(deliveries.c.wire).where(deliveries.c.gate_id == gate_id, deliveries.c.state == "sent")
        wire = await self._database.read(lambda c: c.execute(query).scalar())
        return load_outgoing(wire).cards if wire else ()

    async def gate_of(self, message_id: int) -> int | None:
        """Return the gate that a message of the bot asks, None for any other message."""
        query = select(deliveries.c.gate_id).where(deliveries.c.message_id == message_id)
        return await self._database.read(lambda c: c.execute(query).scalar())

    async def note_incoming(
        self, ref: str, user_id: int, agent_id: int, text: str, now: float, edited_at: float = 0.0
    ) -> None:
        """Record a person's message to an agent, so that the answer can quote and mention them."""
        values: dict[str, Any] = {
            "ref": ref,
            "channel_id": message_of(ref)[0],
            "user_id": user_id,
            "agent_id": agent_id,
        }
        values |= {"excerpt": text[:200], "at": now, "edited_at": edited_at}
        await self._database.write(lambda c: insert_once(c, incoming, values))

    async def note_edit(self, ref: str, text: str | None, edited_at: float | None) -> None:
        """Record an edit that was handled; `edited_at` None: the message is not followed any more."""
        values: dict[str, Any] = {"edited_at": edited_at}
        values |= {"excerpt": text[:200]} if text is not None else {}
        change = incoming.update().where(incoming.c.ref == ref).values(**values)
        await self._database.write(lambda c: c.execute(change))

    async def incoming_of(self, ref: str) -> IncomingMessage | None:
        """Return the record of a person's message, None for one that was never delivered."""
        query = select(*_INCOMING).where(incoming.c.ref == ref)
        row = await self._database.read(lambda c: c.execute(query).first())
        return IncomingMessage(*row) if row else None

    async def incoming_in(self, channel_id: int, most: int) -> list[IncomingMessage]:
        """Return the newest messages of people that were delivered from a channel, newest first."""
        query = select(*_INCOMING).where(incoming.c.channel_id == channel_id)
        newest = query.order_by(incoming.c.at.desc(), incoming.c.ref.desc()).limit(most)
        rows = await self._database.read(lambda c: c.execute(newest).all())
        return [IncomingMessage(*row) for row in rows]


_INCOMING = [incoming.c[name] for name in IncomingMessage.__slots__]


def _in_channel(channel_id: int) -> ColumnElement[bool]:
    """Whether a delivery goes to a channel or thread; those without a group may go to any."""
    there = (groups.c.thread_id == channel_id) | (groups.c.channel_id == channel_id)
    return deliveries.c.group_id.in_(select(groups.c.group_id).where(there)) | (deliveries.c.group_id == 0)


def _borrowed(channel_id: int) -> ColumnElement[bool]:
    """Whether a group speaks in a channel that the bot did not make: it was given no thread, or gave up."""
    made = exists().where(made_places.c.place_id == channel_id)
    fallen_back = (groups.c.thread_id == 0) & ((groups.c.kind == "thread") | (groups.c.repairs > 0))
    return fallen_back & ~made


def _insert(
    connection: Connection, batch_id: int, part: int, wire: OutgoingMessage, begun_at: float
) -> Delivery:
    values = {
        "batch_id": batch_id,
        "part": part,
        "task_id": wire.task_id,
        "group_id": wire.group_id,
        "gate_id": wire.gate_id,
        "state": "sending" if begun_at else "pending",
        "begun_at": begun_at,
        "wire": dump_outgoing(wire),
    }
    key = connection.execute(insert(deliveries).values(**values)).inserted_primary_key
    assert key is not None
    return Delivery(key[0], batch_id, wire.group_id, wire, begun_at)


def _close_batch(connection: Connection, batch_id: int) -> None:
    """Settle the posts of a batch once none of its messages is pending."""
    mine = deliveries.c.batch_id == batch_id
    states = connection.execute(select(deliveries.c.state).where(mine)).scalars().all()
    if not set(states) & set(UNSETTLED):
        state = "sent" if "sent" in states else "dropped"
        connection.execute(update(outbox).where(outbox.c.batch_id == batch_id).values(state=state))


def _tell_origin(connection: Connection, delivery: Delivery) -> None:
    """Enqueue the notice of a message for its task's origin, once, unless the message stands there."""
    wire = delivery.wire
    begins = select(deliveries.c.channel_id, deliveries.c.message_id, deliveries.c.begun_at)
    sent = (deliveries.c.batch_id == delivery.batch_id) & (deliveries.c.state == "sent")
    first = connection.execute(begins.where(sent).order_by(deliveries.c.part)).first()
    of_task = select(tasks.c.origin_id, tasks.c.guild_id).where(tasks.c.task_id == wire.task_id)
    task = connection.execute(of_task).first()
    if first is None or task is None or task.origin_id in (0, first.channel_id):
        return
    link = f"https://discord.com/channels/{task.guild_id}/{first.channel_id}/{first.message_id}"
    post = Post(wire.task_id, 0, 0, "note", Lane.STATUS, f"{wire.notice} {link}")
    post = replace(post, channel_id=task.origin_id, guild_id=task.guild_id)
    enqueue(connection, f"notice:{delivery.batch_id}", post, first.begun_at)


def _pin(connection: Connection, delivery: Delivery) -> None:
    """Enqueue the pinning of a message that was just recorded as sent, once."""
    columns = (deliveries.c.channel_id, deliveries.c.message_id, deliveries.c.begun_at)
    sent = connection.execute(select(*columns).where(deliveries.c.id == delivery.id)).one()
    ref = message_ref(sent.channel_id, sent.message_id)
    post = Post(delivery.wire.task_id, 0, 0, "pin", Lane.STATUS, "", ref=ref, eager=False)
    enqueue(connection, f"pin:{delivery.id}", post, sent.begun_at)
