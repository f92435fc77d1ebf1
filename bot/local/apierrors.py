"""Discord's refusals: HTTP status, JSON error code, and where in the request the fault lies.

Codes from the documentation's table of JSON error codes; SimCord's own catalogue is used for
those it has.
"""

from __future__ import annotations

from typing import Any

from simcord.backend.errors import BackendError


def form_error(path: str, code: str, message: str) -> BackendError:
    """Return 50035 with the tree of ``errors``; ``path`` is dotted, e.g. ``embeds.0.title``."""
    leaf: dict[str, Any] = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(path.split(".") if path else []):
        leaf = {part: leaf}
    return BackendError(400, 50035, "Invalid Form Body", errors=leaf)


def too_long(path: str, most: int, least: int = 0) -> BackendError:
    """Return the error for a text outside its length limits."""
    if least:
        return form_error(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")
    return form_error(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")


def required(path: str) -> BackendError:
    """Return the error for a missing field."""
    return form_error(path, "BASE_TYPE_REQUIRED", "This field is required")


def check_types(body: object) -> None:
    """Raise if a field that is a text, number or switch everywhere has another type and is not null."""
    if not isinstance(body, dict):
        return
    for names, kind, code, said in _TYPES:
        for name in names:
            value = body.get(name)
            if value is not None and (
                not isinstance(value, kind) or (kind is int and isinstance(value, bool))
            ):
                raise form_error(name, code, f'Could not interpret "{value}" as {said}.')


_TYPES: tuple[tuple[tuple[str, ...], type, str, str], ...] = (
    (("name", "topic", "username", "avatar_url", "content"), str, "STRING_TYPE_CONVERT", "string"),
    (
        ("rate_limit_per_user", "position", "auto_archive_duration", "bitrate", "user_limit", "flags"),
        int,
        "NUMBER_TYPE_COERCE",
        "int",
    ),
    (("archived", "locked", "invitable", "tts", "enforce_nonce"), bool, "BOOLEAN_TYPE_CONVERT", "boolean"),
)


def choice(path: str, allowed: str) -> BackendError:
    """Return the error for a value that is not one of the allowed ones."""
    return form_error(path, "BASE_TYPE_CHOICES", f"Value must be one of {{{allowed}}}.")


def at_most(code: int, what: str, limit: int, status: int = 400) -> BackendError:
    """Return the error for an exhausted count: 'Maximum number of <what> reached (<limit>)'."""
    return BackendError(status, code, f"Maximum number of {what} reached ({limit})")


EMPTY_MESSAGE = (400, 50006, "Cannot send an empty message")
TOO_LARGE = (413, 40005, "Request entity too large")
ARCHIVED = (400, 50083, "Thread is archived")
THREAD_EXISTS = (400, 160004, "A thread has already been created for this message")
NO_HISTORY = (403, 160002, "You cannot reply without permission to read message history")
MISSING_PERMISSIONS = (403, 50013, "Missing Permissions")
UNKNOWN_WEBHOOK = (404, 10015, "Unknown Webhook")
INVALID_TOKEN = (401, 50027, "Invalid Webhook Token")
UNKNOWN_MESSAGE = (404, 10008, "Unknown Message")
UNKNOWN_CHANNEL = (404, 10003, "Unknown Channel")
NOT_THIS_TYPE = (400, 50024, "Cannot execute action on this channel type")
UNKNOWN_TAG = (404, 10087, "Unknown Tag")
TAG_REQUIRED = (400, 40067, "A tag is required to create a forum post in this channel")
IN_A_FORUM = (400, 40058, "Cannot send a message in a forum channel")
HOOK_NEEDS_POST = (400, 220001, "Webhooks posted to forum channels must have a thread_name or thread_id")
HOOK_TWO_POSTS = (
    400,
    220002,
    "Webhooks posted to forum channels cannot have both a thread_name and thread_id",
)
HOOK_NO_FORUM = (400, 220003, "Webhooks can only create threads in forum channels")
NO_TEXT_CHANNEL = (400, 50008, "Cannot send messages in a non-text channel")
SYSTEM_MESSAGE = (403, 50021, "Cannot execute action on a system message")
OLD_EDITS = (
    429,
    30046,
    "Maximum number of edits to messages older than 1 hour reached. Try again later.",
)


def refuse(known: tuple[int, int, str]) -> BackendError:
    """Return one of the errors above."""
    return BackendError(*known)
