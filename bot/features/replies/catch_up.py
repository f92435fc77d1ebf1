"""Read what people wrote while the bot could not hear them: restarts, lost sessions, outages, hidden places.

A channel is behind from the moment events may have been missed until its history has been read, which is
tried until it succeeds. Its stored position stays there meanwhile, whatever arrives live: a restart begins
at it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Protocol

import discord

from bot.discord.context import Parts
from bot.discord.errors import UNDELIVERED
from bot.outbox.outcomes import UNKNOWN_CHANNEL
from bot.outbox.pace import wait_for

log = logging.getLogger(__name__)

ENDED_WATCHED = 30
"""The newest tasks whose channels are read even after their end."""

NEW = 100
"""Messages read in a channel without a position."""

ARCHIVED = 50
"""Archived threads of a channel that are looked at, those archived last."""

STEP = 100
"""The bot's own messages after which a channel's position is stored: so far back history is read at most."""

PAUSE_S, LONGEST_S = 2.0, 300.0
"""Between attempts to read channels that could not be read; doubled each time."""


class Missed(Protocol):
    """What is done with a channel's missed messages. Repeating any of it changes nothing."""

    def concerns(self, message: discord.Message) -> bool:
        """Return whether a message may be a person's words."""

    async def deliver(self, message: discord.Message) -> None:
        """Handle one message that was missed."""

    async def read(self, channel_id: int) -> None:
        """Finish a channel: all that was missed in it was delivered."""


class CatchUp:
    """Positions of channels, and the reading of what came after them."""

    def __init__(self, bot: discord.Client, parts: Parts, missed: Missed) -> None:
        self._bot, self._parts, self._missed = bot, parts, missed
        self._seen: dict[int, int] = {}
        self._behind: dict[int, int] = {}
        self._since: dict[int, int] | None = None
        self._gaps = 0
        self._own: Counter[int] = Counter()
        self._parents: dict[int, int] = {}
        self._again = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._closed = False

    async def load(self) -> None:
        """Read the stored positions."""
        self._seen = await self._parts.records.seen()

    async def close(self) -> None:
        """Stop reading; what is behind is read after the next start. Handlers may still be at work."""
        self._closed = True
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    def knows(self, channel_id: int) -> bool:
        """Return whether a message of this channel was ever handled."""
        return channel_id in self._seen

    def parent_of(self, thread_id: int) -> int | None:
        """Return the channel of an archived thread that is read: the client knows only active ones."""
        return self._parents.get(thread_id)

    def lose(self) -> None:
        """Note that from now on events may be missed: everything after the current positions."""
        self._gaps += 1
        if self._since is None:
            self._since = {**self._seen, **self._behind}

    async def regain(self) -> None:
        """Events arrive again: read what was missed. Returns at once, reading goes on by itself."""
        channels = await self._channels()
        since, self._since = self._seen if self._since is None else self._since, None
        for channel_id in channels:
            self._behind.setdefault(channel_id, since.get(channel_id, 0))
        self._start()

    def failed(self, channel_id: int, message_id: int) -> None:
        """Note that a message could not be handled: it is read again."""
        self._gaps += 1
        self._behind[channel_id] = min(message_id - 1, self._behind.get(channel_id, message_id))
        self._start()

    def opened(self, channel_id: int) -> None:
        """Read a channel from its creation: people may have written before it was known to be a place."""
        self.failed(channel_id, channel_id + 1)

    async def handled(self, channel_id: int, message_id: int) -> None:
        """Note that a channel's messages up to this one are handled."""
        if message_id > self._seen.get(channel_id, 0):
            self._seen[channel_id] = message_id
            if self._since is None and channel_id not in self._behind:
                await self._parts.records.set_seen(channel_id, message_id)

    async def passed(self, channel_id: int, message_id: int, handling: bool) -> None:
        """Note a message of the bot's own; `handling`: a person's earlier one may be in work there."""
        self._own[channel_id] += 1
        if self._own[channel_id] >= STEP and not handling:
            del self._own[channel_id]
            await self.handled(channel_id, message_id)

    async def forget(self, channel_id: int) -> None:
        """Drop a channel that was deleted."""
        for known in (self._seen, self._behind, self._since or {}, self._own):
            known.pop(channel_id, None)
        await self._parts.records.forget_channel(channel_id)

    # ------------------------------------------------------------ reading

    async def _channels(self) -> set[int]:
        """Places, threads that people opened in them, and channels where people may reply to a card."""
        records = self._parts.records
        places = await records.open_channels(ended=ENDED_WATCHED)
        known = [self._bot.get_channel(channel_id) for channel_id in places]
        opened = [t.id for c in known if isinstance(c, discord.TextChannel) for t in c.threads]
        return {*places, *opened, *await records.card_channels(ended=ENDED_WATCHED)}

    def _start(self) -> None:
        self._again.set()
        idle = self._reading is None or self._reading.done()
        if self._behind and idle and not self._closed:
            self._reading = asyncio.create_task(self._read_all())

    async def _read_all(self) -> None:
        pause = PAUSE_S
        while self._behind:
            self._again.clear()
            for channel_id in sorted(self._behind):
                await self._read(channel_id)
            if self._behind and not self._again.is_set():
                await wait_for(self._again, pause)
            pause = PAUSE_S if self._again.is_set() else min(2 * pause, LONGEST_S)

    async def _read(self, channel_id: int) -> None:
        """Deliver what a channel's history holds after its position, in order; leave it behind on trouble."""
        after, gaps = self._behind.get(channel_id), self._gaps
        if after is None:
            return
        try:
            newest = await self._deliver_after(channel_id, after)
        except UNDELIVERED as error:
            if isinstance(error, discord.NotFound) and error.code == UNKNOWN_CHANNEL:
                await self.forget(channel_id)
                return
            log.warning("cannot catch up in channel %s, tried again: %s", channel_id, error)
        except Exception:
            log.exception("cannot catch up in channel %s, tried again", channel_id)
        else:
            if gaps == self._gaps and self._behind.pop(channel_id, None) is not None:
                await self._store(channel_id, newest)

    async def _deliver_after(self, channel_id: int, after: int) -> int:
        """Deliver people's messages after an id; return the newest id that was read."""
        channel = self._bot.get_partial_messageable(channel_id)
        since, most = (discord.Object(after), None) if after else (None, NEW)
        newest, missed = after, list[discord.Message]()
        async for message in channel.history(limit=most, after=since):
            newest = max(newest, message.id)
            if self._missed.concerns(message):
                missed.append(message)
        for message in sorted(missed, key=lambda each: each.id):
            await self._missed.deliver(message)
        await self._missed.read(channel_id)
        await self._find_archived(channel_id, after)
        return newest

    async def _find_archived(self, channel_id: int, after: int) -> None:
        """Read people's threads in a channel, too, that archived themselves with words nobody heard."""
        channel, me = self._bot.get_channel(channel_id), self._bot.user
        if not isinstance(channel, discord.TextChannel) or me is None:
            return
        try:
            async for thread in channel.archived_threads(limit=ARCHIVED):
                heard = max(after, self._seen.get(thread.id, 0))
                if thread.owner_id != me.id and (thread.last_message_id or 0) > heard:
                    self._parents[thread.id] = channel_id
                    self._behind.setdefault(thread.id, heard)
                    self._again.set()
        except discord.Forbidden as error:
            log.info("archived threads of channel %s cannot be seen: %s", channel_id, error)

    async def _store(self, channel_id: int, newest: int) -> None:
        self._seen[channel_id] = max(newest, self._seen.get(channel_id, 0))
        if self._seen[channel_id]:
            await self._parts.records.set_seen(channel_id, self._seen[channel_id])


SPOKEN = frozenset({discord.MessageType.default, discord.MessageType.reply})


def is_persons(message: discord.Message) -> bool:
    """Return True for a person's message: not from a bot, webhook or Discord itself."""
    return not message.author.bot and message.webhook_id is None and message.type in SPOKEN
