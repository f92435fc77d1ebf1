"""Create groups' places when first needed, one at a time per group, and repair them when people delete them.

Discord's answers decide, never our counts: no room or no permission for channels turns the groups still
without a place into threads, and threads that cannot be made let a group speak in the channel above. Each
of these is said once. What was made stays where it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

import aiohttp
import discord

from bot.discord.formatting import plain
from bot.outbox.outcomes import NEEDS_2FA, OUTCOMES, UNKNOWN_CHANNEL, fields_of, heals, outcome_of
from bot.outbox.post import BOT
from bot.places.layout import LONGEST, ORIGIN, Placement, host, place_name
from bot.places.marks import is_own_topic, mark_of, topic_of
from bot.places.notices import Notices
from bot.places.records import GroupRecord, MadePlace, PlaceRecords, TaskRecord
from bot.texts import outbox as wording

_log = logging.getLogger(__name__)

GUILD_FULL = 30013
THREADS_FULL = (160006, 160007)
INVALID_FORM = 50035
FILTERED = "INVALID_COMMUNITY_PROPERTY_NAME"
WEEK: Literal[10080] = 10080
"""Minutes after which a quiet thread archives itself: the most Discord allows."""

CategoryOf = Callable[[int], Awaitable[int | None]]
"""The category `/setup` chose for a guild's tasks, None for a new one a task."""


class PlaceUnavailable(Exception):
    """The guild is unavailable, or no channel of it is writable: wait and retry, nothing is lost."""


class PlaceArchived(Exception):
    """A person archived the group's place: nothing more is posted there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a group speaks: a channel, or a thread in it. `name` is the group's."""

    task_id: int
    group_id: int
    channel_id: int
    thread_id: int
    name: str

    @property
    def target_id(self) -> int:
        """The id messages go to."""
        return self.thread_id or self.channel_id


class _NoRoom(Exception):
    """No channel can be created (limit, permission, or a long wait). `notice` is the text to post, or ""."""

    def __init__(self, notice: str, lasting: bool) -> None:
        super().__init__(notice or "a channel would take too long")
        self.notice, self.lasting = notice, lasting


class Provision:
    """Creates and repairs places of groups for one client. Public methods may be called concurrently."""

    def __init__(
        self, client: discord.Client, records: PlaceRecords, notices: Notices, category_of: CategoryOf
    ) -> None:
        self._client = client
        self._records = records
        self._notices = notices
        self._category_of = category_of
        self._making: dict[int, asyncio.Task[Place]] = {}
        self._repairing: dict[int, asyncio.Task[Place]] = {}
        self._categories: dict[int, asyncio.Lock] = {}

    async def ensure(self, group_id: int) -> Place:
        """Return the group's place, creating it if needed. A negative id names a channel (`Post.place_key`).

        Raises NotFound for an unknown group, PlaceUnavailable and PlaceArchived.
        """
        if group_id < 0:
            return Place(0, group_id, -group_id, 0, BOT)
        task = self._making.get(group_id)
        if task is None:
            task = self._making[group_id] = asyncio.create_task(self._ensure(group_id))
            task.add_done_callback(lambda _: self._making.pop(group_id, None))
        return await asyncio.shield(task)

    async def repair(self, place: Place) -> Place:
        """Replace a deleted channel or thread; the second time, use the parent group's place instead.

        If another call has already replaced `place`, return the new one. Raises PlaceUnavailable and
        PlaceArchived.
        """
        task = self._repairing.get(place.group_id)
        if task is None:
            task = self._repairing[place.group_id] = asyncio.create_task(self._repair(place))
            task.add_done_callback(lambda _: self._repairing.pop(place.group_id, None))
        return await asyncio.shield(task)

    async def _repair(self, place: Place) -> Place:
        row = await self._records.group(place.group_id)
        if row.archived:
            raise PlaceArchived(f"group {row.group_id} is archived")
        if (row.channel_id, row.thread_id) != (place.channel_id, place.thread_id):
            return await self.ensure(place.group_id)
        if row.host_id != ORIGIN:
            await self._standing(row.host_id)  # the channel of a thread before the thread itself
        if row.repairs:
            return await self._give_up(row)
        await self._records.set_group(row.group_id, channel_id=0, thread_id=0, repairs=1)
        repaired = await self.ensure(row.group_id)
        text = wording.PLACE_REPAIRED.format(group=plain(row.name, LONGEST))
        await self._notices.say(f"place:{row.group_id}", row.task_id, row.group_id, text)
        return repaired

    async def say_locked(self, place: Place) -> None:
        """Say in the task's first place, once for each thread, that a thread is locked and its words wait."""
        task = await self._records.task(place.task_id)
        text = wording.THREAD_LOCKED.format(thread=place.target_id)
        await self._say_at_root(task, f"locked-{place.target_id}", text)

    def elsewhere(self, place: Place, guild_id: int, deleted: bool) -> Place:
        """Return the system channel, else the first that the bot may write in, for a post without a group
        whose channel is closed or deleted, or that was never chosen.

        Raises PlaceUnavailable if there is none now but that may change, PlaceArchived if the channel was
        deleted and there is no other.
        """
        guild = self._client.get_guild(guild_id)
        if guild is None or guild.unavailable:
            raise PlaceUnavailable(f"guild {guild_id} cannot be seen")
        other = _somewhere(guild, but=place.channel_id)
        if other is not None:
            return replace(place, channel_id=other.id)
        why = f"nothing can be said in guild {guild_id}"
        raise PlaceArchived(why) if deleted else PlaceUnavailable(why)

    async def close(self) -> None:
        """Cancel places that are being created and repaired."""
        tasks = [*self._making.values(), *self._repairing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------ creating

    async def _ensure(self, group_id: int) -> Place:
        row = await self._records.group(group_id)
        if row.archived:
            raise PlaceArchived(f"group {group_id} is archived")
        task = await self._records.task(row.task_id)
        guild = self._guild(task)
        if row.channel_id:
            return _place(row)
        if row.kind == "channel":
            try:
                return await self._with_channel(row, task, guild)
            except _NoRoom as full:
                row = await self._to_thread(row, task, full)
        return await self._with_thread(row, task, guild)

    def _guild(self, task: TaskRecord) -> discord.Guild:
        guild = self._client.get_guild(task.guild_id)
        if guild is None or guild.unavailable:
            raise PlaceUnavailable(f"guild {task.guild_id} cannot be seen")
        return guild

    async def _with_channel(self, row: GroupRecord, task: TaskRecord, guild: discord.Guild) -> Place:
        if task.channels_full:
            raise _NoRoom("", lasting=False)
        try:
            channel = await self._left_over(row, guild) or await self._new_channel(row, task, guild)
        except (discord.HTTPException, discord.RateLimited) as error:
            raise _no_room(error) from error
        await self._note_made(row.task_id, "channel", channel.id, channel.topic or "")
        place = await self._keep(row, channel.id, 0, made=True)
        await _unmark(channel, topic_of(row))
        await self._named_meanwhile(row)
        return place

    async def _named_meanwhile(self, row: GroupRecord) -> None:
        """Rename a channel whose task got its title while the channel was being made: it has the old name."""
        if (await self._records.group(row.group_id)).name == row.name:
            return
        try:
            await self.rename(row.task_id)
        except OUTCOMES as error:
            _log.warning("task %s keeps the first name of its channel: %s", row.task_id, error)

    async def _note_made(self, task_id: int, kind: str, place_id: int, marker: str = "") -> None:
        """What is not recorded here is never closed or deleted (`bot.features.files.archive`)."""
        me = self._client.user
        await self._records.note_made(MadePlace(place_id, task_id, kind, me.id if me else 0, marker))

    async def _left_over(self, row: GroupRecord, guild: discord.Guild) -> discord.TextChannel | None:
        """Return a channel created for this group just before a crash, recognised by its topic."""
        topics = {await self._topic(row), await self._topic(_safely(row))}
        found = (channel for channel in guild.text_channels if channel.topic in topics)
        return None if row.repairs else next(found, None)

    async def _new_channel(
        self, row: GroupRecord, task: TaskRecord, guild: discord.Guild
    ) -> discord.TextChannel:
        category = await self._category(task, guild)
        await self._point_to_card(row)
        taken = _beside(guild, category)
        try:
            return await self._create(row, guild, category, taken)
        except discord.HTTPException as error:
            if not name_refused(error):
                raise
        made = await self._create(_safely(row), guild, category, taken)
        await self._say_renamed(row)
        return made

    async def _create(
        self,
        row: GroupRecord,
        guild: discord.Guild,
        category: discord.CategoryChannel | None,
        taken: set[str],
    ) -> discord.TextChannel:
        name, topic = place_name(row.name, taken), await self._topic(row)
        return await guild.create_text_channel(name, category=category, topic=topic)

    async def _say_renamed(self, row: GroupRecord) -> None:
        text = wording.PLACE_NAME_REFUSED
        await self._notices.say(f"name:{row.group_id}", row.task_id, row.group_id, text)

    async def _point_to_card(self, row: GroupRecord) -> None:
        """Queue a note in the root group's place that points to the card; it comes with the first post."""
        task = await self._records.task(row.task_id)
        if row.parent_id is None and task.origin_id:
            text = wording.CARD_AT.format(channel=task.origin_id)
            await self._notices.say(f"card:{row.task_id}", row.task_id, row.group_id, text, pin=True)

    async def rename(self, task_id: int) -> None:
        """Give the category and the first place of a task, where the bot made them, its root group's name.

        The channel's topic says it too, unless people wrote another. Both are one request: Discord takes two
        new names or topics of a channel in ten minutes, and `_unmark` is the first.
        Raises the errors of `bot.outbox.outcomes`.
        """
        task, root = await self._records.task(task_id), await self._records.root(task_id)
        guild = self._guild(task)
        made = {each.place_id: each.marker for each in await self._records.made(task_id)}
        try:
            place = guild.get_channel_or_thread(root.thread_id or root.channel_id)
            if isinstance(place, discord.Thread) and place.id in made:
                await place.edit(name=place_name(_thread_name(root))[:LONGEST])
            if isinstance(place, discord.TextChannel) and place.id in made:
                taken = _beside(guild, place.category, but=place.id)
                topic = place.topic or ""
                own = is_own_topic(topic, made[place.id], root)
                await place.edit(name=place_name(root.name, taken), topic=topic_of(root) if own else topic)
            category = guild.get_channel(task.category_id)
            if isinstance(category, discord.CategoryChannel) and category.id in made:
                await category.edit(name=_category_name(task, root))
        except (discord.HTTPException, discord.RateLimited, aiohttp.ClientError) as error:
            raise outcome_of(error) from error

    async def _topic(self, row: GroupRecord) -> str:
        return mark_of(row, await self._records.instance())

    async def _category(self, task: TaskRecord, guild: discord.Guild) -> discord.CategoryChannel | None:
        """Return the task's category, created once and recreated once if deleted; after that None."""
        async with self._categories.setdefault(task.task_id, asyncio.Lock()):
            task = await self._records.task(task.task_id)
            chosen = await self._category_of(task.guild_id) if not task.category_id else None
            known = guild.get_channel(chosen or task.category_id)
            if isinstance(known, discord.CategoryChannel):
                if _usable(known):
                    return known
                if chosen is None:
                    return None  # people closed the task's own category to the bot
                await self._say_at_root(task, "category-closed", wording.CATEGORY_CLOSED)
            deleted = bool(task.category_id)
            if deleted and task.category_repairs:
                return None
            name = _category_name(task, await self._records.root(task.task_id))
            left = None if deleted else discord.utils.get(guild.categories, name=name)
            made = left or await self._new_category(task, guild, name)
            if left is None:  # one with this name may be a person's
                await self._note_made(task.task_id, "category", made.id, name)
            await self._records.set_task(task.task_id, category_id=made.id, category_repairs=int(deleted))
        if deleted:
            await self._say_at_root(task, "category", wording.CATEGORY_REPAIRED)
        return made

    async def _new_category(
        self, task: TaskRecord, guild: discord.Guild, name: str
    ) -> discord.CategoryChannel:
        """The goal may hold words that this server does not allow in names."""
        try:
            return await guild.create_category(name)
        except discord.HTTPException as error:
            if not name_refused(error):
                raise
        return await guild.create_category(wording.TASK_TITLE.format(id=task.task_id))

    async def _to_thread(self, row: GroupRecord, task: TaskRecord, full: _NoRoom) -> GroupRecord:
        if full.lasting:
            await self._records.set_task(task.task_id, channels_full=True)
        if full.notice:
            await self._say_at_root(task, "channels", full.notice)
        placed = {
            each.group_id: Placement("channel" if each.kind == "channel" else "thread", each.host_id)
            for each in await self._records.places(row.task_id)
            if each.channel_id
        }
        above = host(row.parent_id, placed)
        await self._records.set_group(row.group_id, kind="thread", host_id=above)
        return await self._records.group(row.group_id)

    async def _with_thread(self, row: GroupRecord, task: TaskRecord, guild: discord.Guild) -> Place:
        channel_id = task.origin_id
        if row.host_id != ORIGIN:
            channel_id = (await self._standing(row.host_id)).channel_id
        channel = guild.get_channel(channel_id) or _around(guild, channel_id) or _somewhere(guild)
        if isinstance(channel, discord.VoiceChannel | discord.StageChannel):
            return await self._keep(row, channel.id, 0)  # its chat has no threads
        name = _thread_name(row)
        if isinstance(channel, discord.ForumChannel):
            post = await self._in_forum(row, channel, name)
            if post is not None:
                return post
        channel = channel if isinstance(channel, discord.TextChannel) else _somewhere(guild)
        if channel is None:
            raise PlaceUnavailable(f"no channel of guild {guild.id} can be written to")
        try:
            thread = await self._thread_left(row, channel, name) or await self._new_thread(row, channel, name)
        except (discord.HTTPException, discord.RateLimited) as error:
            if _heals(error):
                raise
            _log.warning("group %s speaks in channel %s itself: %s", row.group_id, channel.id, error)
            place = await self._keep(row, channel.id, 0)
            await self._say_at_root(task, "threads", _no_thread(error))
            return place
        await self._note_made(row.task_id, "thread", thread.id)
        return await self._keep(row, channel.id, thread.id, made=True)

    async def _in_forum(self, row: GroupRecord, forum: discord.ForumChannel, name: str) -> Place | None:
        """Give a group a post of its own where people asked in one; None where posts need more than words.

        A media channel is for pictures: words go there only where the server has no other channel for them.
        """
        tags = (
            [tag for tag in forum.available_tags if not tag.moderated][:1] if forum.flags.require_tag else []
        )
        elsewhere = forum.is_media() and _somewhere(forum.guild) is not None
        if elsewhere or (forum.flags.require_tag and not tags):
            return None
        text = wording.FORUM_POST.format(id=row.task_id)

        async def make(title: str) -> discord.Thread:
            made = await forum.create_thread(
                name=title,
                content=text,
                applied_tags=tags,
                auto_archive_duration=WEEK,
                suppress_embeds=True,
            )
            return made.thread

        try:
            thread = await self._thread_left(row, forum, name) or await self._named(row, forum, name, make)
        except (discord.HTTPException, discord.RateLimited) as error:
            if _heals(error):
                raise
            _log.warning("group %s gets no post in forum %s: %s", row.group_id, forum.id, error)
            return None
        await self._note_made(row.task_id, "thread", thread.id)
        return await self._keep(row, forum.id, thread.id, made=True)

    async def _new_thread(self, row: GroupRecord, channel: discord.TextChannel, name: str) -> discord.Thread:
        news = channel.is_news()
        kind = discord.ChannelType.news_thread if news else discord.ChannelType.public_thread

        async def make(title: str) -> discord.Thread:
            return await channel.create_thread(name=title, type=kind, auto_archive_duration=WEEK)

        return await self._named(row, channel, name, make)

    async def _named(
        self,
        row: GroupRecord,
        channel: discord.TextChannel | discord.ForumChannel,
        name: str,
        make: Callable[[str], Awaitable[discord.Thread]],
    ) -> discord.Thread:
        """Make a thread under its name, or a safe one if Discord refuses that."""
        taken = {thread.name for thread in channel.threads}
        try:
            return await make(place_name(name, taken)[:LONGEST])
        except discord.HTTPException as error:
            if not name_refused(error):
                raise
        made = await make(place_name(_safely(row).name, taken))
        await self._say_renamed(row)
        return made

    async def _thread_left(
        self, row: GroupRecord, channel: discord.TextChannel | discord.ForumChannel, name: str
    ) -> discord.Thread | None:
        """Return a thread created for this group just before a crash: ours, empty, and unassigned."""
        if row.repairs:
            return None
        kept = await self._records.threads(channel.id)
        wanted = {place_name(name)[:LONGEST], place_name(_safely(row).name)}
        mine = [t for t in channel.threads if t.owner_id == channel.guild.me.id and t.id not in kept]
        return next((t for t in mine if t.name in wanted and not t.message_count), None)

    async def _keep(self, row: GroupRecord, channel_id: int, thread_id: int, made: bool = False) -> Place:
        """Record a place. The client is told of one that was `made`: people may have written in it."""
        await self._records.set_group(row.group_id, channel_id=channel_id, thread_id=thread_id)
        if made:
            self._client.dispatch("place_kept", thread_id or channel_id)
        return Place(row.task_id, row.group_id, channel_id, thread_id, row.name)

    async def _say_at_root(self, task: TaskRecord, key: str, text: str) -> None:
        groups = await self._records.places(task.task_id)
        root = next(group for group in groups if group.parent_id is None)
        await self._notices.say(f"{key}:{task.task_id}", task.task_id, root.group_id, text)

    # ------------------------------------------------------------ repairing

    async def _standing(self, group_id: int) -> Place:
        """Return a group's place, which is repaired first where people deleted it."""
        place = await self.ensure(group_id)
        return await self.repair(place) if await self._deleted(place) else place

    async def _deleted(self, place: Place) -> bool:
        """Return whether a place is gone. Only Discord can say so of what the cache lacks: a thread that
        sleeps, say."""
        if any(guild.get_channel_or_thread(place.target_id) for guild in self._client.guilds):
            return False
        try:
            await self._client.fetch_channel(place.target_id)
        except discord.NotFound as error:
            if error.code != UNKNOWN_CHANNEL:
                raise
            return True
        except discord.Forbidden:
            return False
        return False

    async def _give_up(self, row: GroupRecord) -> Place:
        """Use the parent group's place (for the root: the origin) after people deleted the place twice."""
        if row.parent_id is not None:
            above = await self._standing(row.parent_id)
            channel_id, thread_id = above.channel_id, above.thread_id
        else:
            task = await self._records.task(row.task_id)
            guild = self._guild(task)
            channel = guild.get_channel(task.origin_id) or _somewhere(guild)
            if channel is None:
                raise PlaceUnavailable(f"no channel of guild {guild.id} can be written to")
            channel_id, thread_id = channel.id, 0
        place = await self._keep(row, channel_id, thread_id)
        text = wording.PLACE_GIVEN_UP.format(group=plain(row.name, LONGEST))
        await self._notices.say(f"gone:{row.group_id}", row.task_id, row.group_id, text)
        return place


def _place(row: GroupRecord) -> Place:
    return Place(row.task_id, row.group_id, row.channel_id, row.thread_id, row.name)


async def _unmark(channel: discord.TextChannel, topic: str) -> None:
    """Take the mark off a recorded channel's topic; where Discord refuses, people read it with the mark."""
    try:
        await channel.edit(topic=topic)
    except (discord.HTTPException, discord.RateLimited, aiohttp.ClientError) as error:
        _log.info("the topic of channel %s keeps its mark: %s", channel.id, error)


def _thread_name(row: GroupRecord) -> str:
    return row.name if row.host_id != ORIGIN else f"task {row.task_id} {row.name}"


def _category_name(task: TaskRecord, root: GroupRecord) -> str:
    return f"{wording.TASK_TITLE.format(id=task.task_id)} · {root.name}"[:LONGEST]


def _beside(guild: discord.Guild, category: discord.CategoryChannel | None, but: int = 0) -> set[str]:
    """Return the names of the channels among which a channel stands, without the one with the id `but`."""
    return {each.name for each in (category.channels if category else guild.channels) if each.id != but}


def _usable(category: discord.CategoryChannel) -> bool:
    """Whether the bot could work in a channel made here: it begins with the category's permissions."""
    mine = category.permissions_for(category.guild.me)
    return mine.view_channel and mine.send_messages and mine.manage_channels


def _around(guild: discord.Guild, thread_id: int) -> discord.TextChannel | discord.ForumChannel | None:
    """Return the channel or forum around a thread where a task was started, if the bot may write there."""
    thread = guild.get_thread(thread_id)
    parent = thread.parent if thread else None
    if not isinstance(parent, discord.TextChannel | discord.ForumChannel):
        return None
    return parent if parent.permissions_for(guild.me).send_messages else None


def _somewhere(guild: discord.Guild, but: int = 0) -> discord.TextChannel | None:
    """Return a channel we may write to, not the one with the id `but`: the system channel, else the first;
    None if there is none."""
    channels = [c for c in (guild.system_channel, *guild.text_channels) if c and c.id != but]
    return next((c for c in channels if c.permissions_for(guild.me).send_messages), None)


def _no_room(error: discord.HTTPException | discord.RateLimited) -> _NoRoom:
    """Translate a failed channel creation; raise `error` itself if it has another cause."""
    if isinstance(error, discord.RateLimited):
        return _NoRoom("", lasting=False)
    if _heals(error):
        raise error
    if error.code == NEEDS_2FA:
        return _NoRoom(wording.CHANNELS_2FA, lasting=True)
    if isinstance(error, discord.Forbidden):
        return _NoRoom(wording.CHANNELS_FORBIDDEN, lasting=True)
    if error.code == GUILD_FULL:
        return _NoRoom(wording.CHANNELS_FULL, lasting=True)
    if error.code == INVALID_FORM and "parent_id: Maximum" in error.text:
        return _NoRoom(wording.CATEGORY_FULL, lasting=True)
    if "parent_id" in fields_of(error):  # the category was deleted
        raise error
    _log.warning("a channel is refused: %s", error)
    return _NoRoom(wording.CHANNELS_REFUSED, lasting=False)


def _no_thread(error: discord.HTTPException | discord.RateLimited) -> str:
    """What is said about a group that gets no thread."""
    if isinstance(error, discord.RateLimited):
        return wording.THREADS_SLOW
    if error.code == NEEDS_2FA:
        return wording.THREADS_2FA
    if isinstance(error, discord.Forbidden):
        return wording.THREADS_FORBIDDEN
    return wording.THREADS_FULL if error.code in THREADS_FULL else wording.THREADS_REFUSED


def _heals(error: discord.HTTPException | discord.RateLimited) -> bool:
    """Whether the same request may be taken later; what Discord refuses by its content never is."""
    if isinstance(error, discord.RateLimited):
        return False  # a place is wanted now
    return heals(error) or error.status == 404


def name_refused(error: discord.HTTPException) -> bool:
    """Whether Discord refuses a name: communities filter words in names of channels and categories."""
    return bool(fields_of(error) & {"name", "topic"}) or FILTERED in error.text


def _safely(row: GroupRecord) -> GroupRecord:
    """The group under a name no filter minds."""
    return replace(row, name=wording.SAFE_PLACE.format(id=row.group_id))
