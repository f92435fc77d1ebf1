"""Split long texts into messages of at most 2,000 characters at natural boundaries (pure)."""

from __future__ import annotations

import re

MESSAGE = 2000
"""Characters a message may hold (Discord's rule)."""

_FENCE = re.compile(r"^[ \t]*(`{3,8}|~{3,8})([^`\n]{0,40})$")
"""A line that opens or closes code, also inside a list: for Discord any indentation will do."""


def split(text: str, limit: int = MESSAGE) -> list[str]:
    """Split `text` into parts of at most `limit` (>= 40) characters, none blank; [] for blank text.

    Breaks at blank lines, then lines, then sentences, then words, then anywhere. A code fence that does
    not fit is closed at the end of a part and opened again, with its language, in the next one.
    """
    parts: list[str] = []
    opened = ""
    rest = text.strip("\n")
    while rest.strip():
        opened, rest = _open_again(opened, rest)
        room = limit - (len(opened) + 1 if opened else 0)
        piece, rest, still = _piece(rest, opened, room, limit)
        part = f"{opened}\n{piece}" if opened else piece
        if still:
            part = f"{part}\n{_marker(still)}"
        opened = still
        if part.strip() and not _only_fence(part):
            parts.append(part.strip("\n"))
    return parts


def open_fence(text: str, before: str = "") -> str:
    """Return the opening line of the code fence still open at the end of `text`, "" for none.

    `before` is the fence open at its beginning.
    """
    opened = before
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if match is None:
            continue
        if not opened:
            opened = line.strip()
        elif match[1].startswith(_marker(opened)) and not match[2].strip():
            opened = ""
    return opened


def excerpt(text: str, limit: int) -> str:
    """Return the start of `text` in at most `limit` (>= 40) characters, with an ellipsis if cut."""
    text = text.strip("\n")
    if len(text) <= limit:
        return text
    first = next(iter(split(text, limit - 2)), "")
    return f"{first}\n…" if first.endswith(("```", "~~~")) else f"{first} …"


def closed(text: str) -> str:
    """Return `text` with any code fence open at its end closed."""
    opened = open_fence(text)
    return f"{text}\n{_marker(opened)}" if opened else text


def _marker(opening: str) -> str:
    return re.match(r"`+|~+", opening)[0]  # type: ignore[index]  # an opening line always has one


def _open_again(opened: str, rest: str) -> tuple[str, str]:
    """Drop the open fence if the next line closes it; such a fence needs no second part."""
    if not opened:
        return "", rest
    line, _, after = rest.partition("\n")
    if not open_fence(line, opened):
        return "", after
    return opened, rest


def _piece(rest: str, opened: str, room: int, limit: int) -> tuple[str, str, str]:
    """Return the part of `rest` that fits into `room`, the remainder, and the fence still open."""
    if len(rest) <= room and not open_fence(rest, opened):
        return rest, "", ""
    if len(rest) + 1 + len(_marker(open_fence(rest, opened) or "```")) <= room:
        return rest, "", open_fence(rest, opened)
    cut = _cut(rest, room, opened)
    still = open_fence(rest[:cut], opened)
    if still:
        before = _before_fence(rest[:cut], opened)
        if before > limit // 4 and _fence_fits(rest[before:], limit):
            return rest[:before].rstrip("\n"), rest[before:].lstrip("\n"), ""
        cut = _cut(rest, room - len(_marker(still)) - 1, opened)
        still = open_fence(rest[:cut], opened)
    return rest[:cut].rstrip("\n"), _left(rest[cut:], bool(still)), still


def _left(rest: str, in_code: bool) -> str:
    """Strip the break; keep indentation inside code."""
    return rest.removeprefix("\n") if in_code else rest.lstrip("\n ")


def _cut(text: str, room: int, opened: str) -> int:
    """Return the offset (> 0) at which to break `text`, at or before `room`."""
    window = text[: max(1, room)]
    if len(text) <= len(window):
        return len(text)
    least = room // 3
    marks = ("\n",) if open_fence(window, opened) else ("\n\n", "\n", ". ", "! ", "? ", "; ", ", ", " ")
    for mark in marks:
        at = window.rfind(mark)
        if at > least:
            return at + len(mark.rstrip(" \n")) or at
    return len(window)


def _before_fence(text: str, opened: str) -> int:
    """Return the offset of the line that opens the open fence of `text`, 0 if it was open before."""
    at, start, state = 0, 0, opened
    for line in text.split("\n"):
        after = open_fence(line, state)
        if after and not state:
            start = at
        state, at = after, at + len(line) + 1
    return start


def _fence_fits(text: str, limit: int) -> bool:
    """Return True if the fence at the start of `text` closes within `limit` characters."""
    head = text[:limit]
    lines = head.split("\n")
    state = open_fence(lines[0])
    for line in lines[1:]:
        state = open_fence(line, state)
        if not state:
            return True
    return False


def _only_fence(part: str) -> bool:
    return all(_FENCE.match(line) or not line.strip() for line in part.split("\n"))
