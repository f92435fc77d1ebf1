"""Read and write the bot's own records: server rules, follows, cards, logs and seen messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Table, delete, or_, select, update

from bot.discord.access import GuildRules, Right
from bot.storage.guild_tables import CardRow, FactRow, FollowRow, GuildRow, LogRow, SeenRow
from bot.storage.instance import instance_of
from bot.storage.tables import groups, tasks
from bot.storage.upsert import upsert
from engine.commands import Quota
from engine.ports import Database, Record

MOST_OF_CHANNEL = 25
FollowMode = Literal["off", "answers", "all"]


def _table(row: type[Any]) -> Table:
    return cast(Table, row.__table__)


GUILDS, FOLLOWS, CARDS = _table(GuildRow), _table(FollowRow), _table(CardRow)
LOG, SEEN, FACTS = _table(LogRow), _table(SeenRow), _table(FactRow)


@dataclass(frozen=True, slots=True)
class CardRecord:
    """The live card of a task; `message_id` is 0 before the first post. Times are unix seconds.

    `CardRow` says which component writes which column.
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
    """Select a person's follow mode for a task; no row if they never set one."""
    return select(FOLLOWS.c.mode).where(FOLLOWS.c.task_id == task_id, FOLLOWS.c.user_id == user_id)


def _joined(ids: frozenset[int]) -> str:
    return ",".join(str(i) for i in sorted(ids))


def split_ids(text: str) -> frozenset[int]:
    """Return the ids that a column joins with commas."""
    return frozenset(int(part) for part in text.split(",") if part)


def _rules(row: RowMapping) -> GuildRules:
    return GuildRules(
        guild_id=row["guild_id"],
        start=split_ids(row["start_roles"]),
        steer=split_ids(row["steer_roles"]),
        approve=split_ids(row["approve_roles"]),
        spend=split_ids(row["spend_roles"]),
        category_id=row["category_id"],
        alerts_id=row["alerts_id"],
        configured=True,
        quota=Quota(row["most_running"], row["most_starts"], row["most_micros"]),
    )


def _columns(rules: GuildRules) -> dict[str, Any]:
    """Return the columns that hold a server's rules."""
    quota = rules.quota
    return {
        **{f"{right.value}_roles": _joined(rules.roles(right)) for right in Right},
        "category_id": rules.category_id,
        "alerts_id": rules.alerts_id,
        "most_running": quota.running,
        "most_starts": quota.starts,
        "most_micros": quota.cost_micros,
    }


def _concerned(ended: int) -> ColumnElement[bool]:
    """Tasks that have not ended, and the newest `ended` whether or not they have."""
    newest = select(tasks.c.task_id).order_by(tasks.c.task_id.desc()).limit(ended)
    return or_(tasks.c.state.in_(("running", "paused")), tasks.c.task_id.in_(newest))


class BotRecords:
    """Repository of the bot's records. Each method is one transaction, durable when it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._instance = ""

    async def instance(self) -> str:
        """A random name of this database (`bot.storage.instance`)."""
        if not self._instance:
            self._instance = await instance_of(self._database)
        return self._instance

    @property
    def no_room(self) -> bool:
        """Whether nothing can be stored at the moment."""
        return bool(self._database.trouble)

    async def rules(self, guild_id: int) -> GuildRules:
        """Return the server's rules; before `/setup`, a default that allows only managers."""
        query = select(GUILDS).where(GUILDS.c.guild_id == guild_id)
        row = await self._database.read(lambda c: c.execute(query).mappings().first())
        return _rules(row) if row else GuildRules(guild_id)

    async def set_rules(
        self, rules: GuildRules, before: GuildRules | None = None, record: Record | None = None
    ) -> None:
        """Store the server's rules: with `before` only the columns that differ from it, so that two who
        change different rules at once both keep theirs. `record` is done in the same transaction."""
        values = _columns(rules)
        old = _columns(before) if before else {}
        owned = {name: value for name, value in values.items() if name not in old or old[name] != value}
        blank = {name: value for name, value in values.items() if name not in owned}
        key = {"guild_id": rules.guild_id}

        def work(connection: Connection) -> None:
            upsert(connection, GUILDS, key, owned or values, blank if owned else None)
            if record is not None:
                record(connection)

        await self._database.write(work)

    async def follow(self, task_id: int, user_id: int, mode: FollowMode) -> None:
        """Set a person's follow mode for a task."""
        key = {"task_id": task_id, "user_id": user_id}
        await self._database.write(lambda c: upsert(c, FOLLOWS, key, {"mode": mode}))

    async def follow_mode(self, task_id: int, user_id: int) -> FollowMode | None:
        """Return a person's follow mode for a task, None if they never set one."""
        query = follow_mode_query(task_id, user_id)
        return cast(FollowMode | None, await self._database.read(lambda c: c.execute(query).scalar()))

    async def followers(self, task_id: int, *modes: FollowMode) -> list[int]:
        """Return the ids of people who follow a task in one of `modes`, ascending."""
        query = select(FOLLOWS.c.user_id).where(FOLLOWS.c.task_id == task_id, FOLLOWS.c.mode.in_(modes))
        return sorted(await self._database.read(lambda c: c.execute(query).scalars().all()))

    async def tasks_of_channel(self, channel_id: int) -> list[int]:
        """Return the newest tasks that were started in a channel, newest first."""
        query = select(tasks.c.task_id).where(tasks.c.origin_id == channel_id, tasks.c.origin_id != 0)
        newest = query.order_by(tasks.c.task_id.desc()).limit(MOST_OF_CHANNEL)
        return list(await self._database.read(lambda c: c.execute(newest).scalars().all()))

    async def servers_of_tasks(self) -> set[int]:
        """Return the servers in which tasks were ever started."""
        query = select(tasks.c.guild_id).where(tasks.c.guild_id != 0).distinct()
        return set(await self._database.read(lambda c: c.execute(query).scalars().all()))

    async def open_channels(self, *, ended: int = 0) -> list[int]:
        """Return the channels and threads of all groups of tasks that have not ended, and of the newest
        `ended` tasks whether or not they have; never archived ones."""
        unended = _concerned(ended) & groups.c.archived.is_(False)
        query = select(groups.c.channel_id, groups.c.thread_id).join(
            tasks, tasks.c.task_id == groups.c.task_id
        )
        rows = await self._database.read(lambda c: c.execute(query.where(unended)).all())
        return sorted({row.thread_id or row.channel_id for row in rows} - {0})

    async def card_channels(self, *, ended: int = 0) -> list[int]:
        """Return the channels that hold the cards of the same tasks."""
        query = select(CARDS.c.channel_id).join(tasks, tasks.c.task_id == CARDS.c.task_id)
        rows = await self._database.read(lambda c: c.execute(query.where(_concerned(ended))).scalars().all())
        return sorted(set(rows) - {0})

    async def card(self, task_id: int) -> CardRecord | None:
        """Return the task's card, None if it never had one."""
        query = select(CARDS).where(CARDS.c.task_id == task_id)
        row = await self._database.read(lambda c: c.execute(query).mappings().first())
        return CardRecord(**row) if row else None

    async def change_card(self, task_id: int, *, durable: bool = True, **values: Any) -> None:
        """Update columns of a card that `LiveCards` owns (see `CardRow`)."""
        change = update(CARDS).where(CARDS.c.task_id == task_id).values(**values)
        await self._database.write(lambda c: c.execute(change), durable=durable)

    async def task_of_card(self, message_id: int) -> int | None:
        """Return the task whose card this message is, None for any other message."""
        query = select(CARDS.c.task_id).where(CARDS.c.message_id == message_id)
        return await self._database.read(lambda c: c.execute(query).scalar())

    async def cards_to_show(self, newest: int) -> list[int]:
        """Return tasks whose card is out of date, and always the `newest` tasks, ascending."""
        behind = select(CARDS.c.task_id).where(CARDS.c.changed_seq > CARDS.c.shown_seq)
        last = select(CARDS.c.task_id).order_by(CARDS.c.task_id.desc()).limit(newest)

        def look(connection: Connection) -> set[int]:
            return {*connection.execute(behind).scalars(), *connection.execute(last).scalars()}

        return sorted(await self._database.read(look))

    async def log(self, task_id: int, limit: int, skip: int = 0) -> list[LogLine]:
        """Return lines of a task's log, newest first, after skipping the first `skip`."""
        query = (
            select(LOG).where(LOG.c.task_id == task_id).order_by(LOG.c.seq.desc()).limit(limit).offset(skip)
        )
        rows = await self._database.read(lambda c: c.execute(query).mappings().all())
        return [LogLine(**row) for row in rows]

    async def seen(self) -> dict[int, int]:
        """Return the newest handled message id of each channel."""
        rows = await self._database.read(lambda c: c.execute(select(SEEN)).all())
        return {row.channel_id: row.message_id for row in rows}

    async def set_seen(self, channel_id: int, message_id: int) -> None:
        """Record that a channel's messages up to `message_id` are handled."""
        key = {"channel_id": channel_id}
        await self._database.write(lambda c: upsert(c, SEEN, key, {"message_id": message_id}))

    async def forget_channel(self, channel_id: int) -> None:
        """Delete the record of a channel that was deleted."""
        await self._database.write(lambda c: c.execute(delete(SEEN).where(SEEN.c.channel_id == channel_id)))

    async def fact(self, name: str) -> str | None:
        """Return a single value, None if unset."""
        query = select(FACTS.c.value).where(FACTS.c.name == name)
        return await self._database.read(lambda c: c.execute(query).scalar())

    async def facts(self, prefix: str) -> dict[str, str]:
        """Return the single values whose names begin with `prefix`, by the rest of their names."""
        query = select(FACTS.c.name, FACTS.c.value).where(FACTS.c.name.startswith(prefix, autoescape=True))
        rows = await self._database.read(lambda c: c.execute(query).all())
        return {row.name.removeprefix(prefix): row.value for row in rows}

    async def drop_fact(self, name: str) -> None:
        """Delete a single value."""
        await self._database.write(lambda c: c.execute(delete(FACTS).where(FACTS.c.name == name)))

    async def take_fact(self, name: str) -> str | None:
        """Delete and return a single value, None if unset. Only one of several callers gets it."""

        def work(connection: Connection) -> str | None:
            query = delete(FACTS).where(FACTS.c.name == name).returning(FACTS.c.value)
            return connection.execute(query).scalar()

        return await self._database.write(work)

    async def drop_facts(self, first: str, last: str) -> None:
        """Delete the values whose names sort from `first` up to, not including, `last`."""
        expired = delete(FACTS).where(FACTS.c.name >= first, FACTS.c.name < last)
        await self._database.write(lambda c: c.execute(expired))

    async def set_fact(self, name: str, value: str) -> None:
        """Store a single value."""
        await self._database.write(lambda c: upsert(c, FACTS, {"name": name}, {"value": value}))
