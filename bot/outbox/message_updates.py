"""Update what is there: reactions, pins, buttons, names of places. In order; repeats are harmless."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from bot.discord.identities import message_of
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
from bot.places.notices import Notices
from bot.texts import outbox as wording
from engine.errors import NotFound

_log = logging.getLogger(__name__)

CloseGate = Callable[[int], Awaitable[None]]
"""Remove the buttons from a gate's message. Raises the errors of `outcomes`, and NotFound."""

Rename = Callable[[int], Awaitable[None]]
"""Give a task's category and first channel its title. Raises the errors of `outcomes`, and NotFound."""


class MessageUpdates:
    """Queue of entries of `UPDATE_KINDS`; each is applied at least once, across restarts."""

    def __init__(
        self,
        ledger: Ledger,
        transport: Transport,
        notices: Notices,
        close_gate: CloseGate,
        rename: Rename,
        pace: Pace,
        settled: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._transport = transport
        self._notices = notices
        self._close_gate = close_gate
        self._rename = rename
        self._pace = pace
        self._settled = settled
        self._waiting: asyncio.Queue[Entry] = asyncio.Queue()
        self._open = 0
        self._marked: set[int] = set()

    @property
    def idle(self) -> bool:
        """Return True if no entry is waiting."""
        return not self._open

    def feed(self, entry: Entry) -> None:
        """Queue an entry."""
        self._open += 1
        self._waiting.put_nowait(entry)

    async def run(self) -> None:
        """Apply entries until cancelled."""
        while True:
            entry = await self._waiting.get()
            try:
                await self._act(entry)
                await self._ledger.close_entries([entry.id])
            except SQLAlchemyError:
                _log.exception("%s is applied again", entry.post.kind)
                await asyncio.sleep(self._pace.longest_pause)
                self._waiting.put_nowait(entry)
                continue
            self._open -= 1
            self._settled()

    async def _act(self, entry: Entry) -> None:
        """Apply an entry; retry temporary errors, skip a deleted message, say if a permission is missing."""
        failures = 0
        while True:
            try:
                await self._do(entry)
            except (TooManyRequests, OutcomeUnknown, ConnectionFailed) as error:
                failures += 1
                await asyncio.sleep(max(self._pace.after(failures), getattr(error, "seconds", 0.0)))
            except SQLAlchemyError:
                failures += 1
                _log.exception("%s failed and is retried", entry.post.kind)
                await asyncio.sleep(self._pace.after(failures))
            except PermissionMissing as error:
                _log.warning("%s of %s is forbidden: %s", entry.post.kind, entry.post.ref or "a gate", error)
                await self._notify_channel(entry, wording.GATE_STUCK)
                return
            except TargetDeleted as error:
                _log.info("%s of %s is skipped: %s", entry.post.kind, entry.post.ref or "a gate", error)
                if error.what == "webhook":
                    await self._notify_channel(entry, wording.GATE_ORPHANED)
                return
            except (Rejected, NotFound) as error:
                _log.info("%s of %s is skipped: %s", entry.post.kind, entry.post.ref or "a gate", error)
                return
            else:
                await self._note_healed(entry)
                return

    async def _note_healed(self, entry: Entry) -> None:
        """Marks are possible in this channel (again): should they be refused later, that is said."""
        if entry.post.kind != "react":
            return
        channel_id, _ = message_of(entry.post.ref)
        if channel_id not in self._marked:
            self._marked.add(channel_id)
            await self._notices.healed(f"mark-forbidden:{channel_id}")

    async def _notify_channel(self, entry: Entry, stuck: str) -> None:
        """People see no mark, or buttons that do nothing: say why where they look, once."""
        post = entry.post
        if post.kind in ("rename", "pin"):
            return  # the old names are still right, and a message is read without a pin
        if post.kind == "close_gate":
            await self._notices.say(f"gate-stuck:{post.gate_id}", post.task_id, post.group_id, stuck)
            return
        channel_id, _ = message_of(post.ref)
        self._marked.discard(channel_id)
        channel = self._transport.client.get_channel(channel_id)
        guild = getattr(channel, "guild", None)
        if guild is not None:
            text = wording.MARK_FORBIDDEN.format(channel=channel_id)
            await self._notices.say_in(f"mark-forbidden:{channel_id}", guild.id, channel_id, text)

    async def _do(self, entry: Entry) -> None:
        if entry.post.kind == "close_gate" and entry.post.gate_id is not None:
            await self._close_gate(entry.post.gate_id)
        elif entry.post.kind == "rename":
            await self._rename(entry.post.task_id)
        elif entry.post.kind == "pin":
            await self._transport.pin(entry.post.ref)
        else:
            await self._transport.react(entry.post.ref, entry.post.text)
