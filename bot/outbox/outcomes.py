"""Outcomes of sending a message to Discord, as exceptions; each needs a different reaction."""

from __future__ import annotations

from typing import Any, Literal

import aiohttp
import discord

from engine.secrets import redact

NEEDS_2FA = 60003
UNKNOWN_MESSAGE = 10008
ARCHIVED = frozenset({50083, 160005})
"""The thread is archived, or locked."""

TOO_LARGE = 40005
_REFUSED_WORDS = frozenset({20009, 200000, 200001, 240000})
"""Explicit content, AutoMod (message, title), harmful links: refused for what is said."""

UNKNOWN_CHANNEL = 10003
UNKNOWN_WEBHOOK = 10015
INVALID_WEBHOOK_TOKEN = 50027


class TooManyRequests(Exception):
    """429: not accepted; retry in `seconds`. `scope` is user, shared or global."""

    def __init__(self, seconds: float, scope: str, hidden: bool) -> None:
        super().__init__(f"429 ({scope}), retry in {seconds:.1f} s")
        self.seconds, self.scope, self.hidden = seconds, scope, hidden


class OutcomeUnknown(Exception):
    """A 5xx or a lost connection: the message may have been accepted. Look it up before a retry."""


class ConnectionFailed(Exception):
    """The message was certainly not accepted: no connection, or trouble before it was sent."""


class TargetDeleted(Exception):
    """The webhook, channel or thread was deleted. `what` is "webhook" or "channel"."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the {what} was deleted")
        self.what = what


class PermissionMissing(Exception):
    """403: a permission is missing."""


Fault = Literal["name", "content", "size", "archived", "other"]
"""What Discord does not take: the webhook's name, the words, the size, an archived thread, or unknown."""


class Rejected(Exception):
    """Discord rejects this message; the same message will never be accepted."""

    def __init__(self, said: str, fault: Fault = "other") -> None:
        super().__init__(said)
        self.fault: Fault = fault


OUTCOMES = (TooManyRequests, OutcomeUnknown, ConnectionFailed, TargetDeleted, PermissionMissing, Rejected)
"""Every outcome but success."""


async def rate_limit_error(response: aiohttp.ClientResponse) -> TooManyRequests:
    """Return the error of a 429. Without Via it comes from Discord's edge and concerns the whole address."""
    headers = response.headers
    seconds = headers.get("Retry-After", "")
    body: Any = await response.json() if "json" in headers.get("Content-Type", "") else {}
    retry = float(body.get("retry_after") or (seconds if seconds.replace(".", "", 1).isdigit() else 0) or 5)
    if "Via" not in headers or body.get("global"):
        return TooManyRequests(retry, "global", hidden=False)
    scope = headers.get("X-RateLimit-Scope", "user")
    hidden = scope == "shared" or headers.get("X-RateLimit-Remaining", "1") != "0"
    return TooManyRequests(retry, scope, hidden)


def outcome_of(error: Exception) -> Exception:
    """Translate an error of discord.py or aiohttp into an outcome of this module."""
    if isinstance(error, discord.RateLimited):
        return TooManyRequests(error.retry_after, "user", hidden=False)
    if not isinstance(error, discord.HTTPException):
        connected = not isinstance(error, aiohttp.ClientConnectorError)
        return OutcomeUnknown(redact(repr(error))) if connected else ConnectionFailed(redact(str(error)))
    if error.status >= 500:
        return OutcomeUnknown(redact(str(error)))
    return _refused_request(error)


def not_sent(error: Exception) -> Exception:
    """What an error of a request made before the message itself says about the message."""
    outcome = outcome_of(error)
    return ConnectionFailed(str(outcome)) if isinstance(outcome, OutcomeUnknown) else outcome


def _refused_request(error: discord.HTTPException) -> Exception:
    if error.status == 429:
        return TooManyRequests(_retry_after(error), "global", hidden=False)
    if error.code in (UNKNOWN_WEBHOOK, INVALID_WEBHOOK_TOKEN):
        return TargetDeleted("webhook")
    if error.code == UNKNOWN_MESSAGE:
        return TargetDeleted("message")
    if error.status == 404:
        return TargetDeleted("channel")
    return _refused_for_what(error)


def _refused_for_what(error: discord.HTTPException) -> Exception:
    said = redact(str(error))
    if error.status == 401:  # the bot's own token: nothing of anybody's was deleted
        return ConnectionFailed(said)
    fault = _fault(error)
    if error.status == 403 and fault in ("name", "other"):  # sorted by its code first
        return PermissionMissing(said)
    return Rejected(said, fault)


def _fault(error: discord.HTTPException) -> Fault:
    """Sort a refusal by its code, and an invalid form by the field Discord names."""
    if error.status == 413 or error.code == TOO_LARGE:
        return "size"
    if error.code in ARCHIVED:
        return "archived"
    if error.code in _REFUSED_WORDS:
        return "content"
    fields = fields_of(error)
    if "username" in fields:
        return "name"
    return "content" if fields & {"content", "embeds"} else "other"


def fields_of(error: discord.HTTPException) -> frozenset[str]:
    """Return the names of the fields that Discord refuses in an invalid form (50035)."""
    errors = getattr(error, "_errors", None)
    return frozenset(errors) if isinstance(errors, dict) else frozenset()


def _retry_after(error: discord.HTTPException) -> float:
    headers: Any = getattr(error.response, "headers", {})
    seconds = str(headers.get("Retry-After", ""))
    return float(seconds) if seconds.replace(".", "", 1).isdigit() else 5.0
