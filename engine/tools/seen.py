"""Which revisions of a file an agent has seen in full, by the outcomes of its calls, pure.

A whole file may be replaced only by one who has seen all of it. A refusal or an edit that names a revision
is not a look at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.domain.outcomes import Read, Refused, Wrote
from engine.domain.state import PastStep


def seen_revisions(past: Iterable[PastStep], path: str) -> list[int]:
    """Return the revisions of `path` that these steps showed in full, the one seen last at the end."""
    seen: list[int] = []
    parts: dict[int, set[int]] = {}
    for outcome in _about(past, path):
        revision = outcome.revision
        if not isinstance(revision, int):
            continue
        whole = not isinstance(outcome, Read | Wrote) or outcome.whole
        if isinstance(outcome, Read) and outcome.lines is not None:
            first, last, total = outcome.lines
            shown = parts.setdefault(revision, set())
            shown.update(range(first, last + 1))
            whole = whole or len(shown) >= total
        if whole:
            seen = [*(one for one in seen if one != revision), revision]
    return seen


def _about(past: Iterable[PastStep], path: str) -> Iterator[Read | Wrote | Refused]:
    for step in past:
        for call in step.calls:
            if isinstance(call.outcome, Read | Wrote | Refused) and call.outcome.path == path:
                yield call.outcome
