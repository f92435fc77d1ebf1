"""Maps what can go wrong at an endpoint to the engine's errors, pure."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from typing import Any

from engine.errors import ModelError, ModelKeyRejected, ModelRefused, ModelUnavailable
from engine.llm.storable import storable
from engine.secrets import redact

LONGEST_WAIT_S = 86_400.0

_NO_CREDIT = ("insufficient_quota", "billing_not_active", "insufficient_balance", "insufficient balance")
_RETRYABLE = frozenset({408, 409, 423, 425})
_SPAN = re.compile(r"([\d.]+)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class RateLimited(ModelUnavailable):
    """429: the endpoint works, but wants fewer calls for a while."""


class UnusableAnswer(ModelUnavailable):
    """The endpoint said 200, but its body is no answer; other requests may fare better."""


def fault_of_status(status: int, told: str, headers: Mapping[str, str], now: float) -> ModelError:
    """The error for an HTTP status; `told` is the endpoint's own message, `now` unix time.

    402 and "no credit" 429s need a person just as a rejected key does, so they are ModelKeyRejected.
    """
    quoted = f' It says: "{brief(told)}".' if told else ""
    if status in (401, 403):
        return ModelKeyRejected(f"The model endpoint rejected the API key ({status}).{quoted} Check the key.")
    if status == 402 or (status == 429 and any(mark in told.lower() for mark in _NO_CREDIT)):
        return ModelKeyRejected(
            f"The model account has no credit ({status}).{quoted} Top it up or change the key."
        )
    wait = retry_after_s(headers, now)
    if status == 429:
        return RateLimited(f"The model endpoint limits its rate (429).{quoted} It can be tried again.", wait)
    if status in _RETRYABLE or status >= 500:
        return ModelUnavailable(f"The model endpoint failed ({status}).{quoted} It can be tried again.", wait)
    return ModelRefused(f"The model endpoint refused the request ({status}).{quoted} Change the request.")


def fault_in_body(body: Mapping[str, Any]) -> ModelError | None:
    """The error some endpoints send inside a 200 as `{"error": {...}}`, or None."""
    error = body.get("error")
    if not error or body.get("choices"):
        return None
    status = error.get("code") if isinstance(error, dict) else None
    known = status if isinstance(status, int) and 400 <= status < 600 else 500
    return fault_of_status(known, told_by(body), {}, 0.0)


def told_by(body: Any) -> str:
    """The human-readable part of an error body of any shape."""
    inner = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(inner, dict):
        parts = [inner.get("message"), inner.get("code"), inner.get("type")]
        return " ".join(part for part in parts if isinstance(part, str))
    return inner if isinstance(inner, str) else ""


def brief(text: str, limit: int = 300) -> str:
    """One storable line of at most `limit` characters, without secrets: endpoints repeat the key they got."""
    line = " ".join(redact(storable(text[: limit * 16])).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the endpoint asks to wait: `retry-after-ms`, `retry-after` (seconds or date), or
    `x-ratelimit-reset-requests/-tokens` of the budget that ran out. None when it does not say.

    At most a day; names are lower case. Formats: RFC 9110 §10.2.3 and OpenAI's rate-limit guide.
    """
    told = _milliseconds(headers.get("retry-after-ms")) or _after(headers.get("retry-after"), now)
    if told is None:
        told = _reset(headers)
    return None if told is None else min(max(told, 0.0), LONGEST_WAIT_S)


def _milliseconds(value: str | None) -> float | None:
    number = _number(value)
    return None if number is None else number / 1000


def _after(value: str | None, now: float) -> float | None:
    number = _number(value)
    if number is not None or not value:
        return number
    try:
        return email.utils.parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None


def _reset(headers: Mapping[str, str]) -> float | None:
    spans = {kind: _span(headers.get(f"x-ratelimit-reset-{kind}")) for kind in ("requests", "tokens")}
    known = {kind: span for kind, span in spans.items() if span is not None}
    if not known:
        return None
    empty = [span for kind, span in known.items() if headers.get(f"x-ratelimit-remaining-{kind}") == "0"]
    return max(empty) if empty else min(known.values())


def _span(value: str | None) -> float | None:
    """`6m0s`, `20ms`, `1h2m`, or plain seconds."""
    number = _number(value)
    if number is not None or not value:
        return number
    parts = _SPAN.findall(value)
    try:
        return sum(float(amount) * _SECONDS[unit] for amount, unit in parts) if parts else None
    except ValueError:
        return None
