"""Report how far a streamed answer is while it arrives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from engine.llm.storable import storable
from engine.ports import Written

WORDS, NAME = 200, 200
MAX_LINE = 1_000_000

listening: ContextVar[StreamProgress | None] = ContextVar("listening", default=None)
"""Gets the pieces of the answer to the request that this task makes."""


class StreamProgress:
    """Reads the `progress` chunks of the embedded model's stream and passes each on to `heard`."""

    def __init__(self, heard: Callable[[Written], None]) -> None:
        self._heard = heard
        self._rest = b""

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body; what is no account of progress is ignored."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > MAX_LINE:
            self._rest = b""
        for line in lines:
            if line.startswith(b"data:") and b'"progress"' in line[:200]:
                self._pass_on(line[5:])

    def _pass_on(self, data: bytes) -> None:
        try:
            progress = json.loads(data).get("progress")
        except (ValueError, AttributeError, RecursionError):
            return
        if isinstance(progress, Mapping):
            self._heard(written_of(progress))


def written_of(progress: Mapping[str, Any]) -> Written:
    """Return the account that an endpoint gave as data, whatever it holds."""
    return Written(
        tokens=_count(progress.get("tokens")),
        read=min(1.0, _number(progress.get("read"))),
        tool=storable(str(progress.get("tool") or ""))[:NAME],
        path=storable(str(progress.get("path") or ""))[:NAME],
        lines=_count(progress.get("lines")),
        words=storable(str(progress.get("words") or ""))[:WORDS],
    )


def _count(value: Any) -> int:
    return int(min(_number(value), 1e9))


def _number(value: Any) -> float:
    usable = isinstance(value, int | float) and value == value and value > 0  # noqa: PLR0124 - no NaN
    return float(value) if usable else 0.0
