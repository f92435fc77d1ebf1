"""What may become of a message sent to Discord, as exceptions named by what the sender does next."""

from __future__ import annotations

from typing import Any

import aiohttp
import discord

from engine.secrets import redact

UNKNOWN_WEBHOOK = 10015
INVALID_WEBHOOK_TOKEN = 50027


class TooManyRequests(Exception):
    """429: certainly not accepted, again in `seconds`; scope user, shared or global."""

    def __init__(self, seconds: float, scope: str, hidden: bool) -> None:
        super().__init__(f"429 ({scope}), again in {seconds:.1f} s")
        self.seconds, self.scope, self.hidden = seconds, scope, hidden


class OutcomeUnknown(Exception):
    """A 5xx or a lost connection: the message may be there or not. Look before sending again."""


class ConnectionFailed(Exception):
    """No connection was made: certainly not accepted."""


class TargetDeleted(Exception):
    """The webhook, channel or thread does not exist any more. `what` is webhook or channel."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the {what} is gone")
        self.what = what


class PermissionMissing(Exception):
    """403: a permission is missing."""


class Rejected(Exception):
    """Discord will never take this message as it is."""


async def rate_limit_error(response: aiohttp.ClientResponse) -> TooManyRequests:
    """A 429 without Via comes from Discord's edge and concerns the whole address (so: global)."""
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
    """What an error of discord.py or aiohttp says about the message."""
    if isinstance(error, discord.RateLimited):
        return TooManyRequests(error.retry_after, "user", hidden=False)
    if not isinstance(error, discord.HTTPException):
        connected = not isinstance(error, aiohttp.ClientConnectorError)
        return OutcomeUnknown(redact(repr(error))) if connected else ConnectionFailed(redact(str(error)))
    if error.status >= 500:
        return OutcomeUnknown(redact(str(error)))
    return _refused_request(error)


def _refused_request(error: discord.HTTPException) -> Exception:
    if error.status == 429:
        return TooManyRequests(_retry_after(error), "global", hidden=False)
    if error.code in (UNKNOWN_WEBHOOK, INVALID_WEBHOOK_TOKEN) or error.status == 401:
        return TargetDeleted("webhook")
    if error.status == 404:
        return TargetDeleted("channel")
    said = redact(str(error))
    return PermissionMissing(said) if error.status == 403 else Rejected(said)


def _retry_after(error: discord.HTTPException) -> float:
    headers: Any = getattr(error.response, "headers", {})
    seconds = str(headers.get("Retry-After", ""))
    return float(seconds) if seconds.replace(".", "", 1).isdigit() else 5.0
