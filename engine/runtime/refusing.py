"""Endpoints that refuse a task's requests, as this process knows it; the store counts. No database here."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

Place = tuple[int, str]
"""A task and the key of a lane."""


class Refusing:
    """Places that are not to be asked, and refusals that are not counted yet.

    A refusal makes room for the next call before anybody knows whether its endpoint is to be asked again, so
    calls wait for that; and a step that was loaded before a refusal was counted knows nothing of it.
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self._since: dict[Place, float] = {}
        self._open: dict[Place, list[asyncio.Event]] = {}

    def number(self) -> int:
        """Return a number that is larger the later it was asked for."""
        return next(self._numbers)

    @contextmanager
    def about(self, place: Place) -> Iterator[None]:
        """Let calls to `place` wait while a refusal is counted. Enter it before anything is awaited."""
        decided = asyncio.Event()
        self._open.setdefault(place, []).append(decided)
        try:
            yield
        finally:
            if place in self._since:
                self._since[place] = self.number()
            self._open[place].remove(decided)
            if not self._open[place]:
                del self._open[place]
            decided.set()

    def close(self, place: Place) -> None:
        """Ask `place` no more."""
        self._since[place] = math.inf

    def reopen(self, place: Place, loaded: float = math.inf) -> None:
        """Ask `place` again: it answered, or a step whose load began with the number `loaded` found that
        nothing refuses."""
        if self._since.get(place, math.inf) < loaded or loaded == math.inf:
            self._since.pop(place, None)

    def __contains__(self, place: Place) -> bool:
        return place in self._since

    async def settled(self, place: Place) -> None:
        """Return once no refusal of `place` is being counted."""
        while waiting := self._open.get(place):
            await waiting[0].wait()
