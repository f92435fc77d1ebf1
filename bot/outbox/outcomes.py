"""Outcomes of sending a message to Discord, as exceptions; each needs a different reaction."""

from __future__ import annotations

from typing import Any, Literal

import aiohttp
import discord

from engine.secrets import redact

NEEDS_2FA = 60003
UNKNOWN_CHANNEL = 10003
UNKNOWN_MESSAGE = 10008
ARCHIVED = frozenset({50083, 160005})
"""The thread is archived, or locked."""

_DELETED = {UNKNOWN_CHANNEL: "channel", UNKNOWN_MESSAGE: "message", 10015: "webhook", 50027: "webhook"}
"""Unknown channel, message, webhook; a webhook's token that is no longer right."""

_TOO_LARGE = frozenset({30015, 40005, 50045, 50046, 50110, 50123, 50146, 400001})
"""Too many files, a request or file that is too large, files that Discord cannot take, no files for now."""

_REFUSED_WORDS = frozenset({20009, 50006, 200000, 200001, 240000})
"""Explicit content, nothing to show, AutoMod (message, title), harmful links: refused for what is said."""

_FORBIDDEN = frozenset(
    {
        *(20001, 20012, 20018, 40002, 40007, 50001, 50005, 50007, 50009, 50013, 50021, 50095, 50178, 50600),
        *(NEEDS_2FA, 160002),
    }
)
"""What the bot may not do here, or not to this message or person."""

_REACTION_BLOCKED = 90001
"""Whoever wrote the message has blocked the bot: no permission helps."""

_BUSY = frozenset(
    {
        *(10004, 10020, 20016, 20022, 20028, 20029, 30034, 30040, 30042, 30046, 40003, 40004, 40006, 40062),
        *(40333, 110000, 110001, 130000),
    }
)
"""Limits of a moment, what Discord has switched off or not ready, a server that is not seen: the same request
is taken later."""


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


Fault = Literal["name", "content", "size", "archived", "components", "other"]
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


def heals(error: discord.HTTPException) -> bool:
    """Return whether Discord may take the same request later, whatever it holds."""
    return error.status >= 500 or error.status in (401, 429) or error.code in _BUSY


def _refused_request(error: discord.HTTPException) -> Exception:
    if error.status == 429:
        return TooManyRequests(_retry_after(error), "global", hidden=False)
    if (what := _DELETED.get(error.code)) is not None:
        return TargetDeleted(what)
    said = redact(str(error))
    if heals(error):  # 401 too: the bot's own token, nothing of anybody's was deleted
        return ConnectionFailed(said)
    if (fault := _fault(error)) not in ("name", "other"):  # sorted by its code before its status
        return Rejected(said, fault)
    if error.code in _FORBIDDEN or (error.status == 403 and error.code != _REACTION_BLOCKED):
        return PermissionMissing(said)
    return Rejected(said, fault)


def _fault(error: discord.HTTPException) -> Fault:
    """Sort a refusal by its code, and an invalid form by the field Discord names."""
    fields = fields_of(error)
    if error.status == 413 or error.code in _TOO_LARGE or fields & {"files", "attachments"}:
        return "size"
    if error.code in ARCHIVED:
        return "archived"
    if error.code in _REFUSED_WORDS or fields & {"content", "embeds"}:
        return "content"
    if "components" in fields:
        return "components"
    return "name" if "username" in fields else "other"


def fields_of(error: discord.HTTPException) -> frozenset[str]:
    """Return the names of the fields that Discord refuses in an invalid form (50035)."""
    errors = getattr(error, "_errors", None)
    return frozenset(errors) if isinstance(errors, dict) else frozenset()


def _retry_after(error: discord.HTTPException) -> float:
    headers: Any = getattr(error.response, "headers", {})
    seconds = str(headers.get("Retry-After", ""))
    return float(seconds) if seconds.replace(".", "", 1).isdigit() else 5.0
