"""Decide when a message may be sent: Discord's rate limits as sliding windows (pure, clock passed in).

Seeds: a webhook 5 posts per 2 s, a hidden limit of about 30 posts a minute a channel (a 429 with 40 to
45 s), 50 requests a second a bot. Threads post through their parent's webhook and share its budget, so
the key is always the parent channel. Headers and 429s override the seeds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

_NEGLIGIBLE_S = 1e-9
_ROOM = 40


@dataclass(frozen=True, slots=True)
class RateWindow:
    """At most `count` requests in any period of `seconds`."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The limits kept. Seconds carry a margin: Discord counts when a request arrives, we when it is answered.

    A channel that was quiet takes `at_once` posts together. Only so many, that one may always follow every
    `minute.seconds / (minute.count - at_once)`: no answer ever waits for a used-up minute to pass. Chatter
    leaves `reserve` of the minute to answers and gates; where more waits than goes out soon it is spread
    evenly over the minute.
    """

    burst: RateWindow = RateWindow(5, 2.2)
    minute: RateWindow = RateWindow(30, 61.0)
    at_once: int = 7
    reserve: int = 1
    overall: RateWindow = RateWindow(45, 1.0)
    floor: int = 10
    forgive_s: float = 600.0

    def scaled(self, by: float) -> RateLimits:
        """Return the limits for a clock that runs `by` times as fast (tests and benchmarks)."""
        return replace(
            self,
            burst=_scaled(self.burst, by),
            minute=_scaled(self.minute, by),
            forgive_s=self.forgive_s / by,
        )


def _scaled(window: RateWindow, by: float) -> RateWindow:
    return RateWindow(window.count, window.seconds / by)


@dataclass(slots=True)
class _ChannelUsage:
    """The state of one channel: times of posts, until when it is closed, posts allowed per minute."""

    sent: deque[float] = field(default_factory=lambda: deque(maxlen=128))
    closed_until: float = -math.inf
    a_minute: int = 0
    tightened_at: float = -math.inf


class Limiter:
    """Rate limiter of one bot; `now` is a monotonic clock in seconds."""

    def __init__(self, rates: RateLimits | None = None) -> None:
        self._rates = rates or RateLimits()
        self._channels: dict[int, _ChannelUsage] = {}
        self._all: deque[float] = deque(maxlen=512)
        self._closed_until = -math.inf

    def wait(self, channel_id: int, now: float, chatter: bool = True, crowded: bool = False) -> float:
        """Return the seconds until another post to `channel_id` is allowed, 0 if it is allowed now.

        `crowded` is True if more posts wait there than can be sent soon.
        """
        budget = self._budget(channel_id, now)
        until = max(self._closed_until, budget.closed_until, _free_at(self._all, self._rates.overall))
        until = max(until, self._free(budget.sent, budget.a_minute, chatter, crowded))
        return until - now if until - now > _NEGLIGIBLE_S else 0.0

    def room(self, channel_id: int, now: float, seconds: float, chatter: bool = True) -> int:
        """Return how many posts may start in the next `seconds` if nothing else is sent; at most 40."""
        budget = self._budget(channel_id, now)
        sent, when = list(budget.sent), max(now, self._closed_until, budget.closed_until)
        for count in range(_ROOM):
            when = max(when, self._free(sent, budget.a_minute, chatter))
            if when > now + seconds:
                return count
            sent.append(when)
        return _ROOM

    def spend(self, channel_id: int, now: float) -> None:
        """Count a post that is sent now."""
        self._budget(channel_id, now).sent.append(now)
        self._all.append(now)

    def wait_overall(self, now: float) -> float:
        """Seconds until one more request that is no post (an edit) is allowed, 0 when it is now."""
        until = max(self._closed_until, _free_at(self._all, self._rates.overall))
        return until - now if until - now > _NEGLIGIBLE_S else 0.0

    def spend_overall(self, now: float) -> None:
        """A request that is no post goes out now."""
        self._all.append(now)

    def landed(self, channel_id: int, now: float) -> None:
        """The last post was answered. Discord counted it some time since `spend`: now is safe to assume."""
        sent = self._budget(channel_id, now).sent
        if sent:
            sent[-1] = now

    def heard(self, channel_id: int, now: float, headers: Mapping[str, str]) -> None:
        """Apply the headers of a response: an empty bucket closes the channel until it resets."""
        remaining = headers.get("X-RateLimit-Remaining")
        reset = _number(headers.get("X-RateLimit-Reset-After"))
        if remaining == "0" and reset is not None:
            budget = self._budget(channel_id, now)
            budget.closed_until = max(budget.closed_until, now + reset)

    def refused(self, channel_id: int, now: float, retry_after: float, scope: str, hidden: bool) -> None:
        """Apply a 429. `scope` is user, shared or global; `hidden` if no bucket header explains it.

        A hidden one also makes the channel's minute smaller for a while: the seed was too hopeful.
        """
        if scope == "global":
            self._closed_until = max(self._closed_until, now + retry_after)
            return
        budget = self._budget(channel_id, now)
        budget.closed_until = max(budget.closed_until, now + retry_after)
        if hidden and now - budget.tightened_at > self._rates.minute.seconds / 2:
            budget.a_minute = max(self._rates.floor, budget.a_minute * 4 // 5)
            budget.tightened_at = now

    def a_minute(self, channel_id: int) -> int:
        """Return the posts per minute currently allowed in `channel_id`."""
        budget = self._channels.get(channel_id)
        return budget.a_minute if budget else self._rates.minute.count

    def _budget(self, channel_id: int, now: float) -> _ChannelUsage:
        full = self._rates.minute.count
        budget = self._channels.setdefault(channel_id, _ChannelUsage(a_minute=full))
        if budget.a_minute < full and now - budget.tightened_at > self._rates.forgive_s:
            budget.a_minute, budget.tightened_at = min(full, budget.a_minute + 5), now
        return budget

    def _free(self, sent: Sequence[float], a_minute: int, chatter: bool, crowded: bool = False) -> float:
        """Return the time from which a channel with posts at `sent` accepts another."""
        rates, most = self._rates, a_minute - (self._rates.reserve if chatter else 0)
        at_once = max(1, a_minute * rates.at_once // rates.minute.count)
        apart = rates.minute.seconds / max(1, a_minute - at_once)
        until = max(
            _free_at(sent, rates.burst), _steady_at(sent, RateWindow(most, rates.minute.seconds), apart)
        )
        if crowded and chatter and sent:
            until = max(until, sent[-1] + rates.minute.seconds / most)
        return until


def _free_at(sent: Sequence[float], window: RateWindow) -> float:
    """Return the time from which one more request fits into `window`."""
    if len(sent) < window.count:
        return -math.inf
    return sent[-window.count] + window.seconds


def _steady_at(sent: Sequence[float], window: RateWindow, apart: float) -> float:
    """Return the time from which one request fits into `window`, and then one every `apart` seconds."""
    until = -math.inf
    for after in range(min(window.count, int(window.seconds / apart) + 1)):
        others = window.count - 1 - after
        if len(sent) > others:
            oldest = sent[-others - 1]
            until = max(until, oldest + window.seconds - after * apart)
    return until


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
