"""PluralKit and the like: they delete a message of a person and post it again by their webhook (pure).

Discord names the application whose webhook wrote a message, and a person's words come from a known proxy when
its copy follows. The application of a proxy that nobody listed here is believed only together with the
deletion: a copy of a person's words, by an application's webhook, in the same place, within seconds of the
deletion of these words. Either may come first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import discord

PLURALKIT, TUPPERBOX = 466378653216014359, 431544605209788416

WITHIN_S = 15.0
"""How long after the person's message a known proxy's copy may come."""

TOGETHER_S = 5.0
"""How far the deletion and the copy of an application that is not known may lie apart."""

REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class ProxiedMessage:
    """A webhook's copy and the person's message that it stands for."""

    copy: discord.Message
    original: discord.Message


class ProxiedMessages:
    """Remembers people's last messages, deletions and webhooks' copies. `now` is in seconds."""

    def __init__(self, known: Collection[int], mine: int | None = None) -> None:
        self._known, self._mine = frozenset(known), mine
        self._last: deque[discord.Message] = deque(maxlen=REMEMBERED)
        self._deleted: deque[tuple[int, float]] = deque(maxlen=REMEMBERED)
        self._copies: deque[tuple[discord.Message, float]] = deque(maxlen=REMEMBERED)
        self._accepted: dict[int, discord.Message] = {}

    def note(self, message: discord.Message) -> None:
        """Remember a person's message."""
        self._last.append(message)

    def copied(self, copy: discord.Message, now: float) -> ProxiedMessage | None:
        """Return what an application's webhook repeats here, once; None for everything else, or not yet."""
        application = copy.application_id
        if copy.webhook_id is None or application in (None, self._mine) or not copy.content:
            return None
        for message in reversed(self._last):
            if _repeats(copy, message) and (application in self._known or self._was_deleted(message.id, now)):
                return self._accept(copy, message)
        if application not in self._known:
            self._copies.append((copy, now))
        return None

    def deleted(self, message_id: int, now: float) -> ProxiedMessage | None:
        """Note the deletion of a message; return the copy that came just before it, if one did."""
        self._deleted.append((message_id, now))
        original = next((m for m in self._last if m.id == message_id), None)
        for copy, at in reversed(self._copies):
            if original is not None and now - at <= TOGETHER_S and _repeats(copy, original):
                self._copies.remove((copy, at))
                return self._accept(copy, original)
        return None

    def original_of(self, copy_id: int) -> discord.Message | None:
        """Return the person's message that an accepted copy stands for."""
        return self._accepted.get(copy_id)

    def _was_deleted(self, message_id: int, now: float) -> bool:
        return any(message_id == gone and now - at <= TOGETHER_S for gone, at in self._deleted)

    def _accept(self, copy: discord.Message, original: discord.Message) -> ProxiedMessage:
        self._last.remove(original)
        self._accepted[copy.id] = original
        while len(self._accepted) > REMEMBERED:
            del self._accepted[next(iter(self._accepted))]
        return ProxiedMessage(copy, original)


def _repeats(copy: discord.Message, message: discord.Message) -> bool:
    """Whether a copy holds a person's words, or these without the tags around them."""
    late = (copy.created_at - message.created_at).total_seconds()
    return message.channel.id == copy.channel.id and 0 <= late <= WITHIN_S and copy.content in message.content
