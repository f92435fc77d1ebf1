"""What the bot remembers on its own account: rules of servers, follows, cards, logs, seen messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import Connection, RowMapping, Select, Table, delete, select, update

from bot.discord.access import GuildRules, Right
from bot.storage.guild_tables import CardRow, FactRow, FollowRow, GuildRow, LogRow, SeenRow
from bot.storage.tables import groups, tasks
from bot.storage.upsert import upsert
from engine.ports import Database

FollowMode = Literal["off", "answers", "all"]


def _table(row: type[Any]) -> Table:
    return cast(Table, row.__table__)


GUILDS, FOLLOWS, CARDS = _table(GuildRow), _table(FollowRow), _table(CardRow)
LOG, SEEN, FACTS = _table(LogRow), _table(SeenRow), _table(FactRow)


@dataclass(frozen=True, slots=True)
class CardRecord:
    """Where a task's live card stands; `message_id` 0 before the first post. Times are unix seconds.

    See `CardRow` for who writes what.
    """

    task_id: int
    channel_id: int
    message_id: int = 0
    posted_at: float = 0.0
    edited_at: float = 0.0
    digest: str = ""
    changed_seq: int = 0
    shown_seq: int = 0
    begun_at: float = 0.0
    stale_id: int = 0


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a task's log."""

    seq: int
    task_id: int
    at: float
    line: str


def follow_mode_query(task_id: int, user_id: int) -> Select[Any]:
    """How much a person asked to be told of a task; no row when they never did."""
    return select(FOLLOWS.c.mode).where(FOLLOWS.c.task_id == task_id, FOLLOWS.c.user_id == user_id)


def _joined(ids: frozenset[int]) -> str:
    return ",".join(str(i) for i in sorted(ids))


def _split(text: str) -> frozenset[int]:
    return frozenset(int(part) for part in text.split(",") if part)


def _rules(row: RowMapping) -> GuildRules:
    return GuildRules(
        guild_id=row["guild_id"],
        start=_split(row["start_roles"]),
        steer=_split(row["steer_roles"]),
        approve=_split(row["approve_roles"]),
        spend=_split(row["spend_roles"]),
        category_id=row["category_id"],
        configured=True,
    )


class BotRecords:
    """Durable when a method that writes returns; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def no_room(self) -> bool:
        """Whether nothing can be stored at the moment."""
        return bool(self._database.trouble)

    async def rules(self, guild_id: int) -> GuildRules:
        """The server's rules; the closed default before `/setup`."""
        query = select(GUILDS).where(GUILDS.c.guild_id == guild_id)
        row = await self._database.read(lambda c: c.execute(query).mappings().first())
        return _rules(row) if row else GuildRules(guild_id)

    async def set_rules(self, rules: GuildRules) -> None:
        """Keep the server's rules, replacing those before."""
        values: dict[str, Any] = {f"{right.value}_roles": _joined(rules.roles(right)) for right in Right}
        values["category_id"] = rules.category_id
        await self._database.write(lambda c: upsert(c, GUILDS, {"guild_id": rules.guild_id}, values))

    async def follow(self, task_id: int, user_id: int, mode: FollowMode) -> None:
        """Set how much a person is told of a task."""
        key = {"task_id": task_id, "user_id": user_id}
        await self._database.write(lambda c: upsert(c, FOLLOWS, key, {"mode": mode}))

    async def follow_mode(self, task_id: int, user_id: int) -> FollowMode | None:
        """How much a person asked to be told of a task, None when they never did."""
        query = follow_mode_query(task_id, user_id)
        return cast(FollowMode | None, await self._database.read(lambda c: c.execute(query).scalar()))

    async def followers(self, task_id: int, *modes: FollowMode) -> list[int]:
        """Ids of those who follow a task in one of `modes`, ascending."""
        query = select(FOLLOWS.c.user_id).where(FOLLOWS.c.task_id == task_id, FOLLOWS.c.mode.in_(modes))
        return sorted(await self._database.read(lambda c: c.execute(query).scalars().all()))

    async def open_channels(self) -> list[int]:
        """Channels and threads of every group of every task that has not ended."""
        going = tasks.c.state.in_(("running", "paused")) & groups.c.archived.is_(False)
        query = select(groups.c.channel_id, groups.c.thread_id).join(
            tasks, tasks.c.task_id == groups.c.task_id
        )
        rows = await self._database.read(lambda c: c.execute(query.where(going)).all())
        return sorted({row.thread_id or row.channel_id for row in rows} - {0})

    async def card(self, task_id: int) -> CardRecord | None:
        """The task's card, None when it never had one."""
        query = select(CARDS).where(CARDS.c.task_id == task_id)
        row = await self._database.read(lambda c: c.execute(query).mappings().first())
        return CardRecord(**row) if row else None

    async def change_card(self, task_id: int, *, durable: bool = True, **values: Any) -> None:
        """Change columns of a card that the card keeper owns (see `CardRow`)."""
        change = update(CARDS).where(CARDS.c.task_id == task_id).values(**values)
        await self._database.write(lambda c: c.execute(change), durable=durable)

    async def task_of_card(self, message_id: int) -> int | None:
        """The task whose card a message is, None for any other message."""
        query = select(CARDS.c.task_id).where(CARDS.c.message_id == message_id)
        return await self._database.read(lambda c: c.execute(query).scalar())

    async def cards_to_show(self, newest: int) -> list[int]:
        """Tasks whose card must be brought up to date, and the `newest` ones whatever they show."""
        behind = select(CARDS.c.task_id).where(CARDS.c.changed_seq > CARDS.c.shown_seq)
        last = select(CARDS.c.task_id).order_by(CARDS.c.task_id.desc()).limit(newest)

        def look(connection: Connection) -> set[int]:
            return {*connection.execute(behind).scalars(), *connection.execute(last).scalars()}

        return sorted(await self._database.read(look))

    async def log(self, task_id: int, limit: int, skip: int = 0) -> list[LogLine]:
        """Lines of a task's log, newest first, after leaving out `skip`."""
        query = (
            select(LOG).where(LOG.c.task_id == task_id).order_by(LOG.c.seq.desc()).limit(limit).offset(skip)
        )
        rows = await self._database.read(lambda c: c.execute(query).mappings().all())
        return [LogLine(**row) for row in rows]

    async def seen(self) -> dict[int, int]:
        """Newest message dealt with, a channel."""
        rows = await self._database.read(lambda c: c.execute(select(SEEN)).all())
        return {row.channel_id: row.message_id for row in rows}

    async def set_seen(self, channel_id: int, message_id: int) -> None:
        """A channel's messages up to `message_id` are dealt with."""
        key = {"channel_id": channel_id}
        await self._database.write(lambda c: upsert(c, SEEN, key, {"message_id": message_id}))

    async def forget_channel(self, channel_id: int) -> None:
        """A channel is gone."""
        await self._database.write(lambda c: c.execute(delete(SEEN).where(SEEN.c.channel_id == channel_id)))

    async def fact(self, name: str) -> str | None:
        """A single value, None when unset."""
        query = select(FACTS.c.value).where(FACTS.c.name == name)
        return await self._database.read(lambda c: c.execute(query).scalar())

    async def take_fact(self, name: str) -> str | None:
        """A single value, which is then gone; None when unset. Only one caller gets it."""

        def work(connection: Connection) -> str | None:
            query = delete(FACTS).where(FACTS.c.name == name).returning(FACTS.c.value)
            return connection.execute(query).scalar()

        return await self._database.write(work)

    async def drop_facts(self, first: str, last: str) -> None:
        """Forget the values whose names sort from `first` to before `last`."""
        gone = delete(FACTS).where(FACTS.c.name >= first, FACTS.c.name < last)
        await self._database.write(lambda c: c.execute(gone))

    async def set_fact(self, name: str, value: str) -> None:
        """Keep a single value."""
        await self._database.write(lambda c: upsert(c, FACTS, {"name": name}, {"value": value}))
