"""Waiting for something in the world to become true."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pulse:
    """Wakes everybody who waits each time the world changes."""

    def __init__(self) -> None:
        self._beat = asyncio.Event()

    def beat(self) -> None:
        """Let every waiter look again."""
        self._beat.set()
        self._beat = asyncio.Event()

    async def until(self, true: Callable[[], bool], within: float) -> None:
        """Return once ``true()`` holds; raises TimeoutError after ``within`` seconds."""
        async with asyncio.timeout(within):
            while not true():
                await self._beat.wait()
