"""Output of a program: kept within a cap and cleaned before anybody reads it."""

from __future__ import annotations

import re

from engine.domain.clean import clean_text

_UNFINISHED = re.compile(rb"(?:\x1b[^\n]{0,64}|[\xc2-\xf4][\x80-\xbf]{0,2})\Z")
_FINISHED_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[0-OQ-WYZ\\`-~])"
)


def clean(raw: bytes) -> str:
    """Return the bytes as harmless text (`clean_text`); invalid UTF-8 becomes U+FFFD."""
    return clean_text(raw.decode("utf-8", "replace"))


class Output:
    """A program's output as it arrives: the first and the last half of `cap` bytes are kept."""

    def __init__(self, cap: int) -> None:
        self._half = max(1, cap // 2)
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self._held = 0
        self.total = 0

    @property
    def waiting(self) -> bool:
        """Return True if output arrived since the last `take`."""
        return len(self._head) + len(self._tail) > self._held

    def add(self, data: bytes) -> None:
        """Append bytes."""
        self.total += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[max(0, room) :]
        surplus = len(self._tail) - self._half
        if surplus > 0:
            del self._tail[:surplus]
            self._dropped += surplus

    def take(self, last: bool) -> tuple[str, bool]:
        """Return (cleaned text since the last call, whether something is missing from it).

        Unless it is the `last` call, an incomplete UTF-8 sequence waits for its rest.
        """
        held = b"" if last else self._unfinished()
        whole = bytes(self._head + self._tail)
        kept = whole[: len(whole) - len(held)]
        text, missing = self._joined(kept)
        self._head, self._tail, self._dropped = bytearray(held), bytearray(), 0
        self._held = len(held)
        return text, missing

    def _joined(self, kept: bytes) -> tuple[str, bool]:
        if not self._dropped:
            return clean(kept), False
        gap = f"\n… {self._dropped:,} bytes left out …\n"
        return clean(kept[: self._half]) + gap + clean(kept[self._half :]), True

    def _unfinished(self) -> bytes:
        end = bytes((self._tail or self._head)[-66:])
        found = _UNFINISHED.search(end)
        if found is None or _FINISHED_ESCAPE.match(found.group()):
            return b""
        return found.group()
