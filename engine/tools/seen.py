"""Which revisions of a file an agent has seen in full, by the outcomes of its calls and by what came whole
with its work, pure.

A whole file may be replaced only by one who has seen all of it. A refusal or an edit that names a revision
is not a look at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.domain.outcomes import Read, Refused, Wrote
from engine.domain.state import InboxMessage, PastStep


def as_it_is(path: str, content: str) -> str:
    """Return a small file as it comes, whole, with work that names it."""
    return f"{path} as it is now:\n{content.rstrip()}\n"


def came_whole(messages: Iterable[InboxMessage], path: str, content: str) -> bool:
    """Return whether one of the messages gives work and shows all of a file as it is."""
    shown = as_it_is(path, content)
    return any(message.from_kind == "work" and shown in message.text for message in messages)


def messages_of(past: Iterable[PastStep]) -> Iterator[InboxMessage]:
    """Return the messages that these steps read."""
    for step in past:
        yield from step.messages


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
