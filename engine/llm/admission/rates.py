"""How fast: token buckets for limits a minute and an adaptive limit of calls at once, pure."""

from __future__ import annotations

BURST = 0.1
MINUTE = 60.0


class MinuteBucket:
    """At most `limit` units in any minute (0: no limit), a tenth of them at once.

    Single amounts above the burst pass when the bucket is full and leave a debt, so that they too go
    through. What was taken on an estimate is set right by `settle`.
    """

    def __init__(self, limit: int, now: float) -> None:
        self._limit = limit
        self._burst = max(1.0, limit * BURST)
        self._rate = (limit - self._burst if limit > 1 else limit) / MINUTE
        self._level = self._burst
        self._at = now

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until `take(amount)` is allowed."""
        if not self._limit:
            return 0.0
        self._refill(now)
        missing = min(amount, self._burst) - self._level
        return missing / self._rate if missing > 1e-9 else 0.0

    def take(self, amount: float, now: float) -> None:
        """Use `amount` (after `wait_s` said 0)."""
        self._refill(now)
        self._level -= amount

    def settle(self, estimate: float, actual: float) -> None:
        """The `estimate` taken turned out to be `actual`."""
        self._level = min(self._burst, self._level + estimate - actual)

    def _refill(self, now: float) -> None:
        self._level = min(self._burst, self._level + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)


class AdaptiveLimit:
    """Calls at once: additive increase, multiplicative decrease, between 1 and `cap`.

    Halves when a call is rate-limited, at most once a round trip: calls begun before the last halving say
    nothing new. Grows by about one for each full round of successes.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._limit = float(cap)
        self._halved_at = float("-inf")

    @property
    def allowed(self) -> int:
        """Whole calls allowed at once."""
        return max(1, int(self._limit + 1e-9))

    def limited(self, began: float, now: float) -> None:
        """A call that began at `began` was rate-limited."""
        if began <= self._halved_at:
            return
        self._limit = max(1.0, self._limit / 2)
        self._halved_at = now

    def succeeded(self, in_flight: int) -> None:
        """A call was answered while `in_flight` were running; unused room is no reason to grow."""
        if in_flight >= self.allowed:
            self._limit = min(float(self._cap), self._limit + 1.0 / self._limit)
