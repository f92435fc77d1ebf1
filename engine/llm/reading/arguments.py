"""Repair tool arguments to one JSON object where the meaning is clear."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

_NOTHING = frozenset({"", "null", "none", "undefined", '""', "''", "[]", "nil"})
_FENCE = re.compile(r"\A```\w*\s*(.*?)\s*(?:```)?\s*\Z", re.S)
_WRAPPERS = ("arguments", "parameters", "input", "args", "params", "kwargs", "tool_input", "properties")
_BESIDE_WRAPPER = frozenset(
    {"name", "tool", "tool_name", "function", "type", "id", "recipient_name", "title", "description"}
)
_COMMANDS = frozenset({"command", "argv", "cmd"})
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?\Z")
_MOST_LITERAL = 200_000
_decoder = json.JSONDecoder(strict=False)


def repaired_arguments(text: str, schema: Mapping[str, Any]) -> str:
    """Return `text` as the JSON object it means for `schema`; unchanged if that is not clear, above all for
    cut JSON."""
    value = _value(text)
    if not isinstance(value, dict):
        return text
    fitted = _fitted(_unwrapped(value, schema), schema)
    if fitted == value and _is_plain(text):
        return text
    return json.dumps(fitted, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    """Return True if the text is one JSON object already, as strict parsers accept it."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _value(text: str) -> Any:
    bare = text.strip()
    if bare.lower() in _NOTHING:
        return {}
    if fenced := _FENCE.match(bare):
        bare = fenced.group(1)
    value = _decoded(bare)
    for _ in range(3):
        if isinstance(value, str):
            value = {} if value.strip().lower() in _NOTHING else _decoded(value.strip())
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _decoded(text: str) -> Any:
    """Return the first JSON value; of `{}` followed by an object (written after a template's `{}`) the
    latter."""
    begin = min((at for at in (text.find("{"), text.find("["), text.find('"')) if at >= 0), default=-1)
    if begin < 0 or not _is_mark(text[:begin]):
        return None
    try:
        value, end = _decoder.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return _literal(text[begin:])
    if value == {} and text[end:].lstrip().startswith("{"):
        return _decoded(text[end:].lstrip())
    return value


def _is_mark(before: str) -> bool:
    """Return True if only chat-template marks stand before the arguments."""
    return not re.sub(r"<\|?[^<>]*\|?>|json|commentary|[\s:=]", "", before, flags=re.I)


def _literal(text: str) -> Any:
    """Parse a dictionary in Python or JavaScript syntax: single quotes, True, a trailing comma."""
    if len(text) > _MOST_LITERAL:
        return None
    end = text.rfind("}")
    try:
        return ast.literal_eval(text[: end + 1])
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        pass
    try:
        return _decoder.raw_decode(re.sub(r",(\s*[}\]])", r"\1", text))[0]
    except (ValueError, RecursionError):
        return None


def _unwrapped(value: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments inside `{"name": …, "arguments": {…}}` and similar."""
    known = schema.get("properties", {})
    for name in _WRAPPERS:
        inner = value.get(name)
        if name in known or inner is None or not set(value) - {name} <= _BESIDE_WRAPPER:
            continue
        if set(value) & set(known) and name != "arguments":
            continue
        inner = _value(inner) if isinstance(inner, str) else inner
        if isinstance(inner, dict):
            return inner
    return value


def _fitted(value: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments without nulls of optional ones; lists, objects, numbers and flags given as text
    are parsed."""
    known = schema.get("properties", {})
    required = set(schema.get("required", ()))
    made: dict[str, Any] = {}
    for name, one in value.items():
        inner = known.get(name)
        if not isinstance(inner, Mapping):
            made[name] = one
        elif one is not None or name in required:
            made[name] = _as(_words(one) if name in _COMMANDS else one, inner)
    return made


def _words(value: Any) -> Any:
    """Split a command given as one text as a shell would."""
    if not isinstance(value, str) or value.lstrip().startswith("["):
        return value
    try:
        return shlex.split(value)
    except ValueError:
        return value


def _as(value: Any, schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "array":
        return _as_list(value, schema)
    if kind == "string":
        return _as_text(value)
    if kind == "object":
        read = _decoded(value.strip()) if isinstance(value, str) else value
        return _fitted(read, schema) if isinstance(read, dict) else value
    if isinstance(value, str) and kind in ("integer", "number", "boolean"):
        return _as_plain(value.strip(), kind, value)
    return value


def _as_text(value: Any) -> Any:
    """Return the text that a number or an object in its place means: a JSON file's content, above all."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, indent=2)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _as_list(value: Any, schema: Mapping[str, Any]) -> Any:
    inner = schema.get("items", {})
    if isinstance(value, str):
        read = _decoded(value.strip()) if value.lstrip().startswith("[") else None
        if not isinstance(read, list):
            read = [value] if inner.get("type", "string") == "string" and value.strip() else None
        value = read if read is not None else value
    if isinstance(value, dict) and inner.get("type") == "object":
        value = [value]
    if isinstance(value, list):
        return [_as(one, inner) for one in value]
    return value


def _as_plain(text: str, kind: str, given: Any) -> Any:
    if kind == "boolean":
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
            text.lower(), given
        )
    bare = text.lstrip("#")
    if not _NUMBER.match(bare):
        return given
    number = float(bare)
    return int(number) if kind == "integer" and number.is_integer() else number
