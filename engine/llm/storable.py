"""Make text from models storable in any database and any UTF-8 writer."""

from __future__ import annotations

import json
import re
from typing import Any

REPLACEMENT = "\ufffd"

# A JSON escape that decodes to a surrogate or NUL; legal pairs are found too and survive the round trip.
_RISKY_ESCAPE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")


def storable(text: str) -> str:
    """Return `text` without lone surrogates and NUL (PostgreSQL accepts neither); pairs are joined."""
    if text.isascii():
        return text.replace("\0", REPLACEMENT) if "\0" in text else text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", REPLACEMENT)


def storable_json(raw: str) -> str:
    """Return JSON text whose strings stay storable once parsed; text that is not JSON is made storable
    itself."""
    raw = storable(raw)
    if not _RISKY_ESCAPE.search(raw):
        return raw
    try:
        return json.dumps(_scrubbed(json.loads(raw)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return raw


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): _scrubbed(item) for key, item in value.items()}
    return value
