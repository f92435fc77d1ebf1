"""Closing a task's places: read-only or removed, the transcript kept as Markdown and HTML."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import discord
import sqlalchemy as sa

from bot.outbox.transcripts import Transcripts
from bot.storage.tables import groups, tasks
from engine.ports import Database

log = logging.getLogger(__name__)
REASON = "task archived"


async def close_places(
    client: discord.Client, database: Database, transcripts: Transcripts, task_id: int, remove: bool
) -> dict[str, bytes]:
    """Make the task's channels and threads read-only, or delete them -> file name to content.

    The transcript is made first, so nothing is lost when Discord refuses half-way; places already gone
    are passed over. Raises discord.Forbidden when the bot may not manage a channel.
    """
    title = f"Task {task_id}"
    kept = {
        f"task-{task_id}.md": (await transcripts.text(task_id, None, title, "md")).encode(),
        f"task-{task_id}.html": (await transcripts.text(task_id, None, title, "html")).encode(),
    }
    rows = await database.read(lambda c: c.execute(_places(task_id)).all())
    await _close(client, [row.thread_id for row in rows if row.thread_id], remove)
    await _close(client, list(dict.fromkeys(row.channel_id for row in rows if row.channel_id)), remove)
    if remove:
        category = await database.read(lambda c: c.execute(_category(task_id)).scalar())
        await _close(client, [category] if category else [], remove)
    await database.write(
        lambda c: c.execute(sa.update(groups).where(groups.c.task_id == task_id).values(archived=True))
    )
    return kept


def _places(task_id: int) -> sa.Select[Any]:
    return sa.select(groups.c.channel_id, groups.c.thread_id).where(groups.c.task_id == task_id)


def _category(task_id: int) -> sa.Select[Any]:
    return sa.select(tasks.c.category_id).where(tasks.c.task_id == task_id)


async def _close(client: discord.Client, ids: Sequence[int], remove: bool) -> None:
    for channel_id in ids:
        place = client.get_channel(channel_id)
        if place is None:
            continue
        try:
            await _close_one(place, remove)
        except discord.NotFound:
            log.info("place %s was gone already", channel_id)


async def _close_one(place: object, remove: bool) -> None:
    if isinstance(place, discord.Thread):
        await (place.delete() if remove else place.edit(archived=True, locked=True, reason=REASON))
    elif isinstance(place, discord.CategoryChannel) and remove:
        if not place.channels:
            await place.delete(reason=REASON)
    elif isinstance(place, discord.TextChannel):
        if remove:
            await place.delete(reason=REASON)
        else:
            everyone = place.guild.default_role
            await place.set_permissions(everyone, send_messages=False, reason=REASON)
