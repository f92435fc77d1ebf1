"""Pauses between attempts, and a wait that an event can end early."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bot.outbox.plan import Ladder


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds to wait after a failure: `pause`, doubled up to `longest_pause`."""

    pause: float = 1.0
    longest_pause: float = 30.0
    ladder: Ladder = field(default_factory=Ladder)

    def after(self, failures: int) -> float:
        """Return the pause in seconds after `failures` (>= 1) consecutive failures."""
        return float(min(self.longest_pause, self.pause * 2 ** min(failures - 1, 16)))


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set or `seconds` have passed, whichever comes first."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
