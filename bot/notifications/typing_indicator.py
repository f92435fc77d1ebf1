"""Shows life while agents think: Discord's "… is typing" in the places of those at work.

A model call may take a minute, and nothing can be said of it before it ends. The sign is the bot's, lasts
ten seconds on Discord and makes no noise; a message in the place does not need it any more.
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
from engine.events import Event, RepeatPaused, TaskEnded

_log = logging.getLogger(__name__)

LOOK_S = 2.0
AGAIN_S = 7.0
MOST = 10
"""Seconds between looks, and between signs in one place; most signs at one look (Discord: 50 a second)."""

PATIENCE_S = 2.0
"""What is not sent by then is not sent: a sign must never hold up what counts."""


class TypingIndicator:
    """`take` events, `tick` to show who is at work."""

    def __init__(
        self, client: discord.Client, engine: EngineApi, routes: Routes, now: Callable[[], float]
    ) -> None:
        self._client, self._engine, self._routes, self._now = client, engine, routes, now
        self._live: set[int] | None = None
        self._shown: dict[int, float] = {}
        self._looked_at = 0.0

    def take(self, event: Event) -> None:
        """Note which tasks go on."""
        if self._live is not None and not isinstance(event.body, RepeatPaused):
            change = self._live.discard if isinstance(event.body, TaskEnded) else self._live.add
            change(event.body.task_id)

    async def tick(self) -> None:
        """Show what is due; what cannot be shown is let go."""
        now = self._now()
        if 0 <= now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        try:
            async with asyncio.timeout(PATIENCE_S):
                due = await self._due(now)
                await asyncio.gather(*(self._show(place, now) for place in due))
        except (*UNDELIVERED, NotFound, OSError) as error:
            _log.info("who is at work cannot be shown now: %s", error)

    async def _due(self, now: float) -> list[int]:
        """Places of agents at work without a sign, longest without one first."""
        if self._live is None:
            self._live = {task.id for task in await self._engine.look.tasks() if task.ended_at is None}
        groups: set[int] = set()
        for task_id in sorted(self._live):
            if (await self._engine.look.task(task_id)).state == "running":
                agents = await self._engine.look.agents(task_id)
                groups |= {agent.group_id for agent in agents if agent.state == "working"}
        places = {await self._routes.channel_of(group_id) for group_id in groups} - {None}
        self._shown = {place: self._shown.get(place, 0.0) for place in places if place}
        due = [place for place, at in self._shown.items() if now - at >= AGAIN_S]
        return sorted(due, key=lambda place: self._shown[place])[:MOST]

    async def _show(self, place: int, now: float) -> None:
        self._shown[place] = now
        await self._client.get_partial_messageable(place).typing()
