"""Repair tool arguments to one JSON object where the meaning is clear."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from engine.llm.reading.formats import UNREAD, Made, Reader, tagged, xml_functions

_NOTHING = frozenset({"", "null", "none", "undefined", '""', "''", "[]", "nil"})
_FENCE = re.compile(r"\A```\w*\s*(.*?)\s*(?:```)?\s*\Z", re.S)
_WRAPPERS = ("arguments", "parameters", "input", "args", "params", "kwargs", "tool_input", "properties")
_RARE_WRAPPERS = ("json", "body", "raw", "raw_arguments", "function", "")
"""These are read only around arguments that the tool has."""

_BESIDE_WRAPPER = frozenset(
    {"name", "tool", "tool_name", "function", "type", "id", "recipient_name", "title", "description"}
)
_COMMANDS = frozenset({"command", "argv", "cmd"})
_BARE_KEY = re.compile(r"(\A\{\s*|,\s*)([A-Za-z_]\w{0,40})\s*:(?=\s*[\"\[{\dtfn-])")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?\Z")
_MOST_LITERAL = 200_000
_decoder = json.JSONDecoder(strict=False)


def repaired_arguments(text: str, schema: Mapping[str, Any], name: str = "") -> str:
    """Return `text` as the JSON object it means for `schema` of the tool `name`; unchanged if that is not
    clear, above all for cut JSON."""
    value = _value(text)
    if not isinstance(value, dict):
        value = _in_other_form(text)
    if not isinstance(value, dict):
        return text
    fitted = _fitted(_with_known_names(_bared(value, schema, name), schema), schema)
    if fitted == value and _is_plain(text):
        return text
    return json.dumps(fitted, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    """Return True if the text is one JSON object already, as strict parsers accept it."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _bared(value: dict[str, Any], schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the arguments without what a model put around them."""
    if name and value.keys() == {name} and name not in schema.get("properties", {}):
        value = value[name] if isinstance(value[name], dict) else value
    return _unwrapped(_unwrapped(value, schema), schema)


def _in_other_form(text: str) -> Any:
    """Return arguments in the tags that their server's parser left: GLM's and Qwen's, each whole."""
    bare = text.strip()
    made: Made = []
    if bare.startswith("<arg_key>"):
        made = _read(tagged, f"x\n{bare}")
    elif bare.startswith("<parameter"):
        made = _read(xml_functions, f"<function=x>{bare}</function>")
    value = made[0][1] if len(made) == 1 else None
    ends = bare.count("</arg_value>") or bare.count("</parameter>")
    return value if isinstance(value, dict) and value and len(value) == ends else None


def _read(reader: Reader, text: str) -> Made:
    try:
        return reader(text)
    except UNREAD:
        return []


def _with_known_names(value: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments whose names have quotes, colons, blanks or capitals that the schema's lack."""
    known = schema.get("properties", {})
    plain = {name.strip("\"'`: \n").lower(): name for name in value if name not in known}
    meant = {plain[name]: name for name in known if name in plain and name not in value}
    return {meant.get(name, name): one for name, one in value.items()}


def _value(text: str) -> Any:
    bare = text.strip().lstrip("\ufeff")
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
    if value in ({}, "") and text[end:].lstrip().startswith("{"):
        return _decoded(text[end:].lstrip())
    return value


def _is_mark(before: str) -> bool:
    """Return True if only chat-template marks stand before the arguments."""
    return not re.sub(r"<\|?[^<>]*\|?>|json|commentary|null|[\s:=]", "", before, flags=re.I)


def _literal(text: str, last: str = "}") -> Any:
    """Parse a dictionary in Python or JavaScript syntax: single quotes, True, a trailing comma."""
    if len(text) > _MOST_LITERAL:
        return None
    end = text.rfind(last)
    try:
        return ast.literal_eval(text[: end + 1])
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        pass
    plain = re.sub(r",(\s*[}\]])", r"\1", text)
    for written in (plain, _BARE_KEY.sub(r'\1"\2":', plain)):
        try:
            return _decoder.raw_decode(written)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _unwrapped(value: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments inside `{"name": …, "arguments": {…}}` and similar."""
    known = schema.get("properties", {})
    for name in (*_WRAPPERS, *_RARE_WRAPPERS):
        inner = value.get(name)
        if name in known or inner is None or not set(value) - {name} <= _BESIDE_WRAPPER:
            continue
        if set(value) & set(known) and name != "arguments":
            continue
        inner = _value(inner) if isinstance(inner, str) else inner
        usual = name in _WRAPPERS
        if isinstance(inner, dict) and (usual or {*_WRAPPERS, *known} & inner.keys()):
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
        elif name not in required and _says_nothing(one, inner):
            continue
        elif one is not None or name in required:
            made[name] = _as(_words(one) if name in _COMMANDS else one, inner)
    return made


def _says_nothing(value: Any, schema: Mapping[str, Any]) -> bool:
    """Return whether an optional value other than a text is said to be none, in words."""
    return (
        isinstance(value, str)
        and schema.get("type") in ("integer", "number", "boolean", "array", "object")
        and value.strip().lower() in _NOTHING
        and value.strip() not in ("[]", "{}")
    )


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
        read = _literal(value.strip(), "]") if read is None and value.strip()[:1] == "[" else read
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
