"""Closing a task's places: read-only or removed, the transcript kept as Markdown and HTML.

Only what the bot itself created is touched: a record made at creation names it, and what Discord shows of it
at this moment (its kind, who opened the thread, the mark in the channel's topic) must still agree.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial

import discord
import sqlalchemy as sa
from sqlalchemy import Connection

from bot.discord.context import ClosedPlaces
from bot.outbox.outcomes import UNKNOWN_CHANNEL
from bot.outbox.transcripts import Transcripts
from bot.places.marks import is_own_topic, mark_of
from bot.places.records import GroupRecord, MadePlace, PlaceRecords
from bot.storage.tables import groups, made_places, tasks
from engine.ports import Database

log = logging.getLogger(__name__)
REASON = "task archived"
REOPENED = "task continued"

SILENCED = ("send_messages", "send_messages_in_threads", "create_public_threads")
"""What read-only takes from everybody; the bot may only deny what it has itself."""


async def close_places(
    client: discord.Client, database: Database, transcripts: Transcripts, task_id: int, remove: bool
) -> ClosedPlaces:
    """Make the bot's own channels and threads of a task read-only, or delete them; return what came of it.

    The transcript is made first, so nothing is lost when Discord refuses half-way; places already gone
    are passed over. Raises discord.HTTPException when Discord is in trouble; a repeat goes on.
    """
    title = f"Task {task_id}"
    kept = {
        f"task-{task_id}.md": (await transcripts.text(task_id, None, title, "md")).encode(),
        f"task-{task_id}.html": (await transcripts.text(task_id, None, title, "html")).encode(),
    }
    records = PlaceRecords(database)
    rows = {row.channel_id: row for row in await records.places(task_id) if not row.thread_id}
    closer = _Closer(client, remove, rows)
    made = await records.made(task_id)
    unrecorded = await _unrecorded(client, records, task_id, {each.place_id for each in made})
    for each in [*unrecorded, *made]:
        await closer.close(each, recorded=each in made)
    await database.write(
        lambda c: c.execute(sa.update(groups).where(groups.c.task_id == task_id).values(archived=True))
    )
    return ClosedPlaces(kept, tuple(closer.forbidden), tuple(closer.not_ours))


async def reopen_places(client: discord.Client, database: Database, task_id: int) -> tuple[int, ...] | None:
    """Make a task's archived places writable again. Return the ids of those that stay closed, None for a
    task that is not archived.

    Places that were deleted are made again when something is posted there.
    """
    archived = sa.and_(groups.c.task_id == task_id, groups.c.archived)
    if not await database.read(lambda c: c.execute(sa.select(groups.c.group_id).where(archived)).first()):
        return None
    closed: list[int] = []
    for made in await PlaceRecords(database).made(task_id):
        try:
            await _reopen(await client.fetch_channel(made.place_id))
        except discord.NotFound as error:
            if error.code != UNKNOWN_CHANNEL:
                raise
            await database.write(partial(_forget, task_id=task_id, place_id=made.place_id))
        except discord.Forbidden as error:
            log.warning("place %s cannot be opened again: %s", made.place_id, error)
            closed.append(made.place_id)
    await database.write(lambda c: c.execute(sa.update(groups).where(archived).values(archived=False)))
    return tuple(closed)


async def _reopen(place: object) -> None:
    if isinstance(place, discord.Thread) and (place.archived or place.locked):
        await place.edit(archived=False, locked=False, reason=REOPENED)
    elif isinstance(place, discord.TextChannel):
        everyone = place.guild.default_role
        overwrite = place.overwrites_for(everyone)
        denied = [name for name in SILENCED if getattr(overwrite, name) is False]
        if denied:
            overwrite.update(**dict.fromkeys(denied))
            await place.set_permissions(
                everyone, overwrite=None if overwrite.is_empty() else overwrite, reason=REOPENED
            )


def _forget(connection: Connection, task_id: int, place_id: int) -> None:
    """Let a deleted place be made again."""
    mine = groups.c.task_id == task_id
    here = sa.or_(groups.c.thread_id == place_id, groups.c.channel_id == place_id)
    gone = {"channel_id": 0, "thread_id": 0, "repairs": 0}
    connection.execute(sa.update(groups).where(mine, here).values(**gone))
    category = sa.and_(tasks.c.task_id == task_id, tasks.c.category_id == place_id)
    connection.execute(sa.update(tasks).where(category).values(category_id=0, category_repairs=0))
    made = sa.and_(made_places.c.task_id == task_id, made_places.c.place_id == place_id)
    connection.execute(sa.delete(made_places).where(made))


async def _unrecorded(
    client: discord.Client, records: PlaceRecords, task_id: int, known: set[int]
) -> list[MadePlace]:
    """Return where groups spoke without a record: people's channels, and places older than the records.

    The bot's own show it: it opened the thread, or the channel's topic carries this database's random mark.
    """
    rows, instance = await records.places(task_id), await records.instance()
    me = client.user.id if client.user else 0
    found: dict[int, MadePlace] = {}
    for row in rows:
        place_id = row.thread_id or row.channel_id
        if place_id and place_id not in known:
            kind = "thread" if row.thread_id else "channel"
            found.setdefault(place_id, MadePlace(place_id, task_id, kind, me, mark_of(row, instance)))
    return sorted(found.values(), key=lambda each: each.kind == "channel")


class _Closer:
    """Closes one place after another and remembers those that stay."""

    def __init__(self, client: discord.Client, remove: bool, rows: Mapping[int, GroupRecord]) -> None:
        self._client, self._remove, self._rows = client, remove, rows
        self._deleted: set[int] = set()
        self.forbidden: list[int] = []
        self.not_ours: list[int] = []

    async def close(self, made: MadePlace, recorded: bool) -> None:
        """Close one place that is recorded as the bot's, or shows its mark."""
        if made.kind == "category" and not self._remove:
            return
        try:
            place = await self._client.fetch_channel(made.place_id)
            if not _ours(place, made, recorded, self._rows.get(made.place_id)):
                log.warning("place %s does not look like the bot's any more: left alone", made.place_id)
                self.not_ours.append(made.place_id)
            elif self._remove:
                await self._delete(place)
            else:
                await _silence(place)
        except discord.NotFound as error:
            if error.code != UNKNOWN_CHANNEL:
                raise
            log.info("place %s was gone already", made.place_id)
        except discord.Forbidden as error:
            log.warning("place %s cannot be closed: %s", made.place_id, error)
            self.forbidden.append(made.place_id)

    async def _delete(self, place: object) -> None:
        if isinstance(place, discord.CategoryChannel):
            # The gateway's news of what was just deleted may not be here yet.
            inside = {channel.id for channel in place.guild.channels if channel.category_id == place.id}
            if not inside - self._deleted:
                await place.delete(reason=REASON)
        elif isinstance(place, discord.TextChannel):
            await place.delete(reason=REASON)
            self._deleted.add(place.id)
        elif isinstance(place, discord.Thread):
            await place.delete(reason=REASON)


def _ours(place: object, made: MadePlace, recorded: bool, row: GroupRecord | None) -> bool:
    """Whether what Discord shows now agrees with the record; without one only the mark itself proves it."""
    if isinstance(place, discord.Thread):
        return made.kind == "thread" and place.owner_id == made.creator_id
    if isinstance(place, discord.TextChannel):
        topic = place.topic or ""
        agrees = is_own_topic(topic, made.marker, row) if recorded else topic == made.marker
        return made.kind == "channel" and bool(made.marker) and agrees
    return isinstance(place, discord.CategoryChannel) and made.kind == "category"


async def _silence(place: object) -> None:
    if isinstance(place, discord.Thread):
        if place.locked:
            return
        if place.archived:  # Discord refuses every other change of an archived thread (50083)
            place = await place.edit(archived=False, reason=REASON)
        await place.edit(archived=True, locked=True, reason=REASON)
    elif isinstance(place, discord.TextChannel):
        everyone = place.guild.default_role
        overwrite, mine = place.overwrites_for(everyone), place.permissions_for(place.guild.me)
        overwrite.update(**{name: False for name in SILENCED if getattr(mine, name)})
        await place.set_permissions(everyone, overwrite=overwrite, reason=REASON)
