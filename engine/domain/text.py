"""Quoting of foreign text inside a prompt, so that it cannot look like a part of the prompt. Pure.

The prompt's own lines (senders, state of the work) start at the left margin; every line of foreign text is
indented, after line ends were unified and invisible characters removed. So nothing has to be filtered.
"""

from __future__ import annotations

from engine.domain.clean import clean_line, clean_text

INDENT = "  "


def foreign_block(text: str) -> str:
    """Return foreign text with every line indented."""
    lines = clean_text(text).strip("\n").split("\n")
    return "\n".join(f"{INDENT}{line}" if line.strip() else "" for line in lines)


def foreign_name(text: str) -> str:
    """Return a foreign name or title as one line without brackets, for a heading."""
    return clean_line(clean_line(text).translate({ord("["): "(", ord("]"): ")"}))
