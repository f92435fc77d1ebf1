"""Map tool names as models write them to the names that were offered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from engine.ports import ToolCall

_PARALLEL = re.compile(r"(?:^|\.)(?:multi_tool_use[._])?parallel$")
_AFTER = re.compile(r"[.:/]|__")
_TAIL = re.compile(r"(?:[:-]\d+|\(\)|<\|.*|</.*|<arg_key>.*|\[ARGS\].*|[>\"}]+|\s.*|\(.*|\{.*)$", re.S)
_FRONT = re.compile(r"^(?:<\|[^|]*\|>|<?/?function=|<tool_call>|<)+")
_SPARE = re.compile(r"^(?:tool_calls?|call|proxy)_|_(?:tool|function|call|\d{1,2})$")
"""What some models put before and after a name; only where the name itself is not offered."""

_JOINED, _MOST_JOINED = 2, 16
_decoder = json.JSONDecoder(strict=False)
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
    bare = _FRONT.sub("", bare)
    if bare.startswith("{"):
        bare = _inside(bare)
    if " to=" in bare or bare.startswith("to="):
        bare = bare.rsplit("to=", 1)[1]
    for _ in range(3):
        bare = _TAIL.sub("", bare).strip().strip("\"'`")
    yield bare
    yield _PREFIX.sub("", bare)
    parts = [part for part in _AFTER.split(bare) if part]
    yield from reversed(parts)
    half = len(bare) // 2
    if bare[:half] == bare[half:]:  # said twice, as by a stream that repeats it
        yield bare[:half]
    yield _SPARE.sub("", bare)


def _inside(text: str) -> str:
    """Return the name in a call that stands where its name should."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    named = value.get("name") if isinstance(value, dict) else None
    return named if isinstance(named, str) else text


def _normalized(name: str) -> str:
    return _NOT_WORD.sub("", name.lower())


def expanded(call: ToolCall, offered: Mapping[str, object]) -> Iterator[ToolCall]:
    """Yield the call; or the calls inside a `multi_tool_use.parallel` call, and those that a stream joined
    into one."""
    if _PARALLEL.search(call.name.strip()):
        yield from _parallel(call)
    elif call.name in offered:
        yield call
    else:
        yield from _joined(call, offered) or [call]


def _parallel(call: ToolCall) -> list[ToolCall]:
    try:
        uses = json.loads(call.arguments)["tool_uses"]
        return [
            ToolCall(f"{call.id}{n}", str(use["recipient_name"]), json.dumps(use.get("parameters", {})))
            for n, use in enumerate(uses)
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [call]


def _joined(call: ToolCall, offered: Mapping[str, object]) -> list[ToolCall]:
    """Return the calls of a name that is several offered ones, with as many objects as arguments."""
    names: list[str] = []
    rest = call.name
    while rest and len(names) < _MOST_JOINED:
        name = max((one for one in offered if rest.startswith(one)), key=len, default="")
        if not name:
            return []
        names.append(name)
        rest = rest[len(name) :]
    given = _objects(call.arguments)
    if rest or len(names) < _JOINED or len(given) != len(names):
        return []
    return [ToolCall(f"{call.id}{n}", *one) for n, one in enumerate(zip(names, given, strict=True))]


def _objects(text: str) -> list[str]:
    """Return the JSON objects that a text consists of; none if there is anything else in it."""
    made: list[str] = []
    rest = text.strip()
    while rest:
        try:
            value, end = _decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict):
            return []
        made.append(rest[:end])
        rest = rest[end:].strip()
    return made
