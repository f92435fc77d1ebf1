"""Find the readable text in an endpoint's error, wherever it stands; pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.llm.storable import storable
from engine.secrets import redact

_DEEPEST = 8
_SAYING = (
    "message",
    "detail",
    "details",
    "msg",
    "status_msg",
    "error_msg",
    "error_message",
    "error",
    "errors",
    "error_description",
    "reason",
    "title",
    "raw",
)
_NAMING = ("code", "type", "__type", "status", "param", "field", "reasons", "error_code", "failed_generation")
_NESTED = (
    "error",
    "errors",
    "detail",
    "details",
    "metadata",
    "message",
    "innererror",
    "inner_error",
    "cause",
    "body",
    "data",
    "response",
    "base_resp",
    "content_filter_result",
)
_HTML = re.compile(r"<\s*(?:!doctype|html|head|body|title|center)\b", re.I)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>|<h1[^>]*>(.*?)</h1>", re.I | re.S)
_TAG = re.compile(r"<[^>]{0,400}>")


def decoded(raw: Any) -> Any:
    """Return the body parsed as JSON, else its text."""
    if isinstance(raw, bytes):
        raw = raw.decode("utf-8", "replace")
    if isinstance(raw, str):
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            return raw
    return raw


def error_text(body: Any) -> str:
    """Return the readable part of an error body of any shape, followed by its codes; never HTML."""
    said = list(dict.fromkeys(part for part in _sayings(body, 0) if part))
    named = [part for part in dict.fromkeys(_names(body, 0)) if part not in said]
    return " ".join((*said, *named))


def page_title(text: str) -> str | None:
    """Return the title of an HTML page ("" if it has none); None if the text is not HTML."""
    if not _HTML.search(text[:2_000]):
        return None
    found = _TITLE.search(text[:20_000])
    title = (found.group(1) or found.group(2)) if found else ""
    return " ".join(html.unescape(_TAG.sub(" ", title)).split())[:120]


def brief(text: str, limit: int = 300) -> str:
    """Return one storable line of at most `limit` characters, without secrets: endpoints echo the key they
    got."""
    line = " ".join(redact(storable(text[: limit * 16])).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _nested_in(node: Mapping[str, Any]) -> Iterator[str]:
    """Return the fields that hold more of an error: the usual ones, and what a gateway calls an error."""
    yield from _NESTED
    yield from (key for key in node if "error" in str(key).lower() and key not in _NESTED)


def _plain(text: str) -> str:
    title = page_title(text)
    return text.strip() if title is None else title


def _sayings(node: Any, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(node, str):
        inner = decoded(node) if node.lstrip().startswith(("{", "[")) else node
        if isinstance(inner, str):
            yield _plain(inner)
        else:
            yield from _sayings(inner, depth + 1)
    elif isinstance(node, list):
        for item in node[:20]:
            yield from _sayings(item, depth + 1)
    elif isinstance(node, Mapping):
        for key in _SAYING:
            if isinstance(node.get(key), str):
                yield from _sayings(node[key], depth + 1)
        for key in _nested_in(node):
            if isinstance(node.get(key), Mapping | list):
                yield from _sayings(node[key], depth + 1)


def _names(node: Any, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(node, list):
        for item in node[:20]:
            yield from _names(item, depth + 1)
    elif isinstance(node, Mapping):
        for key in _NAMING:
            value = node.get(key)
            if isinstance(value, str):
                yield value
            elif isinstance(value, list):
                yield from (item for item in value if isinstance(item, str))
        if isinstance(node.get("loc"), list):  # where pydantic found what it refuses
            yield ".".join(str(part) for part in node["loc"][:20])
        for key in _NESTED:
            value = node.get(key)
            if isinstance(value, str) and value.lstrip().startswith("{"):
                value = decoded(value)
            if isinstance(value, Mapping | list):
                yield from _names(value, depth + 1)
