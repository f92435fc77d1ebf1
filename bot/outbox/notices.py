"""What the bot itself has to say or mark: outbox rows, so that trouble on Discord's side only delays it."""

from __future__ import annotations

from collections.abc import Callable

from bot.outbox.ledger import Ledger
from bot.outbox.post import Lane, Post


class OutboxNotices:
    """Implements `bot.places.notices.Notices`; `wake` is called for each new row."""

    def __init__(self, ledger: Ledger, wall: Callable[[], float], wake: Callable[[], None]) -> None:
        self._ledger = ledger
        self._wall = wall
        self._wake = wake

    async def say(self, key: str, task_id: int, group_id: int, text: str, pin: bool = False) -> None:
        """Post `text` in the group's place, unless a notice with this `key` was ever posted.

        With `pin` the message is pinned, where the bot may.
        """
        await self._write(key, Post(task_id, group_id, 0, "note", Lane.STATUS, text, pin=pin))

    async def say_in(self, key: str, guild_id: int, channel_id: int, text: str) -> None:
        """Post `text` in a channel, or if that is closed in the server's system channel, once per `key`."""
        post = Post(0, 0, 0, "note", Lane.ANSWER, text, channel_id=channel_id, guild_id=guild_id)
        await self._write(key, post)

    async def healed(self, key: str) -> None:
        """Note that what a notice with this `key` said is over: should it come again, it is said again."""
        await self._ledger.said_before(key)

    async def mark(self, ref: str, emoji: str) -> None:
        """Put a reaction on a message ("channel id:message id"), retried until Discord answers."""
        post = Post(0, 0, 0, "react", Lane.STATUS, emoji, ref=ref, eager=False)
        await self._write(f"mark:{ref}:{emoji}", post)

    async def _write(self, key: str, post: Post) -> None:
        if await self._ledger.say(key, post, self._wall()):
            self._wake()
