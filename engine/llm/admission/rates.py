"""Rate control: token buckets for limits per minute and an adaptive concurrency limit; pure."""

from __future__ import annotations

BURST = 0.1
MINUTE = 60.0


class MinuteBucket:
    """At most `limit` units in any minute (0: no limit), a tenth of them as a burst.

    An amount larger than the burst passes when the bucket is full and leaves a debt. Amounts taken on an
    estimate are corrected with `settle`.
    """

    def __init__(self, limit: int, now: float) -> None:
        self._limit = limit
        self._burst = max(1.0, limit * BURST)
        self._rate = (limit - self._burst if limit > 1 else limit) / MINUTE
        self._level = self._burst
        self._at = now

    def wait_s(self, amount: float, now: float) -> float:
        """Return the seconds until `take(amount)` is allowed."""
        if not self._limit:
            return 0.0
        self._refill(now)
        missing = min(amount, self._burst) - self._level
        return missing / self._rate if missing > 1e-9 else 0.0

    def take(self, amount: float, now: float) -> None:
        """Use `amount`, after `wait_s` returned 0."""
        self._refill(now)
        self._level -= amount

    def settle(self, estimate: float, actual: float) -> None:
        """Replace the `estimate` taken earlier by the `actual` amount."""
        self._level = min(self._burst, self._level + estimate - actual)

    def _refill(self, now: float) -> None:
        self._level = min(self._burst, self._level + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)


class AdaptiveLimit:
    """Concurrency limit with additive increase and multiplicative decrease, between 1 and `cap`.

    Halves when a call is rate-limited, at most once per round trip: calls started before the last halving are
    not counted. Grows by about one for each full round of successes.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._limit = float(cap)
        self._halved_at = float("-inf")

    @property
    def allowed(self) -> int:
        """Return the number of concurrent calls allowed."""
        return max(1, int(self._limit + 1e-9))

    def limited(self, began: float, now: float) -> None:
        """Register that a call started at `began` was rate-limited."""
        if began <= self._halved_at:
            return
        self._limit = max(1.0, self._limit / 2)
        self._halved_at = now

    def succeeded(self, in_flight: int) -> None:
        """Register a success while `in_flight` calls were running; the limit grows only if it was in use."""
        if in_flight >= self.allowed:
            self._limit = min(float(self._cap), self._limit + 1.0 / self._limit)
