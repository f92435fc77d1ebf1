"""Update what is there: reactions, pins, buttons, names of places. In order; repeats are harmless."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

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

Trouble = Literal["forbidden", "refused", "orphaned"]
"""Why an update can never be applied: the bot may not, Discord rejects it, or its webhook is gone."""

_SAID: dict[Trouble, tuple[str, str, str]] = {
    "forbidden": (wording.GATE_STUCK, wording.MARK_FORBIDDEN, "mark-forbidden"),
    "refused": (wording.GATE_REFUSED, wording.MARK_REFUSED, "mark-refused"),
    "orphaned": (wording.GATE_ORPHANED, wording.MARK_REFUSED, "mark-refused"),
}
"""What is said of a question and of a mark, and the key under which the second is said once."""


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
        self._waiting: asyncio.Queue[tuple[Entry, int]] = asyncio.Queue()
        self._open = 0
        self._marked: set[int] = set()

    @property
    def idle(self) -> bool:
        """Return True if no entry is waiting."""
        return not self._open

    def feed(self, entry: Entry) -> None:
        """Queue an entry."""
        self._open += 1
        self._waiting.put_nowait((entry, 0))

    async def run(self) -> None:
        """Apply entries until cancelled; one in trouble is tried again later and holds up no other."""
        while True:
            entry, failures = await self._waiting.get()
            try:
                pause = await self._act(entry, failures + 1)
                if pause is None:
                    await self._ledger.close_entries([entry.id])
            except SQLAlchemyError:
                _log.exception("%s is applied again", entry.post.kind)
                pause = self._pace.after(failures + 1)
            if pause is None:
                self._open -= 1
                self._settled()
            else:
                again = partial(self._waiting.put_nowait, (entry, failures + 1))
                asyncio.get_running_loop().call_later(pause, again)
                await asyncio.sleep(self._pace.pause)

    async def _act(self, entry: Entry, tries: int) -> float | None:
        """Apply an entry -> None, or after how many seconds it is tried again.

        What can never be applied is said where people look for it.
        """
        post = entry.post
        try:
            await self._do(entry)
        except (TooManyRequests, OutcomeUnknown, ConnectionFailed) as error:
            return max(self._pace.after(tries), getattr(error, "seconds", 0.0))
        except PermissionMissing as error:
            _log.warning("%s of %s is forbidden: %s", post.kind, post.ref or "a gate", error)
            await self._notify_channel(entry, "forbidden")
        except TargetDeleted as error:
            _log.info("%s of %s is skipped: %s", post.kind, post.ref or "a gate", error)
            if error.what == "webhook":
                await self._notify_channel(entry, "orphaned")
        except Rejected as error:
            _log.warning("%s of %s is refused: %s", post.kind, post.ref or "a gate", error)
            if error.fault != "archived":  # nobody can press or write in a thread that is locked
                await self._notify_channel(entry, "refused")
        except NotFound as error:
            _log.info("%s of %s is skipped: %s", post.kind, post.ref or "a gate", error)
        else:
            await self._note_healed(entry)
        return None

    async def _note_healed(self, entry: Entry) -> None:
        """Marks are possible in this channel (again): should they be refused later, that is said."""
        if entry.post.kind != "react":
            return
        channel_id, _ = message_of(entry.post.ref)
        if channel_id not in self._marked:
            self._marked.add(channel_id)
            await self._notices.healed(f"mark-forbidden:{channel_id}")

    async def _notify_channel(self, entry: Entry, why: Trouble) -> None:
        """People see no mark, or buttons that do nothing: say why where they look, once."""
        post = entry.post
        stuck, unmarked, mark_key = _SAID[why]
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
            text = unmarked.format(channel=channel_id)
            await self._notices.say_in(f"{mark_key}:{channel_id}", guild.id, channel_id, text)

    async def _do(self, entry: Entry) -> None:
        if entry.post.kind == "close_gate" and entry.post.gate_id is not None:
            await self._close_gate(entry.post.gate_id)
        elif entry.post.kind == "rename":
            await self._rename(entry.post.task_id)
        elif entry.post.kind == "pin":
            await self._transport.pin(entry.post.ref)
        else:
            await self._transport.react(entry.post.ref, entry.post.text)
