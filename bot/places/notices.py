"""The interface through which places and webhooks notify people, once per event."""

from __future__ import annotations

from typing import Protocol


class Notices(Protocol):
    """Posts notices as the bot."""

    async def say(self, key: str, task_id: int, group_id: int, text: str) -> None:
        """Post `text` in the group's place, unless a notice with this `key` was ever posted."""
