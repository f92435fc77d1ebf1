"""PluralKit and the like: they delete a message of a person and post it again by their webhook (pure).

Discord names the application whose webhook wrote a message, and a person's words come from a known proxy when
its copy follows. The application of a proxy that nobody listed here is believed only together with the
deletion: a copy of a person's words, by an application's webhook, in the same place, within seconds of the
deletion of these words. Either may come first. What a known proxy repeated while the bot could not hear the
original has no writer that can be known: names and pictures of proxied people can be taken by anybody. Such
words reach an agent when somebody who may steer its task passes them on (`unknown_copies`).
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

KEPT_S, REMEMBERED = 60.0, 5000
"""For how long people's messages are remembered, and how many of them and of copies at most."""

SURE = 100
"""Characters by which a copy is compared with words that may be stored cut."""


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

    def note(self, message: discord.Message) -> None:
        """Remember a person's message as long as a copy of it may come."""
        while self._last and _late(message, self._last[0]) > KEPT_S:
            self._last.popleft()
        self._last.append(message)

    def is_copy(self, message: discord.Message) -> bool:
        """Return whether an application's webhook, not the bot's own, said something here."""
        foreign = message.application_id not in (None, self._mine)
        return message.webhook_id is not None and foreign and bool(message.content or message.attachments)

    def known(self, message: discord.Message) -> bool:
        """Return whether a proxy that is listed by its application posted the message."""
        return self.is_copy(message) and message.application_id in self._known

    def waits(self, copy: discord.Message) -> bool:
        """Return whether the deletion of the original may still say what a copy repeats."""
        return any(each.id == copy.id for each, _ in self._copies)

    def copied(self, copy: discord.Message, now: float) -> ProxiedMessage | None:
        """Return what an application's webhook repeats here, once; None for everything else, or not yet.

        Several messages with these words may stand there: then the deletion says which one is meant.
        """
        if not self.is_copy(copy):
            return None
        alike = [message for message in reversed(self._last) if _repeats(copy, message)]
        gone = next((message for message in alike if self._was_deleted(message.id, now)), None)
        if gone is not None:
            return self._accept(copy, gone)
        known = copy.application_id in self._known
        if known and len(alike) == 1:
            return self._accept(copy, alike[0])
        if alike or not known:
            self._copies.append((copy, now))
        return None

    def deleted(self, message_id: int, now: float) -> ProxiedMessage | None:
        """Note the deletion of a message; return the copy that came just before it, if one did."""
        self._deleted.append((message_id, now))
        original = next((m for m in self._last if m.id == message_id), None)
        for copy, at in tuple(self._copies):
            if original is not None and now - at <= TOGETHER_S and _repeats(copy, original):
                self._copies.remove((copy, at))
                return self._accept(copy, original)
        return None

    def _was_deleted(self, message_id: int, now: float) -> bool:
        return any(message_id == gone and now - at <= TOGETHER_S for gone, at in self._deleted)

    def _accept(self, copy: discord.Message, original: discord.Message) -> ProxiedMessage:
        self._last.remove(original)
        return ProxiedMessage(copy, original)


def repeats(copy: discord.Message, text: str) -> bool:
    """Return whether a copy may hold these words of a person, which may be cut, or be without a name or
    tags around them."""
    return bool(text.strip()) and (copy.content[:SURE] in text or text.strip() in copy.content)


def _repeats(copy: discord.Message, message: discord.Message) -> bool:
    """Whether a copy holds a person's words and files, or these without the tags around them."""
    here = message.channel.id == copy.channel.id and 0 <= _late(copy, message) <= WITHIN_S
    files = {each.filename for each in message.attachments}
    same = copy.content in message.content and files.issuperset(each.filename for each in copy.attachments)
    return here and same


def _late(later: discord.Message, message: discord.Message) -> float:
    return (later.created_at - message.created_at).total_seconds()
