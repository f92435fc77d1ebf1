"""When may a message go out? Discord's limits as sliding windows; pure, the clock is passed in.

Seeds: a webhook 5 posts per 2 s, a hidden limit of about 30 posts a minute a channel (a 429 with 40 to
45 s), 50 requests a second a bot. Threads post through their parent's webhook and share its budget, so
the key is always the parent channel. Headers and 429s override the seeds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

_NEGLIGIBLE_S = 1e-9


@dataclass(frozen=True, slots=True)
class Window:
    """At most `count` in any `seconds`."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Rates:
    """The limits kept. Seconds carry a margin: Discord counts when a request arrives, we when it is sent.

    A channel's minute is spent evenly: `tokens` posts at once, then one every
    `minute.seconds / (minute.count - tokens)`, so that no answer ever waits for a used-up minute to pass.
    Chatter leaves the last `reserve` tokens to answers and gates.
    """

    burst: Window = Window(5, 2.2)
    minute: Window = Window(30, 61.0)
    tokens: int = 5
    reserve: int = 2
    overall: Window = Window(45, 1.0)
    floor: int = 10
    forgive_s: float = 600.0

    def scaled(self, by: float) -> Rates:
        """The same limits in a world whose time runs `by` times as fast (tests and benchmarks)."""
        return replace(
            self,
            burst=_scaled(self.burst, by),
            minute=_scaled(self.minute, by),
            forgive_s=self.forgive_s / by,
        )


def _scaled(window: Window, by: float) -> Window:
    return Window(window.count, window.seconds / by)


@dataclass(slots=True)
class _Budget:
    """What is known of one channel: when we posted, until when it is closed, how many a minute it takes."""

    sent: deque[float] = field(default_factory=lambda: deque(maxlen=128))
    closed_until: float = -math.inf
    a_minute: int = 0
    tokens: float = 0.0
    counted_at: float = -math.inf
    tightened_at: float = -math.inf


class Limiter:
    """Mutable memory of one bot's posts; `now` is any clock in seconds that never goes back."""

    def __init__(self, rates: Rates | None = None) -> None:
        self._rates = rates or Rates()
        self._channels: dict[int, _Budget] = {}
        self._all: deque[float] = deque(maxlen=512)
        self._closed_until = -math.inf

    def wait(self, channel_id: int, now: float, chatter: bool = True) -> float:
        """Seconds until one more post into `channel_id` is allowed, 0 when it is now."""
        budget = self._budget(channel_id, now)
        until = max(self._closed_until, budget.closed_until, _free_at(self._all, self._rates.overall))
        for window in (self._rates.burst, Window(budget.a_minute, self._rates.minute.seconds)):
            until = max(until, _free_at(budget.sent, window))
        needed = 1 + (self._rates.reserve if chatter else 0)
        even = (needed - self._tokens(budget, now)) * self._interval(budget)
        return max(0.0, until - now, even if even > _NEGLIGIBLE_S else 0.0)

    def spend(self, channel_id: int, now: float) -> None:
        """A post goes out now."""
        budget = self._budget(channel_id, now)
        budget.tokens, budget.counted_at = self._tokens(budget, now) - 1, now
        budget.sent.append(now)
        self._all.append(now)

    def heard(self, channel_id: int, now: float, headers: Mapping[str, str]) -> None:
        """Learn from the headers of an answer: an empty bucket closes the channel until it resets."""
        remaining = headers.get("X-RateLimit-Remaining")
        reset = _number(headers.get("X-RateLimit-Reset-After"))
        if remaining == "0" and reset is not None:
            budget = self._budget(channel_id, now)
            budget.closed_until = max(budget.closed_until, now + reset)

    def refused(self, channel_id: int, now: float, retry_after: float, scope: str, hidden: bool) -> None:
        """Learn from a 429. `scope` is user, shared or global; `hidden` when no bucket's header explains it.

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
        """Posts a minute `channel_id` is trusted with at present."""
        budget = self._channels.get(channel_id)
        return budget.a_minute if budget else self._rates.minute.count

    def _budget(self, channel_id: int, now: float) -> _Budget:
        full = self._rates.minute.count
        budget = self._channels.setdefault(channel_id, _Budget(a_minute=full))
        if budget.a_minute < full and now - budget.tightened_at > self._rates.forgive_s:
            budget.a_minute, budget.tightened_at = min(full, budget.a_minute + 5), now
        return budget

    def _interval(self, budget: _Budget) -> float:
        """Seconds between posts when there are always some waiting."""
        return self._rates.minute.seconds / max(1, budget.a_minute - self._rates.tokens)

    def _tokens(self, budget: _Budget, now: float) -> float:
        gained = (now - budget.counted_at) / self._interval(budget)
        return min(float(self._rates.tokens), budget.tokens + gained)


def _free_at(sent: deque[float], window: Window) -> float:
    """When one more fits into `window`."""
    if len(sent) < window.count:
        return -math.inf
    return sent[-window.count] + window.seconds


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
