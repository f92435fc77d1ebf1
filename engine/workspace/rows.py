"""Three-way merge of files whose lines are records: rows beside each other are nobody's conflict.

git takes changes of neighbouring lines, and lines that both added at one place, for a conflict, because in a
text they may belong together. Rows of a table do not: heads who each fill in their own rows of a shared
table would get a conflict each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.workspace.hunks import hunks_between

RECORDS = (".csv", ".tsv", ".jsonl", ".ndjson")
"""Endings of files of which each line is a record."""

MOST = 400_000
"""Bytes of a content that is merged by rows."""


@dataclass(slots=True)
class _Changes:
    """What one side did to the rows of the base: `rows` puts others in the place of one (none: it is gone),
    `added` puts rows before the one with that number; nothing is added inside `blocks`."""

    rows: dict[int, list[bytes]] = field(default_factory=dict)
    added: dict[int, list[bytes]] = field(default_factory=dict)
    blocks: list[tuple[int, int]] = field(default_factory=list)

    def splits(self, place: int) -> bool:
        """Return whether a row added there would stand inside rows that were replaced as a whole."""
        return any(start < place < end for start, end in self.blocks)


def of_records(path: str) -> bool:
    """Return whether each line of a file is a record."""
    return path.lower().endswith(RECORDS)


def merged_rows(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Return both sides' changes of rows in one content, None where both changed one row differently.

    Rows that both added at one place come one after the other, theirs first.
    """
    if max(len(base), len(ours), len(theirs)) > MOST:
        return None
    rows = _rows(base)
    mine, other = _changes(rows, _rows(ours)), _changes(rows, _rows(theirs))
    if any(mine.splits(place) for place in other.added) or any(other.splits(place) for place in mine.added):
        return None
    made: list[bytes] = []
    for number in range(len(rows) + 1):
        first = other.added.get(number, [])
        made += [*first, *(row for row in mine.added.get(number, []) if row not in first)]
        if number == len(rows):
            break
        a, b = mine.rows.get(number), other.rows.get(number)
        if a is not None and b is not None and a != b:
            return None
        made += b if b is not None else a if a is not None else [rows[number]]
    return b"".join(made)


def _rows(content: bytes) -> list[bytes]:
    """Return the lines, each with a line break, so that a row can follow the last one."""
    lines = [line + b"\n" for line in content.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    if not lines[-1]:
        lines.pop()
    elif not lines[-1].endswith(b"\n"):
        lines[-1] += b"\r\n" if lines[0].endswith(b"\r\n") else b"\n"
    return lines


def _changes(base: Sequence[bytes], side: Sequence[bytes]) -> _Changes:
    found = _Changes()
    for hunk in hunks_between(b"".join(base), b"".join(side)):
        start, end = hunk.old_start, hunk.old_start + hunk.old_lines
        new = list(side[hunk.new_start : hunk.new_start + hunk.new_lines])
        if start == end:
            found.added[start] = new
        elif len(new) == hunk.old_lines:
            found.rows |= {start + n: [row] for n, row in enumerate(new)}
        else:
            found.rows |= {number: [] for number in range(start, end)}
            found.rows[start] = new
            found.blocks.append((start, end))
    return found
