"""One stop for everything that asks Discord: bans of the address, global limits, too many invalid answers.

Discord bans an address for a while after 10,000 answers 401, 403 or 429 in ten minutes; its edge then answers
429 without Via, and every further request prolongs that. Whoever asks through the bot's session or the
webhooks' one is held back here, so no caller has to know. The gateway is another service: a ban of the API
does not concern it, and a reconnect that failed for one would end the client.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import aiohttp
import discord

_log = logging.getLogger(__name__)

INVALID = frozenset({401, 403, 429})
MOST_INVALID = 9_000
WINDOW_S = 600.0
"""So many invalid answers in so many seconds stop everything: a margin below Discord's 10,000."""

BAN_S = 60.0
"""How long a ban is kept that does not say how long it lasts."""

SHORT_S = 3.0
"""A stop no longer than this is waited for; a longer one is an error at once, so that callers can decide."""


_GATEWAY = frozenset({"ws", "wss"})
_API = "/api/"


class ForeignAnswer(aiohttp.ClientError):
    """A refusal that is not Discord's: of a proxy, or of an edge in trouble. It says nothing of channels,
    messages or permissions; nothing is known of the request."""


_OWN_REFUSALS = frozenset({401, 413, 429})
"""Refusals that mean the same whoever answers: the token, the size, the number of requests."""


async def require_discords(response: aiohttp.ClientResponse) -> None:
    """Raise ForeignAnswer for a refusal that is not one of Discord's errors; of a 403 or 404 without a code
    nothing is known either."""
    if not 400 <= response.status < 500 or response.status in _OWN_REFUSALS:
        return
    try:
        body = json.loads(await response.text())
    except ValueError:
        body = None
    code = body.get("code") if isinstance(body, dict) else None
    if code is None or (not code and response.status in (403, 404)):
        raise ForeignAnswer(f"{response.status} without an error code of Discord's")


class RequestStop:
    """Shared by all that sends for one bot; `clock` is in seconds and never goes back, `wall` is unix time.

    `ahead_s` is by how much Discord's clock is ahead of this host's, as its last answer says.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._clock, self._wall = clock, wall
        self.ahead_s = 0.0
        self._until = 0.0
        self._invalid: deque[float] = deque()

    def remaining(self) -> float:
        """Seconds until requests may be made again, 0.0 when they may."""
        return max(0.0, self._until - self._clock())

    def close(self, seconds: float) -> None:
        """Make no request for so long."""
        until = self._clock() + seconds
        if until > self._until:
            self._until = until
            _log.warning("no request to Discord for %.1f s", seconds)

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer of Discord's or of its edge's."""
        if (date := _unix(headers.get("Date"))) is not None:
            self.ahead_s = date - self._wall()
        shared = headers.get("X-RateLimit-Scope") == "shared"
        if status not in INVALID or (status == 429 and shared):
            return
        if status == 429 and "Via" not in headers:
            self.close(_number(headers.get("Retry-After")) or BAN_S)
        elif status == 429 and "X-RateLimit-Global" in headers:
            self.close(_number(headers.get("Retry-After")) or 1.0)
        self._count()

    def _count(self) -> None:
        now = self._clock()
        self._invalid.append(now)
        while self._invalid and now - self._invalid[0] > WINDOW_S:
            self._invalid.popleft()
        if len(self._invalid) >= MOST_INVALID:
            self.close(self._invalid[0] + WINDOW_S - now)

    async def hold(self) -> None:
        """Return when a request may be made. Raises discord.RateLimited when that takes long."""
        while (pause := self.remaining()) > 0:
            if pause > SHORT_S:
                raise discord.RateLimited(pause)
            await asyncio.sleep(pause)

    def trace(self) -> aiohttp.TraceConfig:
        """Return what makes a session obey this stop and tell it of answers."""

        async def start(
            _session: aiohttp.ClientSession,
            _context: SimpleNamespace,
            asked: aiohttp.TraceRequestStartParams,
        ) -> None:
            if asked.url.scheme not in _GATEWAY:
                await self.hold()

        async def end(
            _session: aiohttp.ClientSession, _context: SimpleNamespace, seen: aiohttp.TraceRequestEndParams
        ) -> None:
            if seen.url.path.startswith(_API):  # files are another service
                self.heard(seen.response.status, seen.response.headers)
                await require_discords(seen.response)

        config = aiohttp.TraceConfig()
        config.on_request_start.append(start)
        config.on_request_end.append(end)
        return config


def stop_of(client: discord.Client) -> RequestStop:
    """Return the stop that a client's own requests obey; a client without one gets one for what is added."""
    stop = getattr(client, "request_stop", None)
    return stop if isinstance(stop, RequestStop) else RequestStop()


def _unix(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
