"""Circuit breaker for a model endpoint; pure, the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerTimes:
    """Times of a breaker: `threshold` consecutive failures open it; probes follow after `first_s`, doubling
    up to `longest_s`, and every `key_s` after a rejected key."""

    threshold: int = 5
    first_s: float = 1.0
    longest_s: float = 60.0
    key_s: float = 60.0


class Breaker:
    """Circuit breaker. Closed: calls pass. Open: none pass until `retry_at`, then one probe, whose outcome
    decides."""

    def __init__(self, times: BreakerTimes) -> None:
        self._times = times
        self._failures = 0
        self._trips = 0
        self._probing = False
        self.reason = ""
        self.retry_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Return True while calls wait; a probe may be in flight."""
        return self.retry_at is not None

    def wait_s(self, now: float) -> float:
        """Return the seconds until the next call may pass; infinite while a probe is in flight."""
        if self.retry_at is None:
            return 0.0
        return float("inf") if self._probing else max(0.0, self.retry_at - now)

    def begin(self) -> bool:
        """Register a call that passes (`wait_s` was 0); return True if it is the probe."""
        self._probing = self.is_open
        return self._probing

    def succeeded(self) -> bool:
        """Register a successful call; return True if that closed the breaker."""
        was_open = self.is_open
        self._failures = self._trips = 0
        self._probing = False
        self.retry_at = None
        self.reason = ""
        return was_open

    def failed(self, now: float, probe: bool, reason: str, retry_after_s: float | None) -> bool:
        """Register a call that failed as if the endpoint were down; return True if that (re)opened the
        breaker.

        Late failures of calls started before it opened change nothing.
        """
        self._failures += 1
        if not probe and (self.is_open or self._failures < self._times.threshold):
            return False
        wait = min(self._times.first_s * 2**self._trips, self._times.longest_s)
        self._trips = min(self._trips + 1, 30)
        self._open(now + (wait if retry_after_s is None else retry_after_s), probe, reason)
        return True

    def rejected(self, now: float, probe: bool, reason: str) -> bool:
        """Register a rejected key; return True if that (re)opened the breaker."""
        if self.is_open and not probe:
            return False
        self._open(now + self._times.key_s, probe, reason)
        return True

    def abandoned(self) -> None:
        """Register that the probe was cancelled: the next call may probe at once."""
        self._probing = False

    def retry_now(self, now: float) -> None:
        """Allow a probe at once."""
        if self.retry_at is not None:
            self.retry_at = now

    def _open(self, until: float, probe: bool, reason: str) -> None:
        if probe:
            self._probing = False
        self.retry_at = until
        self.reason = reason
