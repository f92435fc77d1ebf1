"""The outcome of a write, decided from revision ids alone (pure; the store asks inside its transaction)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["unchanged", "fast_forward", "on_top", "merge"]


@dataclass(frozen=True, slots=True)
class Current:
    """The store's current state of the path; `blob` is None if the file was deleted."""

    revision: int
    blob: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """`outcome` of a write, and for a merge the current blob (`theirs`) to merge with.

    fast_forward: nothing happened since the base. on_top: others wrote, but not this file. merge: this file
    was written since; find the base blob, merge, then decide again on the result.
    """

    outcome: Outcome
    theirs: str | None = None


def resolve_write(*, base: int | None, current: Current | None, newest: int, blob: str | None) -> Decision:
    """Return the decision on a write of `blob` (None: delete) by an agent who last saw revision `base`.

    `current` is the path's newest revision (None: never written), `newest` the task's newest revision id. Ids
    are global and ascending, so the file is unchanged since `base` exactly when `current.revision <= base`.
    Without a base only a path that holds no file may be written directly.
    """
    held = current.blob if current else None
    if current is not None and held == blob:
        return Decision("unchanged", held)
    if held is None and (blob is not None or current is None):
        return Decision("fast_forward" if newest <= (base or 0) else "on_top")
    if current is not None and base is not None and current.revision <= base:
        return Decision("fast_forward" if newest <= base else "on_top")
    return Decision("merge", held)
