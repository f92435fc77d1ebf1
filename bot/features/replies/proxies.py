"""PluralKit and the like: they delete a message of a person and post it again by their webhook."""

from __future__ import annotations

from collections import deque

import discord

PROXY_APPLICATIONS = frozenset({466378653216014359, 431544605209788416})
"""Applications of PluralKit and Tupperbox; Discord names the application of a webhook's message."""

WITHIN_S = 15.0
REMEMBERED = 200


class ProxiedMessages:
    """Remembers people's last messages, so that a copy is known for whose it is."""

    def __init__(self) -> None:
        self._last: deque[discord.Message] = deque(maxlen=REMEMBERED)

    def note(self, message: discord.Message) -> None:
        """Remember a person's message."""
        self._last.append(message)

    def original_of(self, copy: discord.Message) -> discord.Message | None:
        """Return the message a known proxy's webhook repeats here, once; None for everything else."""
        if copy.webhook_id is None or copy.application_id not in PROXY_APPLICATIONS or not copy.content:
            return None
        for message in reversed(self._last):
            late = (copy.created_at - message.created_at).total_seconds()
            here = message.channel.id == copy.channel.id
            if here and 0 <= late <= WITHIN_S and copy.content in message.content:
                self._last.remove(message)
                return message
        return None
