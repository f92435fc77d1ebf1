"""Names of agents and groups: short, distinct within a task, safe to show."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from engine.domain.clean import clean_line, clean_text

MAX_NAME = 40
_UNSAFE = re.compile(r"[^\w .'-]+", re.UNICODE)
_RESERVED = frozenset({"group", "human", "everyone", "here", "system", "engine", "me", "all"})


def name_key(name: str) -> str:
    """The form in which names are compared: NFKC, folded, single spaces, nothing unseen, no leading @."""
    return clean_line(unicodedata.normalize("NFKC", clean_text(name))).lstrip("@").casefold().strip()


def clean_name(raw: str) -> str:
    """A name fit to show: letters, digits, space, `.`, `'`, `-`; at most 40 characters; may be empty."""
    text = clean_text(unicodedata.normalize("NFKC", clean_text(raw)))
    text = _UNSAFE.sub(" ", text.replace("_", " "))
    return " ".join(text.split())[:MAX_NAME].strip(" .'-")


def unique_name(wanted: str, taken: Collection[str]) -> str:
    """`wanted` cleaned, numbered when its key is in `taken` or reserved; "Agent" when nothing is left."""
    base = clean_name(wanted) or "Agent"
    name, number = base, 2
    while name_key(name) in taken or name_key(name) in _RESERVED:
        name = f"{base[: MAX_NAME - 6]} {number}"
        number += 1
    return name
