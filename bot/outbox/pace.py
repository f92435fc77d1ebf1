"""How patient the sender is, and waiting that can be cut short."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bot.outbox.plan import Ladder


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: first pause after a fault (doubled up to `longest_pause`), and while a guild is away."""

    pause: float = 1.0
    longest_pause: float = 30.0
    ladder: Ladder = field(default_factory=Ladder)

    def after(self, failures: int) -> float:
        """The pause after so many faults in a row (from 1)."""
        return float(min(self.longest_pause, self.pause * 2 ** min(failures - 1, 16)))


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set or the time is over, whichever is first."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
