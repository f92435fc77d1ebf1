"""Run listeners without guarantees, such as typing indicators and edits of earlier replies.

Whatever must reach Discord is a row written by `bot.outbox.projector`. Listeners are notified of events
after that transaction, keep their state in memory and lose it when the process ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from engine.events import Event

_log = logging.getLogger(__name__)

EVERY_S = 1.0


class EphemeralListener(Protocol):
    """A listener to events without guarantees; its state is lost in a crash."""

    def take(self, event: Event) -> None:
        """Process a committed event; must be quick and not raise."""

    async def tick(self) -> None:
        """Do the work that is due; called about once a second."""


async def run_listeners(listeners: Sequence[EphemeralListener]) -> None:
    """Call every listener's `tick` about once a second until cancelled; errors are logged."""
    while True:
        for listener in listeners:
            try:
                await listener.tick()
            except Exception:  # noqa: BLE001 - one listener's trouble must not end the others; logged
                _log.exception("%s failed and continues", type(listener).__name__)
        await asyncio.sleep(EVERY_S)
