"""JSON schemas of tools, limited to the keywords that every model provider accepts. Pure.

Keywords that providers refuse (`exclusiveMinimum`, `$ref`, `const`, `oneOf`, `additionalProperties`, …) are
rewritten or dropped; the tool's own arguments still validate what a model sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

KEYWORDS = frozenset(
    {
        "type",
        "description",
        "properties",
        "required",
        "items",
        "enum",
        "anyOf",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
    }
)
"""The common set; the smallest documented one is Gemini's."""

LIMITS = frozenset({"minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength"})
"""Keywords that need not be sent: a call that breaks a limit is refused in words."""

HIDDEN = "hidden"
"""Marks an argument that is accepted and not shown: another one says the same."""

FOR_BOSS = "for_boss"
"""Marks an argument that only a boss is shown, of a tool that others have too."""

_SAME = KEYWORDS - {"properties", "items", "anyOf", "type"}
_DEEPEST = 12
_MOST = 2_000
"""Nodes of one schema: references to each other could make a short one grow without end."""


def common_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return `schema`, of type object, in the common keywords with references resolved.

    An optional value is one that is not required: its null and its default are dropped; a meaningful default
    is named in the description.
    """
    named = {**_mapping(schema.get("definitions")), **_mapping(schema.get("$defs"))}
    made = _common(schema, _Definitions(named), 0)
    made.pop("description", None)
    return {"type": "object", "properties": {}, **made}


class _Definitions(dict[str, Any]):
    """The definitions of one schema, and how many of its nodes were made so far."""

    made = 0


def _common(node: Mapping[str, Any], definitions: _Definitions, depth: int) -> dict[str, Any]:
    definitions.made += 1
    if depth > _DEEPEST or definitions.made > _MOST:
        return {"type": "object"}
    node = _flat(_resolved(node, definitions), definitions)
    made = {key: value for key, value in node.items() if key in _SAME}
    if "const" in node:
        made["enum"] = [node["const"]]
    kind = _kind(node)
    if kind:
        made["type"] = kind
    _limits(node, made)
    if isinstance(node.get("properties"), Mapping):
        inner = {
            name: _common(_mapping(value), definitions, depth + 1)
            for name, value in node["properties"].items()
            if not _mapping(value).get(HIDDEN)
        }
        made["properties"] = inner
        wanted = node.get("required")
        named = wanted if isinstance(wanted, list) else []
        made["required"] = [name for name in named if isinstance(name, str) and name in inner]
        if not made["required"]:
            del made["required"]
    if made.get("type") == "array":
        items = node.get("items") or {"type": "string"}
        made["items"] = _common(_mapping(items), definitions, depth + 1)
    if isinstance(node.get("anyOf"), list) and node["anyOf"]:
        made["anyOf"] = [_common(_mapping(one), definitions, depth + 1) for one in node["anyOf"]]
    return _with_default(made, node.get("default"))


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(_DEEPEST):
        if "$ref" not in node:
            break
        named = definitions.get(str(node["$ref"]).rsplit("/", 1)[-1], {})
        node = {**_mapping(named), **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def _flat(node: Mapping[str, Any], definitions: Mapping[str, Any], depth: int = 0) -> Mapping[str, Any]:
    """Return the node with its alternatives as `anyOf` without null; a single alternative replaces it."""
    if isinstance(node.get("allOf"), list):
        parts = [_resolved(_mapping(part), definitions) for part in node["allOf"]]
        node = {**{k: v for part in parts for k, v in part.items()}, **_without(node, "allOf")}
    choices = node.get("anyOf") or node.get("oneOf")
    if not isinstance(choices, list):
        return node
    kept = [one for one in choices if _mapping(one).get("type") != "null"]
    rest = _without(node, "anyOf", "oneOf")
    if len(kept) != 1:
        return {**rest, "anyOf": kept}
    only = _resolved(_mapping(kept[0]), definitions)
    return {**(_flat(only, definitions, depth + 1) if depth < _DEEPEST else {}), **rest}


def _kind(node: Mapping[str, Any]) -> str:
    """Return one type: of several the first that is not null."""
    declared = node.get("type")
    if isinstance(declared, list):
        declared = next((kind for kind in declared if kind != "null"), "string")
    if isinstance(declared, str):
        return declared
    return "object" if "properties" in node else ""


def _limits(node: Mapping[str, Any], made: dict[str, Any]) -> None:
    """Convert exclusive limits of integers to inclusive ones; other limits are left to the tool."""
    if made.get("type") != "integer":
        return
    for name, inclusive, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
        value = node.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            made[inclusive] = int(value) + step


def _with_default(made: dict[str, Any], default: Any) -> dict[str, Any]:
    if default in (None, "", [], {}, False):
        return made
    said = str(default).lower() if isinstance(default, bool) else str(default)
    made["description"] = f"{made.get('description', '')} (default {said})".strip()
    return made


def _without(node: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key not in names}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


_DEFAULT = re.compile(r" ?\(default [^()]*\)$")


def without_limits(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema in the common keywords without limits and defaults, so that it costs fewer tokens."""
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: without_limits(inner) for name, inner in value.items()}
        elif key == "items":
            made[key] = without_limits(value)
        elif key == "anyOf":
            made[key] = [without_limits(one) for one in value]
        elif key == "description":
            made |= {key: said} if (said := _DEFAULT.sub("", value)) else {}
        elif key not in LIMITS:
            made[key] = value
    return made
