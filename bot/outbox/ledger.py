"""What was posted and what is still to be: the outbox's rows, and the way back from a message to an agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, delete, func, insert, select, update

from bot.outbox.post import (
    UPDATE_KINDS,
    Entry,
    OutgoingMessage,
    Post,
    dump_outgoing,
    dump_post,
    load_outgoing,
    load_post,
)
from bot.storage.tables import deliveries, groups, incoming, outbox
from bot.storage.upsert import insert_once
from engine.ports import Database

UNSETTLED = ("pending", "sending")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of a batch. `begun_at` (unix time) is when it was first about to be sent, 0 before."""

    id: int
    batch_id: int
    group_id: int
    wire: OutgoingMessage
    begun_at: float = 0.0

    @property
    def place_key(self) -> int:
        """As `Post.place_key`."""
        return self.group_id or -self.wire.channel_id


@dataclass(frozen=True, slots=True)
class GroupRef:
    """Which task and group a channel or thread belongs to."""

    task_id: int
    group_id: int
    head_id: int


@dataclass(frozen=True, slots=True)
class MessageLocation:
    """A message of ours on Discord; `channel_id` is the thread's own id inside a thread."""

    channel_id: int
    message_id: int


def enqueue(connection: Connection, key: str, post: Post, at: float) -> bool:
    """Put a post into the outbox; a key already used changes nothing. Runs in the caller's transaction."""
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
    return insert_once(connection, outbox, values)


class Ledger:
    """Every method is one transaction, durable when it returns unless it says otherwise."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------ the way out

    async def waiting(self, after: int = 0) -> list[Entry]:
        """Posts not yet in a batch with an id above `after`, in order."""
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
        """Bind entries and the messages that carry them; the first message counts as being sent."""
        batch_id = min(entry.id for entry in entries)
        mine = outbox.c.id.in_([entry.id for entry in entries])

        def work(connection: Connection) -> list[Delivery]:
            connection.execute(update(outbox).where(mine).values(state="sending", batch_id=batch_id))
            return [
                _insert(connection, batch_id, i, wire, now if i == 0 else 0.0) for i, wire in enumerate(wires)
            ]

        return await self._database.write(work)

    async def sending(self, delivery: Delivery, now: float) -> Delivery:
        """A message is about to go out for the first time."""
        await self._settle(deliveries.c.id == delivery.id, state="sending", begun_at=now)
        return replace(delivery, begun_at=now)

    async def sent(self, delivery: Delivery, where: MessageLocation) -> None:
        """A message is on Discord; with the last one of a batch its posts are done.

        Not forced to disk: a power cut that loses this only makes the next start look the message up.
        """
        done = {"state": "sent", "channel_id": where.channel_id, "message_id": where.message_id}
        await self._settle(deliveries.c.id == delivery.id, delivery.batch_id, durable=False, **done)

    async def drop(self, delivery: Delivery) -> None:
        """Discord refuses this message for good."""
        await self._settle(deliveries.c.id == delivery.id, delivery.batch_id, state="dropped")

    async def close_entries(self, ids: Sequence[int], state: str = "sent") -> None:
        """These entries need no message any more."""
        change = update(outbox).where(outbox.c.id.in_(ids)).values(state=state)
        await self._database.write(lambda c: c.execute(change))

    async def unfinished(self) -> list[Delivery]:
        """Messages of batches begun before a restart and not known to be on Discord, in order."""
        columns = [deliveries.c[name] for name in ("id", "batch_id", "group_id", "wire", "begun_at")]
        query = select(*columns).where(deliveries.c.state.in_(UNSETTLED)).order_by(deliveries.c.id)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [
            Delivery(i, batch, group, load_outgoing(wire), begun) for i, batch, group, wire, begun in rows
        ]

    async def known(self, message_ids: Sequence[int]) -> set[int]:
        """Those of the ids that are already accounted for."""
        query = select(deliveries.c.message_id).where(deliveries.c.message_id.in_(message_ids))
        return set(await self._database.read(lambda c: c.execute(query).scalars().all()))

    async def say(self, key: str, post: Post, now: float) -> bool:
        """Put a post of the bot's own into the outbox, once a key for ever; True when it is new."""
        return await self._database.write(lambda c: enqueue(c, f"say:{key}", post, now))

    async def counts(self) -> dict[str, int]:
        """How many posts are in which state (for `/doctor`)."""
        query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return {state: count for state, count in rows}  # noqa: C416 - rows are not pairs to dict()'s types

    async def prune(self, before: float) -> int:
        """Empty what was settled before unix time `before` -> how many messages.

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
        self, which: ColumnElement[bool], batch_id: int = 0, durable: bool = True, **values: Any
    ) -> None:
        def work(connection: Connection) -> None:
            connection.execute(update(deliveries).where(which).values(**values))
            if batch_id:
                _close_batch(connection, batch_id)

        await self._database.write(work, durable=durable)

    # ------------------------------------------------------------ the way back

    async def agents_of(self, message_id: int) -> list[int]:
        """All agents whose words a message carries, in the order they speak in it."""
        query = (
            select(outbox.c.agent_id)
            .join(deliveries, deliveries.c.batch_id == outbox.c.batch_id)
            .where(deliveries.c.message_id == message_id, outbox.c.agent_id.is_not(None))
            .order_by(outbox.c.id)
        )
        rows = await self._database.read(lambda c: c.execute(query).scalars().all())
        return list(dict.fromkeys(rows))

    async def place_of(self, channel_id: int) -> GroupRef | None:
        """The group a channel or thread belongs to; a channel with threads belongs to its own group."""
        mine = (groups.c.thread_id == channel_id) | (
            (groups.c.channel_id == channel_id) & (groups.c.thread_id == 0)
        )
        query = (
            select(groups.c.task_id, groups.c.group_id, groups.c.head_id)
            .where(mine)
            .order_by(groups.c.depth, groups.c.group_id)
        )
        row = await self._database.read(lambda c: c.execute(query).first())
        return GroupRef(*row) if row else None

    async def channel_of(self, group_id: int) -> int | None:
        """The channel or thread of a group, None before anything was posted there."""
        query = select(groups.c.thread_id, groups.c.channel_id).where(groups.c.group_id == group_id)
        row = await self._database.read(lambda c: c.execute(query).first())
        return (row.thread_id or row.channel_id or None) if row else None

    async def gate_message(self, gate_id: int) -> MessageLocation | None:
        """Where the message of a gate stands, None before it is sent."""
        query = select(deliveries.c.channel_id, deliveries.c.message_id).where(
            deliveries.c.gate_id == gate_id, deliveries.c.state == "sent"
        )
        row = await self._database.read(lambda c: c.execute(query).first())
        return MessageLocation(*row) if row else None

    async def gate_of(self, message_id: int) -> int | None:
        """The gate a message of ours asks, None for any other message."""
        query = select(deliveries.c.gate_id).where(deliveries.c.message_id == message_id)
        return await self._database.read(lambda c: c.execute(query).scalar())

    async def note_incoming(self, ref: str, user_id: int, agent_id: int, text: str, now: float) -> None:
        """Remember a person's message handed to an agent, so that the answer can name and ping them."""
        values = {"ref": ref, "user_id": user_id, "agent_id": agent_id, "excerpt": text[:200], "at": now}
        await self._database.write(lambda c: insert_once(c, incoming, values))


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
    """The posts of a batch are sent when none of its messages is open any more."""
    mine = deliveries.c.batch_id == batch_id
    states = connection.execute(select(deliveries.c.state).where(mine)).scalars().all()
    if not set(states) & set(UNSETTLED):
        state = "sent" if "sent" in states else "dropped"
        connection.execute(update(outbox).where(outbox.c.batch_id == batch_id).values(state=state))
