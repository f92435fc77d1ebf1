"""The interface through which the bot notifies people of what concerns Discord, once per event."""

from __future__ import annotations

from typing import Protocol


class Notices(Protocol):
    """Posts and marks as the bot, durably."""

    async def say(self, key: str, task_id: int, group_id: int, text: str, pin: bool = False) -> None:
        """Post `text` in the group's place, unless a notice with this `key` was ever posted.

        With `pin` the message is pinned, where the bot may.
        """

    async def say_in(self, key: str, guild_id: int, channel_id: int, text: str) -> None:
        """Post `text` in a channel, or if that is closed in the server's system channel, once per `key`."""

    async def healed(self, key: str) -> None:
        """Note that what a notice with this `key` said is over: should it come again, it is said again."""

    async def mark(self, ref: str, emoji: str) -> None:
        """Put a reaction on a message ("channel id:message id"), retried until Discord answers."""
