"""Map tool names as models write them to the names that were offered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from engine.ports import ToolCall

_PARALLEL = re.compile(r"(?:^|\.)(?:multi_tool_use[._])?parallel$")
_AFTER = re.compile(r"[.:/]|__")
_TAIL = re.compile(r"(?::\d+|\(\)|<\|.*|\s.*|\(.*)$", re.S)
_NOT_WORD = re.compile(r"[^a-z0-9]")
_PREFIX = re.compile(r"^(?:functions?|tools?|default_api|api|assistant|namespace)[._:/-]+", re.I)


def known_name(name: str, offered: Mapping[str, object]) -> str:
    """Return the offered tool that `name` means; `name` itself if it means none.

    Ignores prefixes (`functions.x`, `default_api:x`), suffixes (`x:0`, `x<|channel|>commentary`), quotes,
    case and separators.
    """
    if name in offered:
        return name
    for form in _forms(name):
        if form in offered:
            return form
    by_form: dict[str, list[str]] = {}
    for tool in offered:
        by_form.setdefault(_normalized(tool), []).append(tool)
    for form in _forms(name):
        meant = by_form.get(_normalized(form), [])
        if len(meant) == 1:
            return meant[0]
    return name


def _forms(name: str) -> Iterator[str]:
    bare = name.strip().strip("\"'`*").strip()
    yield bare
    bare = re.sub(r"^<\|[^|]*\|>", "", bare)
    if " to=" in bare or bare.startswith("to="):
        bare = bare.rsplit("to=", 1)[1]
    for _ in range(3):
        bare = _TAIL.sub("", bare).strip().strip("\"'`")
    yield bare
    yield _PREFIX.sub("", bare)
    parts = [part for part in _AFTER.split(bare) if part]
    yield from reversed(parts)


def _normalized(name: str) -> str:
    return _NOT_WORD.sub("", name.lower())


def expanded(call: ToolCall) -> Iterator[ToolCall]:
    """Yield the call, or the calls inside a `multi_tool_use.parallel` call."""
    if not _PARALLEL.search(call.name.strip()):
        yield call
        return
    try:
        uses = json.loads(call.arguments)["tool_uses"]
        made = [
            ToolCall(f"{call.id}{n}", str(use["recipient_name"]), json.dumps(use.get("parameters", {})))
            for n, use in enumerate(uses)
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        yield call
        return
    yield from made
