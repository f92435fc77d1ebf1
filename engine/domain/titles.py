"""The short title of a task: what its boss calls it, else the first words of its goal. Pure."""

from __future__ import annotations

import re

from engine.domain.clean import clean_line
from engine.domain.naming import named_as

LONGEST = 48
"""Characters of a title: it names channels, and stands in lists."""

LEAST = 8
"""Characters that a title has at least, where there are more."""

_BOTH = "'\""
_PAIRS = dict(zip("'\"“‘«„([", "'\"”’»“)]", strict=True))  # noqa: RUF001
"""What a quotation or bracket begins and ends with; those of `_BOTH` do both."""

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
    ends = (found.start() for found in _END.finditer(line, LEAST))
    end = next((place for place in ends if _opened(line[:place]) is None), len(line))
    return shortened(line[:end]) or "task"


def _opened(text: str) -> int | None:
    """Return where a quotation or bracket begins that the text does not close, None where there is none."""
    waits: list[tuple[str, int]] = []
    for place, mark in enumerate(text):
        before, after = text[place - 1 : place].strip(), text[place + 1 : place + 2].strip()
        if waits and mark == waits[-1][0] and (mark not in _BOTH or not after.isalnum()):
            waits.pop()
        elif mark in _PAIRS and (mark not in _BOTH or (not before.isalnum() and after)):
            waits.append((_PAIRS[mark], place))
    return waits[0][1] if waits else None


def shortened(title: str) -> str:
    """Return a title on one line, cut after a word where it is too long, that passes for nobody's name."""
    line = clean_line(title).strip(" .,:;")
    if len(line) > LONGEST:
        line = _complete((line[: LONGEST + 1].rpartition(" ")[0] or line[:LONGEST]).rstrip(" .,:;"))
        opened = _opened(line) or 0
        line = _complete(line[:opened].rstrip(" .,:;")) if opened > LEAST else line
    return named_as(line, "task")


def _complete(cut: str) -> str:
    """Return a title that was cut without the words at its end that only lead on; at least two stay."""
    words = cut.split(" ")
    while len(words) > 2 and words[-1].casefold() in _OPEN:
        words.pop()
    return " ".join(words).rstrip(" .,:;")
