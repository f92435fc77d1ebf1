"""Search texts line by line, pure. Run as a program it searches by a pattern of a model.

Such a pattern can take for ever and cannot be stopped inside a process, so it is tried in one that can be
killed (`engine.tools.search`). Only the standard library may be imported here.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise

AROUND = 100
"""Characters shown on either side of a hit in a long line."""

WHOLE_LINE = 240
"""Characters of a line that is shown whole."""

PASSAGES = 3
"""Hits of one long line that are shown."""


@dataclass(frozen=True, slots=True)
class Found:
    """`shown` of the lines that match, `lines` in `files` files in all; `count` of them are in `shown`."""

    lines: int = 0
    files: int = 0
    count: int = 0
    shown: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search: a pattern, or a plain text, with `around` lines before and after. The first `skip` lines
    that match are left out; at most `most` lines and about `room` characters are shown."""

    pattern: str
    plain: bool = True
    around: int = 0
    skip: int = 0
    most: int = 40
    room: int = 12_000


def search(wanted: Wanted, texts: Mapping[str, str]) -> Found:
    """Search the texts in order of their paths. Raises re.error for a wrong pattern."""
    match = re.compile(re.escape(wanted.pattern) if wanted.plain else wanted.pattern, re.IGNORECASE)
    found = files = count = used = 0
    shown: list[str] = []
    full = False
    for path, text in sorted(texts.items()):
        lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
        hits = [number for number, line in enumerate(lines) if match.search(line)]
        files += bool(hits)
        chosen: list[int] = []
        for number in hits:
            found += 1
            if found <= wanted.skip or full:
                continue
            size = _size(lines, number, wanted.around)
            full = count >= wanted.most or (count > 0 and used + size > wanted.room)
            if not full:
                chosen.append(number)
                count, used = count + 1, used + size
        shown += _blocks(path, lines, chosen, match, wanted.around)
    return Found(found, files, count, shown)


def _size(lines: Sequence[str], number: int, around: int) -> int:
    """Return about how many characters a hit takes with the lines around it."""
    near = lines[max(0, number - around) : number + 1 + around]
    passages = 2 * PASSAGES * AROUND if len(lines[number]) > WHOLE_LINE else 0
    return passages + sum(min(len(line), WHOLE_LINE) for line in near)


def _blocks(
    path: str, lines: Sequence[str], hits: Sequence[int], match: re.Pattern[str], around: int
) -> Iterator[str]:
    """Return the hits as grep does: `path:12: line`, and `path-11- line` for the lines around."""
    wanted = set(hits)
    near = sorted({n for hit in hits for n in range(max(0, hit - around), min(len(lines), hit + around + 1))})
    gaps = {after for before, after in pairwise(near) if after != before + 1}
    for number in near:
        if around and number in gaps:
            yield "--"
        if number in wanted:
            yield f"{path}:{number + 1}: {_passages(lines[number], match)}"
        else:
            yield f"{path}-{number + 1}- {_cut(lines[number], 0, WHOLE_LINE)}"


def _passages(line: str, match: re.Pattern[str]) -> str:
    """Return a line, of a long one what is around its hits."""
    if len(line) <= WHOLE_LINE:
        return line
    spans: list[tuple[int, int]] = []
    left = 0
    for hit in match.finditer(line):
        start, end = max(0, hit.start() - AROUND), hit.end() + AROUND
        end = min(end, hit.start() + 2 * AROUND)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        elif len(spans) < PASSAGES:
            spans.append((start, end))
        else:
            left += 1
    more = f" (and {left} more in this line)" if left else ""
    return " ".join(_cut(line, start, end) for start, end in spans) + more


def _cut(line: str, start: int, end: int) -> str:
    return f"{'…' if start > 0 else ''}{line[start:end]}{'…' if end < len(line) else ''}"


def main() -> None:
    """Read a search from standard input, write what was found to standard output, both JSON."""
    given = json.load(sys.stdin)
    json.dump(asdict(search(Wanted(**given["wanted"]), given["texts"])), sys.stdout)


if __name__ == "__main__":
    main()
