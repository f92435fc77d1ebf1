"""What changed in files since an assignment was given, for whoever reviews it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

SHOWN = 20
MAX_COMPARED = 400_000
"""Bytes of a file that is compared line by line."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file and who changed it (nobody: `by` is empty). `lines`: how many were added and removed, None for
    what cannot be compared by lines."""

    path: str
    how: Literal["added", "changed", "deleted", "unchanged"]
    by: tuple[str, ...] = ()
    lines: tuple[int, int] | None = None

    @property
    def line(self) -> str:
        """Return the change in a few words."""
        if self.how == "unchanged":
            return f"{self.path} (unchanged)"
        count = "" if self.lines is None else f"+{self.lines[0]} -{self.lines[1]} "
        how = "" if self.how == "changed" else f"{self.how} "
        return f"{self.path} ({how}{count}by {' and '.join(self.by)})"


def change_of(path: str, before: bytes | None, now: bytes | None, by: Sequence[str]) -> FileChange:
    """Return the change of a file from one content to another (None: there is none)."""
    if before == now:
        return FileChange(path, "unchanged")
    how: Literal["added", "deleted", "changed"] = (
        "added" if before is None else "deleted" if now is None else "changed"
    )
    return FileChange(path, how, tuple(by), _counted(before or b"", now or b""))


def _counted(before: bytes, now: bytes) -> tuple[int, int] | None:
    if b"\0" in before or b"\0" in now or max(len(before), len(now)) > MAX_COMPARED:
        return None
    old, new = before.splitlines(), now.splitlines()
    if not old or not new:
        return len(new), len(old)
    same = sum(block.size for block in SequenceMatcher(None, old, new).get_matching_blocks())
    return len(new) - same, len(old) - same


def changes_text(changes: Sequence[FileChange]) -> str:
    """Return the changes as one line for the reviewer, "" for none."""
    if not changes:
        return ""
    more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
    return f"Changed since you gave it: {', '.join(each.line for each in changes[:SHOWN])}{more}"
