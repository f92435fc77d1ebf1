"""Read what an answer says of its tokens and cost, under any name that endpoints give them; pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.ports import Usage

_PROMPT = (
    "prompt_tokens",
    "promptTokens",
    "promptTokenCount",
    "prompt_eval_count",
    "prompt_token_count",
    "input_token_count",
    "num_input_tokens",
    "tokens_evaluated",
)
_INPUT = ("input_tokens", "inputTokens")
"""As Anthropic and Bedrock count: without what was read from the cache or written to it."""

_COMPLETION = (
    "completion_tokens",
    "output_tokens",
    "completionTokens",
    "outputTokens",
    "candidatesTokenCount",
    "eval_count",
    "completion_token_count",
    "generated_token_count",
    "output_token_count",
    "num_output_tokens",
    "tokens_predicted",
)
_MISSED = ("prompt_cache_miss_tokens",)
_TOTAL = ("total_tokens", "totalTokens", "totalTokenCount")
_CACHED = (
    "prompt_cache_hit_tokens",
    "cached_tokens",
    "num_cached_tokens",
    "cachedInputTokens",
    "cachedContentTokenCount",
)
_READ = ("cache_read_input_tokens", "cacheReadInputTokens", "cache_read_tokens")
_WRITTEN = (
    "cache_creation_input_tokens",
    "cacheWriteInputTokens",
    "cache_write_tokens",
    "cache_creation_tokens",
)
_DETAILS = ("prompt_tokens_details", "input_tokens_details", "inputTokenDetails")
_THOUGHTS = ("completion_tokens_details", "output_tokens_details", "outputTokenDetails")
_COSTS = ("cost", "total_cost", "cost_usd", "total_cost_usd", "estimated_cost")
_COUNTED = frozenset((*_PROMPT, *_INPUT, *_COMPLETION, *_TOTAL))


def usage_of(body: Mapping[str, Any], choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what was counted, wherever it stands: in a field of the body or the choice, or in the body
    itself."""
    billed = _mapping(body.get("usage")).get("tokens")  # Cohere
    timings = _mapping(body.get("timings"))  # llama.cpp
    timed = {"prompt_tokens": _count(timings.get("prompt_n")) + _count(timings.get("cache_n")),
             "completion_tokens": _count(timings.get("predicted_n"))}  # fmt: skip
    places = (
        billed,
        body.get("usage"),
        choice.get("usage"),
        _mapping(body.get("x_groq")).get("usage"),
        _mapping(choice.get("message")).get("usage"),
        body.get("usageMetadata"),
        body.get("token_usage"),
        _mapping(body.get("metadata")).get("usage"),
        _mapping(body.get("meta")).get("tokens"),
        {name: value for name, value in body.items() if name in _COUNTED},
        body.get("results"),
        timed if any(timed.values()) else None,
    )
    for place in places:
        found = _mapping(_opened(place))
        if found:
            return found
    return {}


def _opened(place: Any) -> Any:
    """Return what is inside a list, or JSON text."""
    if isinstance(place, str):
        try:
            place = json.loads(place)
        except (ValueError, RecursionError):
            return None
    return place[0] if isinstance(place, list) and place else place


def parse_usage(usage: Any) -> Usage:
    """Return the tokens as the provider counted them, cached input in the prompt where the provider left it
    out. A total alone counts as prompt."""
    reported = _mapping(usage)
    details = [_mapping(reported.get(name)) for name in _DETAILS]
    read, written = (_first((reported, *details), names) for names in (_READ, _WRITTEN))
    cached = _first((*details, reported), _CACHED) or read
    prompt = _first((reported,), _PROMPT)
    if not prompt:
        prompt = _first((reported,), _INPUT)
        prompt += _first((reported,), _READ) + _first((reported,), _WRITTEN) if prompt else 0
    if not prompt and (missed := _first((reported,), _MISSED)):
        prompt = cached + missed
    if cached > prompt > 0:  # it is the part that was not cached
        prompt += cached
    completion, total = _first((reported,), _COMPLETION), _first((reported,), _TOTAL)
    details = [_mapping(reported.get(name)) for name in _THOUGHTS]
    thought = _first([*details, reported], ("reasoning_tokens", "thoughtsTokenCount"))
    if thought > completion:  # it is counted apart
        completion += thought
    if not prompt:
        prompt = max(total - completion, 0)
    # Some count thinking in the total only; what was thought is paid for all the same.
    return Usage(
        prompt=prompt,
        cached=cached,
        completion=max(completion, total - prompt),
        written=min(written, prompt),
    )


def reported_cost(
    usage: Any, body: Mapping[str, Any] | None = None, message: Mapping[str, Any] | None = None
) -> int | None:
    """Return what the provider says the call cost, in micro-dollars rounded up; None for nothing said."""
    reported = _mapping(usage)
    upstream = _mapping(reported.get("cost_details")).get("upstream_inference_cost")
    dollars = next((found for found in _costs(reported, body or {}, message or {}) if found > 0), 0.0)
    dollars += _dollars(upstream) if reported.get("is_byok") else 0.0
    return math.ceil(round(dollars * 1e6, 6)) if dollars > 0 else None


def _costs(usage: Mapping[str, Any], body: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[float]:
    yield _dollars(usage.get("cost_in_usd_ticks"), 1e19) / 1e10
    for name in _COSTS:
        value = usage.get(name)
        inner = _mapping(value)
        yield _dollars(inner.get("total_cost") or inner.get("total") if inner else value)
    for place in (body, message):  # Vercel's gateway
        yield _dollars(_mapping(_mapping(place.get("provider_metadata")).get("gateway")).get("cost"))
    yield _dollars(body.get("cost"))


def _first(places: Any, names: tuple[str, ...]) -> int:
    """Return the first count above zero under one of the names."""
    return next((found for place in places for name in names if (found := _count(place.get(name)))), 0)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _dollars(value: Any, most: float = 1e9) -> float:
    if isinstance(value, str):
        value = _number(value.strip().removeprefix("$").removesuffix("USD"))
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < most
    return float(value) if known else 0.0


def _count(value: Any) -> int:
    if isinstance(value, str):
        value = _number(re.sub(r"(?<=\d)[,_](?=\d{3})", "", value))
    counted = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12
    return int(value) if counted else 0


def _number(text: str) -> float:
    """Return the number a text says in ASCII digits, 0 for none."""
    bare = text.strip()
    return float(bare) if re.fullmatch(r"\d{1,15}(?:\.\d{1,20})?(?:[eE]-?\d{1,2})?", bare, re.ASCII) else 0.0
