"""Differences between two contents, line by line, as git finds them."""

from __future__ import annotations

from dataclasses import dataclass

import pygit2


@dataclass(frozen=True, slots=True)
class Hunk:
    """Replaced lines: `old_start`/`new_start` count from 0 and point before the hunk if a side is empty."""

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int


def hunks_between(before: bytes, after: bytes) -> list[Hunk]:
    """Return what changed, in order, without lines around it."""
    patch = pygit2.Patch.create_from(before, after, context_lines=0, interhunk_lines=0)
    return [_hunk(each) for each in patch.hunks]


def _hunk(hunk: pygit2.DiffHunk) -> Hunk:
    # git counts lines from 1, and from the line before for an empty side
    old = hunk.old_start - 1 if hunk.old_lines else hunk.old_start
    new = hunk.new_start - 1 if hunk.new_lines else hunk.new_start
    return Hunk(old, hunk.old_lines, new, hunk.new_lines)
