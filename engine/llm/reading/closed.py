"""Patterns from one tag to another, looked for only where the end still comes (pure).

A model that repeats itself writes the beginning over and over. Looked for from each of them, an end that is
nowhere takes a time that grows with the square of the text, with the interpreter's lock held.
"""

from __future__ import annotations

import re


def up_to_last(end: re.Pattern[str], text: str) -> int:
    """Return where the last end in `text` is over, 0 where there is none."""
    last = 0
    for found in end.finditer(text):
        last = found.end()
    return last
