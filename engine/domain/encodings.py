"""Which bytes are text, and in which encoding, when it is not UTF-8. Pure."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

MOST_UNUSUAL = 0.3
"""Share of bytes above ASCII up to which a text is taken for one in a western European encoding."""

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text without its byte order mark; `encoding` is the name with which Python reads the file."""

    text: str
    encoding: str = "utf-8"

    @property
    def note(self) -> str:
        """Return what who reads the file with a program has to know; "" for plain UTF-8."""
        if self.encoding == "utf-8-sig":
            return "begins with a byte order mark (utf-8-sig)"
        return "" if self.encoding == "utf-8" else f"is not UTF-8 (shown as {self.encoding})"


def decode(content: bytes) -> Decoded | None:
    """Return bytes as text; None for what is none."""
    usual = "utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        return Decoded(content.decode(usual), usual)
    except UnicodeDecodeError:
        return _decode_other(content)


def _decode_other(content: bytes) -> Decoded | None:
    encoding = _other(content)
    try:
        text = content.decode(encoding) if encoding else ""
    except UnicodeDecodeError:
        return None
    controls = any(ord(letter) < 0x20 and letter not in "\t\n\r\f" for letter in text)
    return Decoded(text, encoding) if text and not controls else None


def _other(content: bytes) -> str:
    """Return the encoding that a text which is not UTF-8 probably has, "" for none."""
    if content.startswith(_WIDE):
        return "utf-16"
    unusual = len(content.translate(None, bytes(range(0x80))))
    return "cp1252" if unusual <= MOST_UNUSUAL * len(content) else ""
