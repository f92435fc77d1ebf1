"""Discord's rate limits as data and arithmetic; the time is passed in.

Seeds: 50 requests a second per bot (documented); the rest from staff answers and measurements. Discord's
headers always override them, and so do ours: clients learn from them what applies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Scope(StrEnum):
    """X-RateLimit-Scope: whose limit was met."""

    USER = "user"
    GLOBAL = "global"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Limit:
    """``count`` requests per ``window`` seconds; ``hidden`` ones never appear in headers."""

    name: str
    count: int
    window: float
    hidden: bool = False
    scope: Scope = Scope.USER


@dataclass(frozen=True, slots=True)
class Request:
    """What a limit can depend on."""

    method: str
    template: str
    major: str
    place: str
    fields: frozenset[str] = frozenset()
    bot: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """The limiter's decision: headers of the visible bucket, and the limit that refuses, if any.

    ``retry_after`` is in seconds of Discord's time.
    """

    limit: Limit | None = None
    remaining: int = 0
    reset_after: float = 0.0
    refused_by: Limit | None = None
    retry_after: float = 0.0


GLOBAL = Limit("global", 50, 1.0, hidden=True, scope=Scope.GLOBAL)
#: About 30 webhook posts a minute and channel, met as a retry of 40 to 45 s without a header.
HIDDEN_POSTS = Limit("posts", 30, 60.0, hidden=True, scope=Scope.SHARED)
#: Names and topics: 2 per 10 minutes and channel (staff answer, discord-api-docs 1900).
RENAMES = Limit("renames", 2, 600.0, hidden=True)
CREATES = Limit("creates", 50, 600.0, hidden=True)
HIDDEN_RETRY = 40.0
#: No window is longer, in seconds; so many are kept before old ones are dropped.
LONGEST = 600.0
MANY = 2000

_WEBHOOK = "/webhooks/{webhook_id}/{token}"
_BUCKETS: Mapping[tuple[str, str], Limit] = {
    ("POST", "/channels/{channel_id}/messages"): Limit("send", 5, 5.0),
    ("PATCH", "/channels/{channel_id}/messages/{message_id}"): Limit("edit", 5, 5.0),
    ("DELETE", "/channels/{channel_id}/messages/{message_id}"): Limit("delete", 5, 1.0),
    ("PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me"): Limit("react", 1, 0.25),
    ("POST", _WEBHOOK): Limit("execute", 5, 2.0),
    ("PATCH", _WEBHOOK + "/messages/{message_id}"): Limit("hook-edit", 5, 2.0),
    ("PATCH", _WEBHOOK + "/messages/@original"): Limit("hook-edit", 5, 2.0),
    ("DELETE", _WEBHOOK + "/messages/{message_id}"): Limit("hook-delete", 5, 2.0),
    ("GET", "/channels/{channel_id}/messages"): Limit("history", 5, 5.0),
}


class Limiter:
    """Counts requests. ``now`` is in seconds of Discord's time and must not go backwards."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], deque[float]] = {}

    def take(self, request: Request, now: float) -> Verdict:
        """Count one request, or return the limit that refuses it; a refused one is not counted."""
        limits = self._limits(request)
        for limit, key in limits:
            wait = self._wait(limit, key, now)
            if wait > 0:
                return replace(self._bucket(limits, now), refused_by=limit, retry_after=wait)
        for limit, key in limits:
            self._windows[limit.name, key].append(now)
        if len(self._windows) > MANY:
            self._forget(now)
        return self._bucket(limits, now)

    def _forget(self, now: float) -> None:
        """Drop expired windows: each interaction leaves one behind."""
        for key in [k for k, used in self._windows.items() if not used or now > used[-1] + LONGEST]:
            del self._windows[key]

    def _bucket(self, limits: list[tuple[Limit, str]], now: float) -> Verdict:
        """Return the state of the visible bucket; hidden limits show nowhere."""
        visible = next(((limit, key) for limit, key in limits if not limit.hidden), None)
        if visible is None:
            return Verdict()
        limit, key = visible
        used = self._windows.get((limit.name, key)) or deque([now])
        return Verdict(limit, limit.count - len(used), max(0.0, used[0] + limit.window - now))

    def _wait(self, limit: Limit, key: str, now: float) -> float:
        """Return the seconds until the limit allows one more; 0 if it does now."""
        used = self._windows.setdefault((limit.name, key), deque())
        if used and now >= used[0] + limit.window:
            used.clear()
        if len(used) < limit.count:
            return 0.0
        wait = used[0] + limit.window - now
        return max(wait, HIDDEN_RETRY) if limit is HIDDEN_POSTS else wait

    def _limits(self, request: Request) -> list[tuple[Limit, str]]:
        found: list[tuple[Limit, str]] = [(GLOBAL, "")] if request.bot else []
        bucket = _BUCKETS.get((request.method, request.template))
        if bucket is not None:
            found.append((bucket, request.major))
        if (request.method, request.template) == ("POST", _WEBHOOK) and request.place:
            found.append((HIDDEN_POSTS, request.place))
        if (request.method, request.template) == ("PATCH", "/channels/{channel_id}") and (
            request.fields & {"name", "topic"}
        ):
            found.append((RENAMES, request.major))
        if request.method == "POST" and request.template in (
            "/guilds/{guild_id}/channels",
            "/channels/{channel_id}/webhooks",
        ):
            found.append((CREATES, request.template))
        return found
