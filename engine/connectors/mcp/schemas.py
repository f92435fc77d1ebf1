"""What a server says of its tools, made safe: bounded, in the common keywords, never trusted. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from engine.domain.clean import clean_line
from engine.tools.schema import common_schema

MAX_DESCRIPTION, MAX_HINT = 800, 200
MAX_SCHEMA = 6_000
"""Characters of a tool's description, of an argument's, and of its whole schema."""

MAX_WRITTEN = 200_000
"""Characters of a schema as the server wrote it that are looked at."""

MAX_CHOICES = 60
TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean"})
_PROPERTY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NUMBERS = ("minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength")


def described(text: str | None, limit: int = MAX_DESCRIPTION) -> str:
    """Return a description on one line of at most `limit` characters."""
    line = clean_line(text or "")
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def safe_schema(written: Any) -> dict[str, Any]:
    """Return the schema of a tool's arguments in the common keywords, at most MAX_SCHEMA characters of JSON.

    A schema that is too long loses its descriptions, then its inner structure; the server checks the
    arguments in any case.
    """
    if not isinstance(written, Mapping) or _length(written) > MAX_WRITTEN:
        return {"type": "object", "properties": {}}
    made = _as_object(_sound(common_schema(written), MAX_HINT))
    for hint in (60, 0):
        if _length(made) <= MAX_SCHEMA:
            return made
        made = _as_object(_sound(made, hint))
    return made if _length(made) <= MAX_SCHEMA else _flat(made)


def _as_object(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return only what says something about arguments: an object with named ones."""
    required = {"required": made["required"]} if "required" in made else {}
    return {"type": "object", "properties": made.get("properties", {}), **required}


def _length(value: Any) -> int:
    try:
        return len(json.dumps(value))
    except (ValueError, TypeError, RecursionError):
        return MAX_WRITTEN + 1


def _sound(node: Mapping[str, Any], hint: int) -> dict[str, Any]:
    """Return a node with only values of the types that its keywords have."""
    made: dict[str, Any] = {}
    kind = node.get("type")
    if isinstance(kind, str) and kind in TYPES:
        made["type"] = kind
    if hint and isinstance(node.get("description"), str) and node["description"]:
        made["description"] = described(node["description"], hint)
    choices = node.get("enum")
    if isinstance(choices, list) and 0 < len(choices) <= MAX_CHOICES and all(map(_is_plain, choices)):
        made["enum"] = choices
    for name in _NUMBERS:
        value = node.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            made[name] = value
    _inner(node, made, hint)
    return made


def _inner(node: Mapping[str, Any], made: dict[str, Any], hint: int) -> None:
    properties = node.get("properties")
    if isinstance(properties, Mapping):
        named = {str(name): one for name, one in properties.items() if _PROPERTY.fullmatch(str(name))}
        made["properties"] = {name: _sound(one, hint) for name, one in named.items()}
        required = node.get("required")
        kept = (
            [n for n in required if isinstance(n, str) and n in named] if isinstance(required, list) else []
        )
        if kept:
            made["required"] = kept
    if made.get("type") == "array":
        items = node.get("items")
        made["items"] = (_sound(items, hint) if isinstance(items, Mapping) else {}) or {"type": "string"}
    if isinstance(node.get("anyOf"), list):
        made["anyOf"] = [_sound(one, hint) for one in node["anyOf"] if isinstance(one, Mapping)]


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and len(str(value)) <= MAX_HINT


def _flat(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return only the names and types of the outermost arguments, as many as fit."""
    flat: dict[str, Any] = {"type": "object", "properties": {}}
    for name, one in made.get("properties", {}).items():
        flat["properties"][name] = {"type": one.get("type", "string")} | (
            {"items": {"type": "string"}} if one.get("type") == "array" else {}
        )
        if _length(flat) > MAX_SCHEMA // 2:
            flat["properties"].pop(name)
            break
    required = [name for name in made.get("required", ()) if name in flat["properties"]]
    return flat | ({"required": required} if required else {})
