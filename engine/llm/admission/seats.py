"""Seats kept free for a moment for small tasks; pure.

Where long calls start and end together, a small task whose next call comes a moment after its last one ended
would wait for a whole round of the large task's calls (measured: 1.7 times as long as alone). Its seat is
kept free for that moment instead.
"""

from __future__ import annotations

from collections import deque

SEAT_S = 0.2
KEPT_PART = 8
"""At most one place in so many is kept: all that the large tasks can lose."""


class Seats:
    """Kept seats by flow (task), each with the time at which it expires."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, int]] = deque()

    def keep(self, flow: int, places: int, now: float) -> None:
        """Keep one of `places` for `flow`, unless too many are kept already."""
        self._drop(now)
        if len(self._kept) < max(1, places // KEPT_PART):
            self._kept.append((now + SEAT_S, flow))

    def take(self, flow: int) -> None:
        """Register the next call of `flow`: its kept seat is used up."""
        for kept in self._kept:
            if kept[1] == flow:
                self._kept.remove(kept)
                return

    def of_others(self, flow: int, now: float) -> int:
        """Return how many seats are kept for flows other than `flow`."""
        self._drop(now)
        return sum(owner != flow for _, owner in self._kept)

    def next_end(self) -> float:
        """Return the time when the first kept seat expires; call only while one is kept."""
        return self._kept[0][0]

    def _drop(self, now: float) -> None:
        while self._kept and self._kept[0][0] <= now:
            self._kept.popleft()
