"""Tool edit_file: several exact replacements in one file, all or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from heapq import nlargest

from pydantic import Field

from engine.domain.outcomes import ToolResult
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.files import checked_path, has_seen, read_text, stage_content
from engine.tools.schema import HIDDEN
from engine.workspace.blame import split_lines

AROUND = 2
"""Lines shown before and after a change."""

MAX_ECHO = 2_000
"""Characters of the changed places that the result shows."""

MAX_LINE = 200
MAX_NUMBERS = 8

MAX_NEAR = 1_000
"""Characters of the place most like a passage that was not found."""

LIKE, SHORT, MAX_LINES = 0.75, 8, 3_000
"""How alike two lines must be, from which length, in files of at most how many lines."""

COMPARED_LINES, PIECE = 20, 3
"""Lines compared closely: those that share the most pieces of so many characters with the passage."""

_NUMBERED = re.compile(r"^ *\d+\t", re.MULTILINE)


class Replacement(Arguments):
    """One replacement."""

    old: str = Field(min_length=1)
    new: str
    replace_all: bool = False


class EditFileArguments(Arguments):
    """Arguments of edit_file."""

    path: str
    old: str = Field("", json_schema_extra={HIDDEN: True})
    new: str | None = Field(None, json_schema_extra={HIDDEN: True})
    replace_all: bool = Field(False, json_schema_extra={HIDDEN: True})
    edits: list[Replacement] = Field(default_factory=list, max_length=50)


@dataclass(slots=True)
class _Edited:
    """A text while replacements are made in it: where it changed, and what could not be done."""

    text: str
    spans: list[tuple[int, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


async def edit_file(context: ToolContext, arguments: EditFileArguments) -> ToolResult:
    """Stage the replacements; the result shows the changed places. Raises ToolRefused with every fault."""
    wanted = _wanted(arguments)
    path = checked_path(arguments.path)
    text, current = await read_text(context, path)
    edited = _Edited(text)
    for number, one in enumerate(wanted, 1):
        fault = _replace(edited, one)
        if fault:
            edited.faults.append(f"Edit {number} of {len(wanted)}: {fault}" if len(wanted) > 1 else fault)
    if edited.faults:
        raise ToolRefused("\n".join([f"{path} is unchanged.", *edited.faults]), "missing")
    content = edited.text.encode("utf-8", "surrogatepass")
    known = await has_seen(context, path, current)
    result = await stage_content(context, path, content, current.blob, "changed", whole=known)
    return replace(result, text=f"{result.text}\n{_echo(edited)}")


def _wanted(arguments: EditFileArguments) -> list[Replacement]:
    """Return all replacements, the single one first. Raises ToolRefused when there is none."""
    if not arguments.old:
        if arguments.edits:
            return list(arguments.edits)
        raise ToolRefused("Give old and new, or edits: a list of old and new.", "malformed")
    if arguments.new is None:
        raise ToolRefused("new is missing: the text that comes in place of old.", "malformed")
    single = Replacement(old=arguments.old, new=arguments.new, replace_all=arguments.replace_all)
    return [single, *arguments.edits]


def _replace(edited: _Edited, one: Replacement) -> str:
    """Make one replacement. Return what is wrong with it, "" when it is done."""
    old, new = one.old, one.new
    if "\r\n" in edited.text and "\r" not in old:
        old, new = old.replace("\n", "\r\n"), re.sub(r"(?<!\r)\n", "\r\n", new)
    places = [match.start() for match in re.finditer(re.escape(old), edited.text)]
    if not places:
        return f"The passage was found 0 times. {_hint(edited.text, one.old)}"
    if len(places) > 1 and not one.replace_all:
        lines = ", ".join(str(_line(edited.text, place)) for place in places[:MAX_NUMBERS])
        more = ", …" if len(places) > MAX_NUMBERS else ""
        return (
            f"The passage was found {len(places)} times (lines {lines}{more}); it must be found once. "
            "Give a longer passage, or replace_all."
        )
    for place in reversed(places):
        after, delta = place + len(old), len(new) - len(old)
        edited.spans = [
            (start + delta * (start >= after), end + delta * (end >= after)) for start, end in edited.spans
        ]
        edited.spans.append((place, place + len(new)))
        edited.text = edited.text[:place] + new + edited.text[after:]
    return ""


def _hint(text: str, old: str) -> str:
    if _NUMBERED.sub("", old) in text:
        return "Leave out the line numbers and tabs that read_file puts before the lines."
    first = next((line.strip() for line in old.splitlines() if line.strip()), "")
    lines = split_lines(text)
    at = next((n for n, line in enumerate(lines, 1) if first and first in line), 0) or _nearest(lines, first)
    if not at:
        return "Read the file and copy the passage exactly."
    there = lines[at - 1 : at - 1 + max(1, len(old.strip("\n").splitlines()))]
    if sum(len(line) + 1 for line in there) > MAX_NEAR:
        return f"Its first line is at line {at}: read there and copy the passage exactly."
    shown = "\n".join(line.removesuffix("\r") for line in there)
    return f"Nearest is line {at}, which reads:\n{shown}\nCopy the passage exactly."


def _nearest(lines: Sequence[str], wanted: str) -> int:
    """Return the number of the line that is most like the wanted one, 0 for none that is like it."""
    if len(wanted) < SHORT or len(lines) > MAX_LINES:
        return 0
    cut = [line.strip()[:MAX_LINE] for line in lines]
    sought = _pieces(wanted[:MAX_LINE])
    likely = nlargest(COMPARED_LINES, dict.fromkeys(cut), lambda line: len(sought & _pieces(line)))
    close = get_close_matches(wanted[:MAX_LINE], likely, 1, LIKE)
    return cut.index(close[0]) + 1 if close else 0


def _pieces(line: str) -> frozenset[str]:
    return frozenset(line[at : at + PIECE] for at in range(len(line) - PIECE + 1))


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _echo(edited: _Edited) -> str:
    """Return the changed places with their line numbers and what is around them."""
    lines = split_lines(edited.text)
    made: list[str] = []
    last = room = 0
    for first, end in _ranges(edited, len(lines)):
        if last and first > last + 1:
            made.append("…")
        for number in range(first, end + 1):
            line = lines[number - 1].removesuffix("\r")
            shown = f"{number}\t{line[:MAX_LINE]}{'…' if len(line) > MAX_LINE else ''}"
            room += len(shown) + 1
            if room > MAX_ECHO:
                return "\n".join([*made, "… (more changes are not shown)"])
            made.append(shown)
        last = end
    return "\n".join(made)


def _ranges(edited: _Edited, total: int) -> Sequence[tuple[int, int]]:
    """Return the changed places as ranges of lines, with those around them, none twice."""
    ranges: list[tuple[int, int]] = []
    for start, end in sorted(edited.spans):
        first = max(1, _line(edited.text, start) - AROUND)
        last = min(total, _line(edited.text, max(start, end - 1)) + AROUND)
        if ranges and first <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(last, ranges[-1][1]))
        else:
            ranges.append((first, last))
    return ranges


EDIT = Tool("edit_file", "Replace exact passages of a file.", EditFileArguments, WORKERS, edit_file)
