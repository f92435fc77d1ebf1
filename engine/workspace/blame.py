"""Line authorship, computed from the diffs between a file's revisions (pure).

libgit2's own blame walks every commit of the task; a file's revisions are known, so only they are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from engine.workspace.hunks import Hunk

Owner = TypeVar("Owner")


def reattribute(owners: Sequence[Owner], hunks: Sequence[Hunk], author: Owner) -> list[Owner]:
    """Return the owners of the new lines: kept for kept lines, `author` for lines of a hunk. Hunks ascend."""
    result: list[Owner] = []
    at = 0
    for hunk in hunks:
        result.extend(owners[at : hunk.old_start])
        result.extend([author] * hunk.new_lines)
        at = hunk.old_start + hunk.old_lines
    result.extend(owners[at:])
    return result


def split_lines(text: str) -> list[str]:
    """Return lines as git counts them: split by line feed only, the last one with or without."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines
