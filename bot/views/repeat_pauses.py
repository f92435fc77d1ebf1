"""Says once, where a repeated task was made, that it starts nothing any more and what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable

import discord

from bot import texts
from bot.access import guild_of
from bot.book import Book
from bot.desk import UNDELIVERED
from bot.ports import EngineApi
from bot.views.repeat_button import home_fact
from bot.words import plain
from engine.events import Event
from engine.queries import RepeatView

log = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0


class RepeatPauses:
    """`tick` looks for paused repeats; what was said is kept, so that a restart says nothing twice."""

    def __init__(
        self, client: discord.Client, engine: EngineApi, book: Book, now: Callable[[], float]
    ) -> None:
        self._client, self._engine, self._book, self._now = client, engine, book, now
        self._next = 0.0
        self._told: set[tuple[int, float | None]] = set()

    def take(self, event: Event) -> None:
        """Nothing: a pause belongs to no task."""

    async def tick(self) -> None:
        """Say what is new; what cannot be sent now is tried again."""
        if self._now() < self._next:
            return
        self._next = self._now() + LOOK_EVERY_S
        for repeat in await self._engine.look.paused_repeats():
            if (repeat.id, repeat.paused_at) not in self._told and await self._settle(repeat):
                self._told.add((repeat.id, repeat.paused_at))

    async def _settle(self, repeat: RepeatView) -> bool:
        name, mark = f"repeat-paused:{repeat.id}", str(repeat.paused_at)
        if await self._book.fact(name) == mark:
            return True
        if not await self._tell(repeat):
            return False
        await self._book.set_fact(name, mark)
        return True

    async def _tell(self, repeat: RepeatView) -> bool:
        """True once it is said, or nobody there can be told."""
        words = texts.REPEAT_PAUSED.format(id=repeat.id, goal=plain(repeat.goal, 120), why=repeat.paused_why)
        guild = self._client.get_guild(guild_of(repeat.space) or 0)
        elsewhere = guild.system_channel.id if guild and guild.system_channel else 0
        home = int(await self._book.fact(home_fact(repeat.id)) or 0)
        for channel_id in dict.fromkeys(filter(None, (home, elsewhere))):
            channel = self._client.get_partial_messageable(channel_id)
            try:
                await channel.send(words, nonce=f"r{repeat.id}-{int(repeat.paused_at or 0)}")
            except (discord.Forbidden, discord.NotFound) as error:
                log.warning("cannot say in %s that repeat %s is paused: %s", channel_id, repeat.id, error)
            except (*UNDELIVERED, OSError) as error:
                log.warning("the pause of repeat %s is said later: %s", repeat.id, error)
                return False
            else:
                return True
        return True
