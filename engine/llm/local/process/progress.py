"""Progress of downloads, for people."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

STEP = 0.05
QUIET_S = 4.0
"""Seconds after which progress is reported again, however small."""


class Progress(Protocol):
    """Receives progress before and during a download."""

    def say(self, text: str) -> None:
        """Report one plain sentence about what happens now."""

    def at(self, done: int, total: int) -> None:
        """Report that `done` of `total` bytes have arrived."""


class Silent:
    """Progress that ignores everything."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def at(self, done: int, total: int) -> None:
        """Do nothing."""


class Spoken:
    """Progress as plain lines: each sentence, and size and remaining time at every twentieth and every few
    seconds."""

    def __init__(self, say: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._now = now
        self._first: tuple[float, int] | None = None
        self._last_reported = 0.0
        self._last_at: float | None = None

    def say(self, text: str) -> None:
        """Pass the sentence on."""
        self._say(text)

    def at(self, done: int, total: int) -> None:
        """Report the progress when a twentieth is added, or nothing was reported for QUIET_S."""
        now = self._now()
        if self._first is None:
            self._first, self._last_at = (now, done), now
        quiet = self._last_at is not None and now - self._last_at >= QUIET_S
        if done / total - self._last_reported >= STEP or quiet:
            self._last_reported, self._last_at = done / total, now
            self._say(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB{self._left(done, total)}.")

    def _left(self, done: int, total: int) -> str:
        began, start = self._first or (self._now(), done)
        seconds = time_left_s(self._now() - began, done - start, total - done)
        return "" if seconds is None else f", {spoken_time(seconds)} left"


def time_left_s(elapsed_s: float, done: int, left: int) -> float | None:
    """Return the seconds for the remaining bytes at the speed so far; None before there is one."""
    return None if done <= 0 or elapsed_s <= 0 else left * elapsed_s / done


def spoken_time(seconds: float) -> str:
    """Return a duration such as `40 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
