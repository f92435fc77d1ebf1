"""Telling people what is fetched."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

STEP = 0.05


class Progress(Protocol):
    """Told everything that is fetched, before and while it is."""

    def say(self, text: str) -> None:
        """One plain sentence: what happens now."""

    def at(self, done: int, total: int) -> None:
        """`done` of `total` bytes are here."""


class Silent:
    """Nobody watches."""

    def say(self, text: str) -> None:
        """Ignored."""

    def at(self, done: int, total: int) -> None:
        """Ignored."""


class Spoken:
    """Progress as plain lines: each sentence, and every twentieth of the way size and time left."""

    def __init__(self, say: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._now = now
        self._first: tuple[float, int] | None = None
        self._told = 0.0

    def say(self, text: str) -> None:
        """Pass the sentence on."""
        self._say(text)

    def at(self, done: int, total: int) -> None:
        """Say how far it is, at most once a twentieth."""
        if self._first is None:
            self._first = (self._now(), done)
        if done / total - self._told >= STEP:
            self._told = done / total
            self._say(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB{self._left(done, total)}.")

    def _left(self, done: int, total: int) -> str:
        began, start = self._first or (self._now(), done)
        seconds = time_left_s(self._now() - began, done - start, total - done)
        return "" if seconds is None else f", {spoken_time(seconds)} left"


def time_left_s(elapsed_s: float, done: int, left: int) -> float | None:
    """Seconds for the bytes left at the speed so far, None before there is one."""
    return None if done <= 0 or elapsed_s <= 0 else left * elapsed_s / done


def spoken_time(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
