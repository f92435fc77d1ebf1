"""Turn Markdown tables, which Discord does not draw, into aligned code blocks or lists (pure)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import takewhile

from bot.discord.formatting import INVISIBLE, unmarked
from bot.outbox.split import open_fence

WIDEST = 36
"""Signs of a line of a code block on a phone (390 pixels): a wider table becomes a list, as it would wrap."""

_RULE = re.compile(r"^\s*+\|?\s*+:?-++:?\s*+(?:\|\s*+:?-++:?\s*+)*+\|?\s*+$")
_QUOTE = re.compile(r"^\s{0,3}> ")
_JOINED = re.compile("\u200d.|[\U0001f3fb-\U0001f3ff]")
"""A further part of an emoji of several, and the colour of a skin."""
_BAR = re.compile(r"(?<!\\)\|")


def with_tables(text: str) -> str:
    """Return the text with every table outside code as an aligned code block, a wide one as a list.

    Code between tildes comes between backticks.
    """
    lines, made, fence = text.split("\n"), [], ""
    at = 0
    while at < len(lines):
        end, quote = _table_at(lines, at) if not fence else (at, "")
        if end > at:
            rows = [line.removeprefix(quote) for line in (lines[at], *lines[at + 2 : end])]
            drawn = _drawn([_cells(row) for row in rows])
            made.append("\n".join(quote + line for line in drawn.split("\n")))
            at = end
            continue
        before, fence = fence, open_fence(lines[at], fence)
        made.append(_in_backticks(lines[at], before, fence))
        at += 1
    return "\n".join(made)


def _in_backticks(line: str, before: str, after: str) -> str:
    """Return a line of code between tildes as one between backticks: Discord knows no others."""
    if before != after and (before or after).startswith("~"):
        return re.sub("~{3,}", "```", line, count=1)
    return line.replace("```", INVISIBLE.join("```")) if before.startswith("~") else line


def _table_at(lines: Sequence[str], at: int) -> tuple[int, str]:
    """Return the line after the table that begins at `at` (`at` when none does), and the mark of the
    quotation that it stands in, "" for none."""
    found = _QUOTE.match(lines[at])
    if found is None:
        return _table_end(lines, at), ""
    mark = found[0]
    if at + 1 >= len(lines) or not _RULE.match(lines[at + 1].removeprefix(mark)):
        return at, ""
    inner = [line.removeprefix(mark) for line in takewhile(lambda line: line.startswith(mark), lines[at:])]
    return at + _table_end(inner, 0), mark


def _table_end(lines: Sequence[str], at: int) -> int:
    """Return the line after the table that begins at `at`, `at` when none does."""
    if at + 1 >= len(lines) or not _BAR.search(lines[at]) or not _RULE.match(lines[at + 1]):
        return at
    if len(_cells(lines[at])) != len(_cells(lines[at + 1])):
        return at
    end = at + 2
    while end < len(lines) and _BAR.search(lines[end]) and lines[end].strip():
        end += 1
    return end


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [unmarked(cell.replace("\\|", "|")).strip() for cell in _BAR.split(inner)]


def _drawn(rows: Sequence[Sequence[str]]) -> str:
    """Return a table drawn. A row too short is filled; what one too long has more stays in its last cell:
    mostly it is a bar that its writer did not escape."""
    columns = len(rows[0])
    padded = [[*row, *[""] * (columns - len(row))] for row in rows]
    full = [[*row[: columns - 1], " | ".join(row[columns - 1 :])] for row in padded]
    widths = [max(_width(row[n]) for row in full) for n in range(columns)]
    if sum(widths) + 2 * (columns - 1) > WIDEST:
        if len(full) == 1:
            return f"- {', '.join(full[0])}"
        return "\n".join(_record(full[0], row) for row in full[1:])
    rule = ["─" * width for width in widths]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in (full[0], rule, *full[1:])]
    body = "\n".join(lines).replace("```", INVISIBLE.join("```"))
    return f"```\n{body}\n```"


def _record(head: Sequence[str], row: Sequence[str]) -> str:
    """One row as a line: its first cell, then each other one after its column's name."""
    rest = ", ".join(
        f"{name}: {cell}" if name else cell for name, cell in zip(head[1:], row[1:], strict=True)
    )
    return f"- **{row[0] or '–'}** {rest}".rstrip()  # noqa: RUF001 - an empty cell


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]


def _width(text: str) -> int:
    """Columns that a text takes in a fixed font; what is joined to an emoji takes none."""
    text = _JOINED.sub("", text)
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(bool(unicodedata.combining(each)) for each in text)
