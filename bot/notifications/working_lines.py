"""One line in each place whose agents wait long for their models: what they write, how much, since when.

The line is the bot's, silent, edited while it is true and deleted after; it comes again below whatever was
posted since. It is worth nothing later, so it is sent when there is room and left out when there is none.
Where each stands is recorded, so that the next start deletes what a crash left.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import discord

from bot import texts
from bot.discord.context import Routes
from bot.discord.errors import UNDELIVERED
from bot.discord.formatting import plain
from bot.features.tasks.waiting import Waiting, waiting_of
from bot.outbox.limiter import Limiter
from bot.ports import EngineApi
from bot.storage.guild_settings import BotRecords
from engine.errors import NotFound
from engine.events import Event

_log = logging.getLogger(__name__)

LOOK_S = 5.0
SHOWN_AFTER_S = 10.0
"""How long a model call lasts before a line tells of it: most are over by then."""

EDIT_S = 15.0
REFUSED_S = 600.0
MOST = 10
"""Places at one look in which a line is posted, edited or deleted, those that wait longest first."""

SHOWN_AGENTS = 5
PATIENCE_S = 4.0
FACT = "working-line:"


@dataclass(slots=True)
class _Line:
    message_id: int = 0
    text: str = ""
    changed_at: float = field(default=float("-inf"))


class WorkingLines:
    """A listener without guarantees (`bot.notifications.ephemeral`)."""

    def __init__(
        self,
        client: discord.Client,
        engine: EngineApi,
        records: BotRecords,
        routes: Routes,
        now: Callable[[], float],
        limiter: Limiter,
    ) -> None:
        self._client, self._engine, self._records, self._routes = client, engine, records, routes
        self._now, self._limiter = now, limiter
        self._lines: dict[int, _Line] | None = None
        self._looked_at = float("-inf")

    def take(self, event: Event) -> None:
        """Nothing: the store is asked what is under way."""

    async def tick(self) -> None:
        """Post, edit and delete the lines that are due; failures are logged and dropped."""
        now = self._now()
        closed = self._limiter.wait_overall(time.monotonic()) > 0
        if 0 <= now - self._looked_at < LOOK_S or closed or self._records.no_room:
            return
        self._looked_at = now
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._look(now)
        except (*UNDELIVERED, NotFound, OSError) as error:
            _log.info("cannot show what agents write now: %s", error)

    async def _look(self, now: float) -> None:
        lines, wanted = await self._known(), await self._wanted(now)
        oldest = sorted({*lines, *wanted}, key=lambda place: lines.get(place, _Line()).changed_at)
        due = [place for place in oldest if _is_due(lines.get(place), wanted.get(place, ""), now)]
        for place in due[:MOST]:
            await self._bring(lines.setdefault(place, _Line()), place, wanted.get(place, ""), now)

    async def _known(self) -> dict[int, _Line]:
        """Return the lines by place, at first those that an earlier run left."""
        if self._lines is None:
            left = await self._records.facts(FACT)
            self._lines = {int(place): _Line(int(message)) for place, message in left.items()}
        return self._lines

    async def _wanted(self, now: float) -> dict[int, str]:
        """Return the text for each place in which somebody waits long."""
        calls = [c for c in await self._engine.look.model_calls() if now - c.began_at >= SHOWN_AFTER_S]
        by_place: dict[int, list[str]] = defaultdict(list)
        usual: dict[int, str] = {}
        for task_id in sorted({call.task_id for call in calls}):
            own = [call for call in calls if call.task_id == task_id]
            waiting = waiting_of(own, await self._engine.look.usual_seconds(task_id), now)
            for group_id, line in await self._by_group(task_id, waiting):
                place = await self._routes.channel_of(group_id)
                if place is not None:
                    by_place[place].append(line)
                    usual[place] = waiting.usual
        return {place: _text(lines, usual[place]) for place, lines in by_place.items()}

    async def _by_group(self, task_id: int, waiting: Waiting) -> list[tuple[int, str]]:
        agents = await self._engine.look.agents(task_id) if waiting.calls else ()
        return [
            (agent.group_id, texts.WORKING_LINE.format(name=plain(agent.name, 40), what=line))
            for agent in agents
            if (line := waiting.line_of(agent.id))
        ]

    async def _bring(self, line: _Line, place: int, text: str, now: float) -> None:
        """Make the line of a place say `text`, as the newest message there; with "" it goes."""
        channel = self._client.get_partial_messageable(place)
        line.changed_at = now
        try:
            if line.message_id and (not text or self._is_above(place, line.message_id)):
                await self._delete(channel, line)
                await self._records.drop_fact(f"{FACT}{place}")
            if not text:
                (self._lines or {}).pop(place, None)
            elif line.message_id:
                await self._edit(channel, line, text)
            else:
                await self._post(channel, line, place, text)
        except (discord.Forbidden, discord.NotFound) as error:
            _log.info("no line of work in place %s for a while: %s", place, error)
            line.message_id, line.changed_at = 0, now + REFUSED_S

    def _is_above(self, place: int, message_id: int) -> bool:
        """Return whether something was posted after the line."""
        channel = self._client.get_channel(place)
        return (getattr(channel, "last_message_id", None) or 0) > message_id

    async def _delete(self, channel: discord.PartialMessageable, line: _Line) -> None:
        self._limiter.spend_overall(time.monotonic())
        try:
            await channel.get_partial_message(line.message_id).delete()
        except discord.NotFound:
            _log.debug("a line of work is gone already")
        line.message_id = 0

    async def _edit(self, channel: discord.PartialMessageable, line: _Line, text: str) -> None:
        self._limiter.spend_overall(time.monotonic())
        try:
            await channel.get_partial_message(line.message_id).edit(content=text)
        except discord.NotFound:
            line.message_id = 0  # people deleted it; the next look posts another
            return
        line.text = text

    async def _post(self, channel: discord.PartialMessageable, line: _Line, place: int, text: str) -> None:
        found, now = self._client.get_channel(place), time.monotonic()
        key = found.parent_id if isinstance(found, discord.Thread) else place
        if self._limiter.wait(key, now) > 0:
            line.changed_at = float("-inf")
            return
        self._limiter.spend(key, now)
        message = await channel.send(
            text, silent=True, suppress_embeds=True, allowed_mentions=discord.AllowedMentions.none()
        )
        line.message_id, line.text = message.id, text
        await self._records.set_fact(f"{FACT}{place}", str(message.id))


def _is_due(line: _Line | None, text: str, now: float) -> bool:
    """Return whether a place's line has to be posted, edited or deleted; a place that refused it waits."""
    if line is None:
        return bool(text)
    if not text:
        return bool(line.message_id) or now >= line.changed_at
    return now - line.changed_at >= EDIT_S and (line.text != text or not line.message_id)


def _text(lines: list[str], usual: str) -> str:
    shown = lines[:SHOWN_AGENTS]
    if len(lines) > len(shown):
        shown.append(texts.WORKING_MORE.format(count=len(lines) - len(shown)))
    return "\n".join([*shown, *([f"-# {usual}"] if usual else [])])
