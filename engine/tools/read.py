"""Tool read_file: whole lines of one file, and exactly which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from engine.domain.encodings import Decoded
from engine.domain.outcomes import Read, ToolResult
from engine.tools.base import EVERYONE, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.files import checked_path, read_decoded
from engine.workspace.blame import split_lines
from engine.workspace.rows import of_records

MAX_READ = 12_000
"""Characters of a file that one call shows."""

MAX_SAMPLE = 2_000
"""Characters that are shown of a file of records that is longer than what a call shows, unless lines are
named: it stays in each later prompt, and programs read the records."""


class ReadFileArguments(Arguments):
    """Arguments of read_file."""

    path: str
    start_line: int | None = Field(None, ge=1)
    end_line: int | None = Field(None, ge=1)


@dataclass(frozen=True, slots=True)
class _Part:
    """The lines from `first` to `last` of a file of `total` lines. `cut`: characters of the line after
    `last` that are shown, when that line alone is too long to be shown."""

    first: int
    last: int
    total: int
    text: str
    cut: int = 0


async def read_file(context: ToolContext, arguments: ReadFileArguments) -> ToolResult:
    """Return numbered lines of a file with its revision. Raises ToolRefused."""
    path = checked_path(arguments.path)
    found, current = await read_decoded(context, path)
    text = found.text
    lines = split_lines(text) if text else []
    head = f"{path}, revision {current.shown}"
    if not lines:
        return ToolResult(f"{head}, is empty.", Read(path, current.revision, True, (1, 0, 0)))
    start, end = arguments.start_line or 1, arguments.end_line or len(lines)
    if start > len(lines):
        raise ToolRefused(f"{path} has {len(lines)} lines; none from line {start} on.")
    if end < start:
        raise ToolRefused(f"end_line {end} is before start_line {start}.")
    named = bool(arguments.start_line or arguments.end_line)
    numbered = not context.options.by_runs
    part = _part(lines, start, min(end, len(lines)), MAX_READ, numbered=numbered)
    if part.last < part.total and not named and of_records(path):
        part = _part(lines, start, len(lines), MAX_SAMPLE, numbered=numbered)
    whole = part.first == 1 and part.last == part.total
    shown = (part.first, part.last, part.total)
    told = f"{head}, {_shown(part, lines)}{_oddities(found)}:\n{part.text}"
    return ToolResult(told, Read(path, current.revision, whole, shown if part.last >= part.first else None))


def _part(lines: Sequence[str], first: int, end: int, room: int, *, numbered: bool) -> _Part:
    """Return as many whole lines from `first` to `end` as fit into `room`; the beginning of the first when it
    does not."""
    made: list[str] = []
    for number in range(first, end + 1):
        line = lines[number - 1].removesuffix("\r")
        line = f"{number}\t{line}" if numbered else line
        room -= len(line) + 1
        if room < 0:
            break
        made.append(line)
    if not made:
        line = lines[first - 1]
        start = f"{first}\t{line[:MAX_READ]}" if numbered else line[:MAX_READ]
        return _Part(first, first - 1, len(lines), start, min(len(line), MAX_READ))
    return _Part(first, first + len(made) - 1, len(lines), "\n".join(made))


def _shown(part: _Part, lines: Sequence[str]) -> str:
    if part.cut:
        long = f"the first {part.cut} of {len(lines[part.first - 1])} characters of line {part.first}"
        after = f"; the next line: start_line={part.first + 1}" if part.first < part.total else ""
        return f"{long} of {part.total}; search_files and run reach the rest of that line{after}"
    more = "" if part.last == part.total else f"; go on with start_line={part.last + 1}"
    return f"lines {part.first}-{part.last} of {part.total}{more}"


def _oddities(found: Decoded) -> str:
    """Return what the shown lines do not show of a file."""
    ends = "its lines end with \\r\\n" if "\r\n" in found.text else ""
    encoded = f"it {found.note}" if found.note else ""
    return "".join(f"; {each}" for each in (encoded, ends) if each)


READ = Tool(
    "read_file",
    "Read a file.",
    ReadFileArguments,
    EVERYONE,
    read_file,
)
