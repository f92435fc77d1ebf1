"""Show Discord's typing indicator in the places of groups whose agents are working.

A model call may take a minute, with nothing to post before it ends. The indicator is the bot's, lasts
ten seconds on Discord and causes no notification.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import discord

from bot.discord.context import Routes
from bot.discord.errors import UNDELIVERED
from bot.ports import EngineApi
from engine.errors import NotFound
from engine.events import Event

_log = logging.getLogger(__name__)

LOOK_S = 2.0
AGAIN_S = 7.0
MOST = 10
"""Seconds between looks, and between signs in one place; most signs at one look (Discord: 50 a second)."""

REFUSED_S = 600.0
"""How long a place is left alone that refuses the sign: refusals count towards a ban."""

PATIENCE_S = 2.0
"""Time limit for a round: typing indicators must never delay messages."""


class TypingIndicator:
    """A listener without guarantees (`bot.notifications.ephemeral`): `tick` sends the signs that are due.

    One look costs one question about all tasks, however many there are and however many wait for people.
    """

    def __init__(
        self, client: discord.Client, engine: EngineApi, routes: Routes, now: Callable[[], float]
    ) -> None:
        self._client, self._engine, self._routes, self._now = client, engine, routes, now
        self._shown: dict[int, float] = {}
        self._looked_at = 0.0

    def take(self, event: Event) -> None:
        """Nothing: the store is asked who works."""

    async def tick(self) -> None:
        """Send the indicators that are due; failures are logged and dropped."""
        now = self._now()
        if 0 <= now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        try:
            async with asyncio.timeout(PATIENCE_S):
                due = await self._due(now)
                await asyncio.gather(*(self._show(place, now) for place in due))
        except (*UNDELIVERED, NotFound, OSError) as error:
            _log.info("cannot send typing indicators now: %s", error)

    async def _due(self, now: float) -> list[int]:
        """Return places of working agents that are due for an indicator, longest waiting first."""
        groups = await self._engine.look.working_groups()
        places = {await self._routes.channel_of(group_id) for group_id in groups} - {None}
        self._shown = {place: self._shown.get(place, 0.0) for place in places if place}
        due = [place for place, at in self._shown.items() if now - at >= AGAIN_S]
        return sorted(due, key=lambda place: self._shown[place])[:MOST]

    async def _show(self, place: int, now: float) -> None:
        self._shown[place] = now
        try:
            await self._client.get_partial_messageable(place).typing()
        except (discord.Forbidden, discord.NotFound) as error:
            _log.info("no sign of work in place %s for a while: %s", place, error)
            self._shown[place] = now + REFUSED_S
