"""Bodies of the native APIs as they came: completed for their libraries, and read where those fail; pure."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from engine.errors import ModelError
from engine.llm.faults import fault_in_body
from engine.llm.providers.answers import is_page, unusable
from engine.llm.providers.usage import parse_usage
from engine.llm.words import page_title
from engine.ports import Usage


def with_usage(raw: bytes) -> bytes:
    """Return Anthropic's answer with a usage of nothing where a proxy left it out: the library reads no
    answer without one, and what was not counted is estimated later."""
    body = _object(raw)
    if body is None or body.get("type") != "message" or isinstance(body.get("usage"), dict):
        return raw
    return json.dumps({**body, "usage": {"input_tokens": 0, "output_tokens": 0}}).encode()


def usage_of(raw: bytes) -> Usage:
    """Return what a body says was used, in any of the native forms; nothing where it says nothing."""
    body = _object(raw) or {}
    counted = body.get("usageMetadata")
    return _googles(counted) if isinstance(counted, dict) else parse_usage(body.get("usage"))


def fault_in_raw(raw: bytes) -> ModelError | None:
    """Return the error that stands in a 200 in place of an answer; None where there is none in it."""
    if not raw.strip():
        return None
    if is_page(raw):
        title = page_title(raw.decode("utf-8", "replace"))
        return _free(unusable(f'was a web page ("{title}"), not JSON'))
    body = _object(raw)
    if body is None:
        return unusable("was not JSON")
    return fault_in_body(body, time.time())


def _free(error: ModelError) -> ModelError:
    error.free = True
    return error


def _object(raw: bytes) -> Mapping[str, Any] | None:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if isinstance(body, list) and body:  # Google's proxies wrap it
        body = body[0]
    return body if isinstance(body, dict) else None


def _googles(counted: Mapping[str, Any]) -> Usage:
    def count(name: str) -> int:
        value = counted.get(name)
        return value if isinstance(value, int) and 0 < value < 10**12 else 0

    prompt = count("promptTokenCount") + count("toolUsePromptTokenCount")
    written = count("candidatesTokenCount") + count("thoughtsTokenCount")
    return Usage(prompt, count("cachedContentTokenCount"), max(written, count("totalTokenCount") - prompt))
