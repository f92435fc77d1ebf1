"""The short title of a task: what its boss calls it, else the first words of its goal. Pure."""

from __future__ import annotations

import re

from engine.domain.clean import clean_line
from engine.domain.naming import named_as

LONGEST = 48
"""Characters of a title: it names channels, and stands in lists."""

_END = re.compile(r"[.:;!?](?:\s|$)|\s[—–(]|(?<=\w\w\w),\s")  # noqa: RUF001 - dashes as people type them


_OPEN = frozenset(
    (
        "a", "an", "the", "this", "that", "these", "those", "my", "your", "our", "their", "its", "and", "or",
        "but", "of", "for", "from", "to", "in", "into", "on", "onto", "at", "by", "with", "without", "about",
        "between", "over", "under", "as", "than", "is", "are", "be", "which", "who", "whose", "when", "where",
        "der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "und", "oder",
        "von", "vom", "zu", "zum", "zur", "im", "auf", "aus", "bei", "mit", "ohne", "nach", "für", "über",
        "le", "la", "les", "un", "une", "du", "de", "et", "ou", "au", "aux", "en", "dans", "sur", "pour",
        "el", "los", "las", "una", "y", "del", "al", "con", "sin", "por", "para",
    )
)  # fmt: skip
"""Words with which no title ends: more follows them."""


def title_of(goal: str) -> str:
    """Return the first words of a goal as a title of at most `LONGEST` characters, never empty."""
    line = clean_line(goal).strip()
    end = _END.search(line, 8)
    return shortened(line[: end.start()] if end else line) or "task"


def shortened(title: str) -> str:
    """Return a title on one line, cut after a word where it is too long, that passes for nobody's name."""
    line = clean_line(title).strip(" .,:;")
    if len(line) > LONGEST:
        line = _complete((line[: LONGEST + 1].rpartition(" ")[0] or line[:LONGEST]).rstrip(" .,:;"))
    return named_as(line, "task")


def _complete(cut: str) -> str:
    """Return a title that was cut without the words at its end that only lead on; at least two stay."""
    words = cut.split(" ")
    while len(words) > 2 and words[-1].casefold() in _OPEN:
        words.pop()
    return " ".join(words).rstrip(" .,:;")
