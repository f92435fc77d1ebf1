"""What was learned of endpoints, kept over restarts: one small file in the data directory.

It holds no address, key or text. The form of requests is forgotten after a week, as providers change what
they accept; the sizes of answer and prompt after a day, as they may come from an account's credit or a
server's start.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from engine.llm.providers.quirks import Quirks

KEPT_S = 7 * 86_400.0
SIZES_S = 86_400.0
_FORMAT = 1
_log = logging.getLogger(__name__)


class Learned:
    """The request shapes by (endpoint, model). Damaged or unreadable files count as empty."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path, self._now = path, now

    def get(self, base_url: str, model: str) -> Quirks | None:
        """Return what was learned in the last week, None for nothing."""
        kept = self._read().get(_key(base_url, model))
        try:
            age = KEPT_S if kept is None else self._now() - float(kept["at"])
            if kept is None or not 0 <= age < KEPT_S:
                return None
            found = _quirks(kept["quirks"])
            return found if age < SIZES_S else replace(found, window=0, most_answer=0)
        except (KeyError, TypeError, ValueError):
            return None

    def put(self, base_url: str, model: str, quirks: Quirks) -> None:
        """Keep a request shape. A file that cannot be written is logged; then it is learned again."""
        now = self._now()
        kept = {
            key: one
            for key, one in self._read().items()
            if isinstance(one, dict) and isinstance(one.get("at"), int | float) and now - one["at"] < KEPT_S
        }
        shape = {name: sorted(v) if isinstance(v, frozenset) else v for name, v in asdict(quirks).items()}
        kept[_key(base_url, model)] = {"at": now, "quirks": shape}
        fresh = self._path.with_name(f"{self._path.name}.{token_hex(4)}")
        try:
            fresh.write_text(json.dumps({"format": _FORMAT, "endpoints": kept}))
            fresh.replace(self._path)
        except OSError as error:
            _log.warning("what was learned of an endpoint is not kept: %s", error)
            fresh.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            stored = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        known = isinstance(stored, dict) and stored.get("format") == _FORMAT
        endpoints = stored.get("endpoints") if known else None
        return endpoints if isinstance(endpoints, dict) else {}


def _key(base_url: str, model: str) -> str:
    return hashlib.sha256(f"{base_url}\0{model}".encode()).hexdigest()


def _quirks(stored: dict[str, Any]) -> Quirks:
    """Return stored quirks. Raises TypeError or ValueError for values of another kind or name."""
    usual = Quirks()
    made: dict[str, Any] = {}
    for each in fields(Quirks):
        value, default = stored[each.name], getattr(usual, each.name)
        if isinstance(default, frozenset | tuple):
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise TypeError(each.name)
            value = type(default)(value)
        if type(value) is not type(default):
            raise TypeError(each.name)
        made[each.name] = value
    return Quirks(**made)
