"""Names of personas: what Discord allows, distinct within a task. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import count

from engine.domain.clean import clean_text
from engine.domain.lookalikes import look

LONGEST = 80
"""Characters of a webhook's username (Discord's rule)."""


_RESERVED = frozenset(map(look, ("everyone", "here", "system message", "wumpus")))


_BANNED = re.compile(r"(d)(iscord)|(c)(lyde)", re.IGNORECASE)


_MARKS = re.compile(r"[@#:`*_~|<>\\]+")


def persona_name(name: str, title: str = "", taken: Collection[str] = ()) -> str:
    """The name an agent appears under: 1 to 80 characters, not in `taken`, accepted by Discord.

    A short title follows the name. Look-alikes of "discord" and "clyde" are broken with a dot, mark-up and
    invisible characters go. No two look alike.
    """
    base = _clean(name) or "Agent"
    role = _clean(title)
    if role and len(role) <= 32 and role.casefold() not in base.casefold():
        base = _clean(f"{base} · {role}")
    if look(base) in _RESERVED:
        base = f"{base} (agent)"
    known = {look(other) for other in taken}
    return next(each for each in _numbered(base) if look(each) not in known)


def _numbered(base: str) -> Iterator[str]:
    yield base[:LONGEST].rstrip()
    for n in count(2):
        yield f"{base[: LONGEST - 6].rstrip()} {n}"


def _clean(text: str) -> str:
    """Visible characters only, look-alikes folded so that no disguise of a banned word passes."""
    text = clean_text(unicodedata.normalize("NFKC", clean_text(text)))
    kept = "".join(c if unicodedata.category(c)[0] in "LMNPSZ" else " " for c in text if not _unseen(c))
    words = " ".join(_MARKS.sub(" ", kept).split())
    return _BANNED.sub(lambda m: f"{m[1] or m[3]}·{m[2] or m[4]}", words)[:LONGEST].strip()


def _unseen(char: str) -> bool:
    """Joiners, also inside an emoji, and what has no meaning that everybody shares."""
    return unicodedata.category(char) in ("Cf", "Cs", "Co", "Cn")
