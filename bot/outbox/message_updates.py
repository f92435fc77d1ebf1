"""Acts on messages that are there already: reactions, and buttons taken off. In order, harmless to repeat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from bot.outbox.ledger import Ledger
from bot.outbox.outcomes import (
    ConnectionFailed,
    OutcomeUnknown,
    PermissionMissing,
    Rejected,
    TargetDeleted,
    TooManyRequests,
)
from bot.outbox.pace import Pace
from bot.outbox.post import Entry
from bot.outbox.transport import Transport
from engine.errors import NotFound

_log = logging.getLogger(__name__)

CloseGate = Callable[[int], Awaitable[None]]
"""Takes the buttons off a gate's message; raises the errors of `outcomes`, and NotFound."""


class MessageUpdates:
    """Feed it entries of kind react and close_gate; each is done at least once, over restarts too."""

    def __init__(
        self,
        ledger: Ledger,
        transport: Transport,
        close_gate: CloseGate,
        pace: Pace,
        settled: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._transport = transport
        self._close_gate = close_gate
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
            await self._act(entry)
            await self._ledger.close_entries([entry.id])
            self._open -= 1
            self._settled()

    async def _act(self, entry: Entry) -> None:
        """An act on a message that is gone or closed to us is nobody's loss."""
        failures = 0
        while True:
            try:
                await self._do(entry)
            except (TooManyRequests, OutcomeUnknown, ConnectionFailed) as error:
                failures += 1
                await asyncio.sleep(max(self._pace.after(failures), getattr(error, "seconds", 0.0)))
            except SQLAlchemyError:
                failures += 1
                _log.exception("%s is tried again", entry.post.kind)
                await asyncio.sleep(self._pace.after(failures))
            except (TargetDeleted, PermissionMissing, Rejected, NotFound) as error:
                _log.info("%s of %s is left out: %s", entry.post.kind, entry.post.ref or "a gate", error)
                return
            else:
                return

    async def _do(self, entry: Entry) -> None:
        if entry.post.kind == "close_gate" and entry.post.gate_id is not None:
            await self._close_gate(entry.post.gate_id)
        else:
            await self._transport.react(entry.post.ref, entry.post.text)
