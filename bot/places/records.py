"""Read and write the rows of tasks, groups and webhooks that places need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from bot.storage.instance import instance_of
from bot.storage.tables import groups, made_places, tasks, webhooks
from bot.storage.upsert import insert_once, upsert
from engine.errors import NotFound
from engine.ports import Database


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """A group's row; `channel_id` is 0 while it has no place, `thread_id` 0 if it has its own channel."""

    group_id: int
    task_id: int
    parent_id: int | None
    name: str
    kind: str
    host_id: int
    channel_id: int
    thread_id: int
    repairs: int
    archived: bool


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task's row; ids are 0 if unset. `origin_id`: the channel it was started in."""

    task_id: int
    guild_id: int
    owner_id: int
    goal: str
    origin_id: int
    category_id: int
    category_repairs: int
    channels_full: bool


@dataclass(frozen=True, slots=True)
class MadePlace:
    """What the bot created for a task. `kind` is channel, thread or category."""

    place_id: int
    task_id: int
    kind: str
    creator_id: int
    marker: str = ""


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """A channel's webhook; the token is a secret."""

    channel_id: int
    webhook_id: int
    token: str
    repairs: int = 0


_GROUP = [groups.c[name] for name in GroupRecord.__slots__]
_TASK = [tasks.c[name] for name in TaskRecord.__slots__]
_MADE = [made_places.c[name] for name in MadePlace.__slots__]
_HOOK = [webhooks.c[name] for name in WebhookRecord.__slots__]


class PlaceRecords:
    """Repository of places and webhooks; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._instance = ""

    async def instance(self) -> str:
        """Return this database's permanent random name; it distinguishes our channels from another bot's."""
        if not self._instance:
            self._instance = await instance_of(self._database)
        return self._instance

    async def group(self, group_id: int) -> GroupRecord:
        """Return a group. Raises NotFound before its GroupFormed event was projected."""
        query = select(*_GROUP).where(groups.c.group_id == group_id)
        row = await self._database.read(lambda c: c.execute(query).first())
        if row is None:
            raise NotFound(f"No group {group_id} is known here yet.", "Try again in a minute.")
        return GroupRecord(*row)

    async def task(self, task_id: int) -> TaskRecord:
        """Return a task. Raises NotFound."""
        query = select(*_TASK).where(tasks.c.task_id == task_id)
        row = await self._database.read(lambda c: c.execute(query).first())
        if row is None:
            raise NotFound(f"No task {task_id} is known here.", "See /task list.")
        return TaskRecord(*row)

    async def root(self, task_id: int) -> GroupRecord:
        """Return a task's first group. Raises NotFound before its GroupFormed event was projected."""
        query = select(*_GROUP).where(groups.c.task_id == task_id, groups.c.parent_id.is_(None))
        row = await self._database.read(lambda c: c.execute(query).first())
        if row is None:
            raise NotFound(f"No group of task {task_id} is known here yet.", "Try again in a minute.")
        return GroupRecord(*row)

    async def places(self, task_id: int) -> list[GroupRecord]:
        """Return all groups of a task in the order they were formed."""
        query = select(*_GROUP).where(groups.c.task_id == task_id).order_by(groups.c.group_id)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [GroupRecord(*row) for row in rows]

    async def threads(self, channel_id: int) -> set[int]:
        """Return the ids of threads in a channel that belong to groups."""
        query = select(groups.c.thread_id).where(groups.c.channel_id == channel_id)
        return set(await self._database.read(lambda c: c.execute(query).scalars().all()))

    async def set_group(self, group_id: int, **values: Any) -> None:
        """Update columns of a group's row."""
        change = update(groups).where(groups.c.group_id == group_id).values(**values)
        await self._database.write(lambda c: c.execute(change))

    async def set_task(self, task_id: int, **values: Any) -> None:
        """Update columns of a task's row."""
        change = update(tasks).where(tasks.c.task_id == task_id).values(**values)
        await self._database.write(lambda c: c.execute(change))

    async def note_made(self, made: MadePlace) -> None:
        """Record that the bot created a place; a second time changes nothing."""
        values = {name: getattr(made, name) for name in MadePlace.__slots__}
        await self._database.write(lambda c: insert_once(c, made_places, values))

    async def made(self, task_id: int) -> list[MadePlace]:
        """Return what the bot created for a task, threads first, its category last."""
        query = select(*_MADE).where(made_places.c.task_id == task_id).order_by(made_places.c.place_id)
        rows = await self._database.read(lambda c: c.execute(query).all())
        order = ("thread", "channel", "category")
        return sorted((MadePlace(*row) for row in rows), key=lambda each: order.index(each.kind))

    async def hook(self, channel_id: int) -> WebhookRecord | None:
        """Return the stored webhook of a channel, None if there is none."""
        query = select(*_HOOK).where(webhooks.c.channel_id == channel_id)
        row = await self._database.read(lambda c: c.execute(query).first())
        return WebhookRecord(*row) if row else None

    async def hook_of(self, webhook_id: int) -> WebhookRecord | None:
        """Return the stored webhook with this id, None if it was replaced or is gone."""
        query = select(*_HOOK).where(webhooks.c.webhook_id == webhook_id)
        row = await self._database.read(lambda c: c.execute(query).first())
        return WebhookRecord(*row) if row else None

    async def keep_hook(self, hook: WebhookRecord) -> None:
        """Store the webhook of a channel, replacing an earlier one."""
        values = {"webhook_id": hook.webhook_id, "token": hook.token, "repairs": hook.repairs}
        key = {"channel_id": hook.channel_id}
        await self._database.write(lambda c: upsert(c, webhooks, key, values))
