"""Listeners whose work may be forgotten: signs of life and later edits of an answer, nothing that is owed.

What must reach Discord is a row written by the reader (`bot.outbox.projector`). These are notified of events
after that transaction, keep what they noted in memory, and lose it when the process ends: their contract.
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
    """Something that follows events without any guarantee; a crash forgets what it noted."""

    def take(self, event: Event) -> None:
        """Note an event that is committed and read; must be quick and not raise."""

    async def tick(self) -> None:
        """Do what is due; comes about once a second."""


async def run_listeners(listeners: Sequence[EphemeralListener]) -> None:
    """Tick every listener about once a second, until cancelled; a fault of one is logged."""
    while True:
        for listener in listeners:
            try:
                await listener.tick()
            except Exception:  # noqa: BLE001 - one listener's trouble must not end the others; logged
                _log.exception("%s goes on after a fault", type(listener).__name__)
        await asyncio.sleep(EVERY_S)
