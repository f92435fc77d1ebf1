"""Reactions on people's messages: in order, apart from posts, harmless to repeat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bot.outbox.ledger import Ledger
from bot.outbox.outcomes import Denied, Gone, Refused, Rejected, Uncertain, Unreached
from bot.outbox.pace import Pace
from bot.outbox.post import Entry
from bot.outbox.transport import Transport

_log = logging.getLogger(__name__)


class Reactions:
    """Feed it entries of kind react."""

    def __init__(self, ledger: Ledger, transport: Transport, pace: Pace, settled: Callable[[], None]) -> None:
        self._ledger = ledger
        self._transport = transport
        self._pace = pace
        self._settled = settled
        self._waiting: asyncio.Queue[Entry] = asyncio.Queue()
        self._open = 0

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not self._open

    def feed(self, entry: Entry) -> None:
        """Take an entry over."""
        self._open += 1
        self._waiting.put_nowait(entry)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            entry = await self._waiting.get()
            await self._react(entry)
            await self._ledger.close_entries([entry.id])
            self._open -= 1
            self._settled()

    async def _react(self, entry: Entry) -> None:
        """A reaction on a message that is gone or closed to us is nobody's loss."""
        failures = 0
        while True:
            try:
                await self._transport.react(entry.post.ref, entry.post.text)
            except (Refused, Uncertain, Unreached) as error:
                failures += 1
                await asyncio.sleep(max(self._pace.after(failures), getattr(error, "seconds", 0.0)))
            except (Gone, Denied, Rejected) as error:
                _log.info("no reaction on %s: %s", entry.post.ref, error)
                return
            else:
                return
