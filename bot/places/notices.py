"""What places, webhooks and faces tell people, once."""

from __future__ import annotations

from typing import Protocol


class Notices(Protocol):
    """Says things in the bot's voice."""

    async def say(self, key: str, task_id: int, group_id: int, text: str) -> None:
        """Post `text` in the group's place, unless `key` was said before, ever."""
