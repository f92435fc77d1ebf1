# ruff: noqa: E501 - patterns are read whole
"""The waiting time that an endpoint asks for, in whatever form it says so; pure.

Known forms: RFC 9110 `retry-after` (seconds or a date), `retry-after-ms`, OpenAI's and Groq's
`x-ratelimit-reset-*` spans, Anthropic's times of day, OpenRouter's epoch milliseconds, the IETF draft's
`ratelimit-reset`, Google's `retryDelay`, numbers named `retry_after…`, and sentences.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

LONGEST_WAIT_S = 86_400.0

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_UNITS = {
    "millisecond": "ms",
    "msec": "ms",
    "second": "s",
    "sec": "s",
    "minute": "m",
    "min": "m",
    "hour": "h",
    "hr": "h",
    "day": "d",
}
_SPAN = re.compile(
    r"(\d{1,9}(?:\.\d{1,9})?)\s*(milliseconds?|msecs?|ms|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|s|m|h|d)\b|(\d{1,9}(?:\.\d{1,9})?)(h|m)(?=\d)",
    re.I,
)
_SENTENCE = re.compile(
    r"(?:try(?:ing)?(?: your request)? again(?: later)?|retry(?:ing)?|wait(?:ing)?|available(?: again)?|resets?|back"
    r"|cool-?down|back-?off|allowed|blocked)(?: (?:in|after|for|of|at least|about|another))*[ ~(]*:? *"
    r"((?:an? (?:minute|hour|second)\b|\d+ more (?:seconds?|minutes?|hours?)|\d+(?:\.\d+)? ?(?:milliseconds?|msecs?|ms|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|s|m|h|d)(?![a-z])[, ]*(?:and )?|\d+(?:\.\d+)?[hm](?=\d))+)",
    re.I,
)
_CLOCK = re.compile(
    r"(?:try(?:ing)?|retry(?:ing)?|wait(?:ing)?|available|resets?|replenished)[^\d]{0,30}\b(\d{1,2}):(\d{2}):(\d{2})(?![\d-])",
    re.I,
)
_UNTIL = re.compile(
    r"(?:until|after|at)\s+(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?(?:Z| ?UTC| ?GMT|[+-]\d{2}:?\d{2}))",
    re.I,
)
_ZERO = re.compile(r"(?:Z| ?UTC| ?GMT)$", re.I)
_BARE = re.compile(r"(?:retry[-_ ]?after[:=]? ?|try again (?:in|after) )(\d{1,5})(?:[.,;)](?!\d)|\s*$)", re.I)
_MOMENT = re.compile(r"(?:resets?|retry|until|available)(?: at| after| on)? (1[5-9]\d{8}(?:\d{3})?)\b", re.I)
_CHINESE = re.compile(r"(\d{1,6}) ?(秒|分钟|小时|s)(?=钟?(?:后|再|之后))")
_CHINESE_UNITS = {"秒": 1.0, "s": 1.0, "分钟": 60.0, "小时": 3600.0}
_FIELDS = {
    "retry_after": 1.0,
    "retryafter": 1.0,
    "retry_after_seconds": 1.0,
    "retry_after_ms": 0.001,
    "retryafterms": 0.001,
    "retrydelay": 1.0,
    "retry-after": 1.0,
    "retry-after-ms": 0.001,
    "retry_in": 1.0,
    "retry_after_s": 1.0,
    "retryafterseconds": 1.0,
    "retry_after_sec": 1.0,
    "resets_in_seconds": 1.0,
    "resets_at": 1.0,
    "reset_at": 1.0,
    "retry_at": 1.0,
    "next_retry_at": 1.0,
    "resetsat": 1.0,
    "reset": 1.0,
    "resets_in": 1.0,
    "reset_time": 1.0,
    "reset_after": 1.0,
    "retry_after_secs": 1.0,
    "seconds_until_reset": 1.0,
    "wait_seconds": 1.0,
    "cooldown": 1.0,
    "cooldown_seconds": 1.0,
    "quotaresetdelay": 1.0,
    "estimated_time": 1.0,
}
_AFTER = ("retry-after", "x-retry-after", "x-ratelimit-retry-after", "retry_after")
_RESET = re.compile(r"x-ratelimit-reset-(?!after$)[\w-]+|(?:anthropic|x)-ratelimit-[\w-]+-reset")
"""A header that says when one of several budgets is full again."""
_RESETS = (
    "x-ratelimit-reset",
    "ratelimit-reset",
    "x-ratelimit-reset-after",
    "x-rate-limit-reset",
    "rate-limit-reset",
    "x-ratelimit-timeremaining",
)
_EPOCH = 1e9
_DEEPEST = 8


def requested_wait_s(
    headers: Mapping[str, str], now: float, body: Any = None, words: str = ""
) -> float | None:
    """Return the seconds the endpoint asks to wait, at most a day; None if it does not say.

    Header names are lower case; `now` is Unix time.
    """
    waits = [
        _in_headers(headers, now),
        *_in_body(body, now),
        _in_words(words),
        _until_in(words, now),
    ]
    known = [seconds for seconds in waits if seconds is not None]
    found = max(known) if known else _reset(headers, now)
    return None if found is None else min(max(found, 0.0), LONGEST_WAIT_S)


def _in_headers(headers: Mapping[str, str], now: float) -> float | None:
    precise = _number(headers.get("retry-after-ms") or headers.get("x-ms-retry-after-ms"))
    given = next((headers[name] for name in _AFTER if headers.get(name)), None)
    return _after(given, now) if precise is None else precise / 1000


def _after(value: str | None, now: float) -> float | None:
    """Parse seconds, a span, or a date."""
    if not value:
        return None
    number = _number(value)
    if number is None and "," in value:  # a header sent twice
        number = _number(value.split(",", maxsplit=1)[0].strip())
    if number is not None:
        return _until(number, now)
    if span := _span(value):
        return span
    return _date(value, now)


def _until(number: float, now: float) -> float:
    """Return seconds to wait: a small number is seconds, a large one a time in seconds or milliseconds."""
    if number < _EPOCH:
        return number
    return (number / 1000 if number > _EPOCH * 100 else number) - now


def _date(value: str, now: float) -> float | None:
    try:
        return datetime.fromisoformat(_ZERO.sub("+00:00", value)).timestamp() - now
    except ValueError:
        pass
    try:
        return email.utils.parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return None


def _in_body(body: Any, now: float, depth: int = 0) -> Iterator[float | None]:
    if depth > _DEEPEST:
        return
    if isinstance(body, list):
        for item in body:
            yield from _in_body(item, now, depth + 1)
    elif isinstance(body, Mapping):
        for key, value in body.items():
            scale = _FIELDS.get(str(key).lower())
            if scale is not None and isinstance(value, int | float | str):
                number = _number(str(value))
                yield _scaled(number, scale, now) if number is not None else _after(str(value), now)
            elif scale is not None and isinstance(value, Mapping):  # a duration of protobuf
                yield _number(str(value.get("seconds")))
            elif str(key).lower() == "headers" and isinstance(value, Mapping):
                yield requested_wait_s({str(k).lower(): str(v) for k, v in value.items()}, now)
            else:
                yield from _in_body(value, now, depth + 1)


def _in_words(words: str) -> float | None:
    spans = (match.group(1).replace(" more ", " ") for match in _SENTENCE.finditer(words[:4_000]))
    found = [_span(re.sub(r"^an? ", "1 ", span)) for span in spans]
    found += [
        float(match.group(1)) * _CHINESE_UNITS[match.group(2)] for match in _CHINESE.finditer(words[:4_000])
    ]
    found += [float(match.group(1)) for match in _BARE.finditer(words[:4_000])]
    return max((span for span in found if span is not None), default=None)


def _until_in(words: str, now: float) -> float | None:
    """Return the wait that a text says as a clock's span (00:01:30) or as a moment with its zone."""
    if span := _CLOCK.search(words[:4_000]):
        hours, minutes, seconds = map(int, span.groups())
        return hours * 3600.0 + minutes * 60 + seconds
    if at := _MOMENT.search(words[:4_000]):
        return _until(float(at.group(1)), now)
    moment = _UNTIL.search(words[:4_000])
    return _date(moment.group(1), now) if moment else None


def _reset(headers: Mapping[str, str], now: float) -> float | None:
    """Return the reset time of the exhausted budget; if none is marked as exhausted, the earliest."""
    known: dict[str, float] = {}
    for name, value in headers.items():
        wait = _after(value, now) if _RESET.fullmatch(name) else None
        if wait is not None:
            known[name] = wait
    if known:
        empty = [
            wait for name, wait in known.items() if headers.get(name.replace("reset", "remaining")) == "0"
        ]
        return max(empty) if empty else min(known.values())
    for name in _RESETS:
        wait = _after(headers.get(name), now)
        if wait is not None:
            return wait
    draft = re.search(r"(?:reset|\bt)=(\d+)", headers.get("ratelimit", ""))
    return float(draft.group(1)) if draft else None


def _scaled(number: float, scale: float, now: float) -> float:
    return number * scale if scale < 1 else _until(number, now)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if 0 <= number < 1e14 else None


def _span(value: str) -> float | None:
    """Parse `6m0s`, `20ms`, `1h2m` or `1 minute and 5 seconds` to seconds."""
    total, seen = 0.0, False
    for match in _SPAN.finditer(value):
        amount, unit = (
            (match.group(1), match.group(2)) if match.group(1) else (match.group(3), match.group(4))
        )
        short = unit.lower() if unit.lower() in _SECONDS else _UNITS[unit.lower().rstrip("s")]
        total += float(amount) * _SECONDS[short]
        seen = True
    return total if seen else None
