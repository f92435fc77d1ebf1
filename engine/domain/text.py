"""Words of others inside a prompt, pure: they cannot begin a message, nor look like one.

A prompt's own lines (who a message is from, where things stand) begin at the left edge; every line of
foreign text is indented, after all line ends of Unicode became one kind and what nobody sees was dropped. So
there is nothing to recognise and nothing to filter.
"""

from __future__ import annotations

from engine.domain.clean import clean_line, clean_text

INDENT = "  "


def foreign_block(text: str) -> str:
    """Return foreign text as lines of which none begins at the left edge."""
    lines = clean_text(text).strip("\n").split("\n")
    return "\n".join(f"{INDENT}{line}" if line.strip() else "" for line in lines)


def foreign_name(text: str) -> str:
    """Return a foreign name or title fit for a heading: one line without brackets."""
    return clean_line(clean_line(text).translate({ord("["): "(", ord("]"): ")"}))
