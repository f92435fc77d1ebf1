"""The short title of a task: what its boss calls it, else the first words of its goal. Pure."""

from __future__ import annotations

import re

from engine.domain.clean import clean_line
from engine.domain.naming import named_as

LONGEST = 48
"""Characters of a title: it names channels, and stands in lists."""

_END = re.compile(r"[.:;!?](?:\s|$)|\s[—–(]|(?<=\w\w\w),\s")  # noqa: RUF001 - dashes as people type them


def title_of(goal: str) -> str:
    """Return the first words of a goal as a title of at most `LONGEST` characters, never empty."""
    line = clean_line(goal).strip()
    end = _END.search(line, 8)
    return shortened(line[: end.start()] if end else line) or "task"


def shortened(title: str) -> str:
    """Return a title on one line, cut after a word where it is too long, that passes for nobody's name."""
    line = clean_line(title).strip(" .,:;")
    if len(line) > LONGEST:
        line = (line[: LONGEST + 1].rpartition(" ")[0] or line[:LONGEST]).rstrip(" .,:;")
    return named_as(line, "task")
