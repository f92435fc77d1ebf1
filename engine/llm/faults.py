"""Sorting of endpoint errors into the engine's errors: by their text first, then by their status.

Providers use the same status for very different things (400 for a prompt that is too long, an empty account,
a wrong key, a call that the model wrote badly), so the text of the error decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import (
    ModelBadAnswer,
    ModelError,
    ModelKeyRejected,
    ModelMisconfigured,
    ModelRefused,
    ModelTooLong,
    ModelUnavailable,
)
from engine.llm import phrases
from engine.llm.waits import requested_wait_s
from engine.llm.words import brief, decoded, error_text, page_title

_RETRYABLE = frozenset({408, 409, 421, 423, 424, 425, 498, 499})
_STATUS_FIELDS = ("code", "status", "status_code", "statusCode", "http_status", "httpStatus", "http_code")
_ERROR_FIELDS = ("message", "msg", "detail", "details", "errors", "base_resp", "error_msg", "error_message")


class RateLimited(ModelUnavailable):
    """Raised for 429: the endpoint works, but wants fewer calls for a while."""


class UnusableAnswer(ModelUnavailable):
    """Raised for a 200 whose body is not an answer; other requests may succeed."""


class TooSlow(ModelUnavailable):
    """Raised when no answer came within MODEL_TIMEOUT_S; each such call may be charged."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An endpoint's error response: everything a rule may look at."""

    status: int
    words: str
    wait_s: float | None = None
    body: Any = None
    page: bool = False

    @property
    def quoted(self) -> str:
        """Return the response's text for people as the end of a sentence; "" if it has none."""
        return f' It says: "{brief(self.words)}".' if self.words else ""

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Return True if the response's text matches `pattern`."""
        return pattern.search(self.words) is not None


def read_error_reply(status: int, raw: Any, headers: Mapping[str, str], now: float) -> ErrorReply:
    """Return the error response read from a body (bytes, text or JSON) and headers with lower-case names."""
    body = decoded(raw)
    words = error_text(body)
    page = isinstance(body, str) and page_title(body) is not None
    return ErrorReply(status, words, requested_wait_s(headers, now, body, words), body, page)


def fault_of(reply: ErrorReply) -> ModelError:
    """Return the error for a response: of the first rule that matches, else by its status. It costs nothing:
    providers charge for answers."""
    error = next((make(reply) for fits, make in _RULES if fits(reply)), None) or _by_status(reply)
    error.free = True
    return error


def fault_in_body(body: Mapping[str, Any], now: float) -> ModelError | None:
    """Return the error that some endpoints send inside a 200 as `{"error": …}`, with or without choices; None
    for none."""
    error = body.get("error")
    if not error:
        return None
    status = (_status_in(error) if isinstance(error, Mapping) else None) or _status_in(body)
    content = dict(body) | {"choices": None, "model": None}
    if status is not None:
        return fault_of(read_error_reply(status, content, {}, now))
    return _fault_without_status(read_error_reply(404, content, {}, now))


def fault_without_answer(body: Mapping[str, Any], now: float) -> ModelError | None:
    """Return the error that a 200 without choices says in fields of its own; None where it says nothing."""
    if not any(body.get(name) for name in _ERROR_FIELDS):
        return None
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], Mapping) else {}
    status = _status_in(body) or _status_in(first)
    if status is not None:
        return fault_of(read_error_reply(status, dict(body), {}, now))
    return _fault_without_status(read_error_reply(404, dict(body), {}, now))


def _status_in(node: Mapping[str, Any]) -> int | None:
    """Return the status that a body names for its error, as a number or in digits; None for other codes."""
    for name in _STATUS_FIELDS:
        code = node.get(name)
        if isinstance(code, str) and code.isascii() and code.isdigit():
            code = int(code[:9])
        if isinstance(code, int) and 400 <= code < 600:
            return code
    return None


def _fault_without_status(reply: ErrorReply) -> ModelError:
    """Return the error that the words alone mean; without any known ones the endpoint failed."""
    if not reply.says(phrases.UNKNOWN_ENDPOINT):
        reply = replace(reply, status=400)
    error = fault_of(reply)
    unknown = type(error) is ModelRefused and not error.tell
    return fault_of(replace(reply, status=500)) if unknown else error


# ---------------------------------------------------------------- rules


def _credit(reply: ErrorReply) -> ModelError:
    return ModelKeyRejected(
        f"The model account has no credit ({reply.status}).{reply.quoted} "
        "Top it up, or change OPENAI_API_KEY."
    )


def _key(reply: ErrorReply) -> ModelError:
    return ModelKeyRejected(
        f"The model endpoint rejected the API key ({reply.status}).{reply.quoted} "
        "Check the key in OPENAI_API_KEY."
    )


def _moderated(reply: ErrorReply) -> ModelError:
    return ModelRefused(
        f"The endpoint's content filter refused the request ({reply.status}).{reply.quoted} "
        "Ask the agent in other words.",
        tell="The endpoint's content filter refused your last request. Say what you need in other words, "
        "without quoting what may have set it off.",
    )


def _too_long(reply: ErrorReply) -> ModelError:
    return ModelTooLong(
        f"The prompt is too long for the model endpoint ({reply.status}).{reply.quoted} "
        "If this continues, set MODEL_CONTEXT_TOKENS to what the model takes."
    )


def _bad_answer(reply: ErrorReply) -> ModelError:
    return ModelBadAnswer(
        f"Your last answer was refused by the endpoint: {brief(reply.words, 900)} "
        "Call one of your tools with exactly the arguments its schema names."
    )


def _flag(reply: ErrorReply) -> ModelError:
    return ModelMisconfigured(
        f"The model server does not read tool calls ({reply.status}).{reply.quoted} "
        "Start it with these flags."
    )


def _no_tools(reply: ErrorReply) -> ModelError:
    return ModelMisconfigured(
        f"The model does not support tools ({reply.status}).{reply.quoted} Set MODEL to one that does."
    )


def _too_many_tools(reply: ErrorReply) -> ModelError:
    return ModelMisconfigured(
        f"The model takes fewer tools than it is offered ({reply.status}).{reply.quoted} "
        "Name fewer servers in mcp.json (MCP_CONFIG), or set MODEL to another."
    )


def _no_memory(reply: ErrorReply) -> ModelError:
    return ModelMisconfigured(
        f"The model server has too little memory for the model ({reply.status}).{reply.quoted} "
        "Set MODEL to a smaller one, or give it less context."
    )


def _template(reply: ErrorReply) -> ModelError:
    return ModelMisconfigured(
        f"The model server's chat template does not take tools ({reply.status}).{reply.quoted} "
        "Start it with a template that is made for tools, or set MODEL to another."
    )


def _other_api(reply: ErrorReply) -> ModelError:
    return ModelMisconfigured(
        f"The model is not available in Chat Completions ({reply.status}).{reply.quoted} "
        "Set MODEL=openai-responses:NAME, or another model."
    )


def _no_model(reply: ErrorReply) -> ModelError:
    return ModelMisconfigured(
        f"The endpoint does not offer the model ({reply.status}).{reply.quoted} "
        "Set MODEL (or the role's, such as MODEL_BOSS) to a name it offers."
    )


def _no_path(reply: ErrorReply) -> ModelError:
    return ModelMisconfigured(
        f"There is no Chat Completions API at this address ({reply.status}).{reply.quoted} "
        "Set OPENAI_BASE_URL to the address that ends before /chat/completions; most end with /v1."
    )


def _place(reply: ErrorReply) -> ModelError:
    return ModelMisconfigured(
        f"The account may not use the model ({reply.status}).{reply.quoted} "
        "Change the account, or set OPENAI_BASE_URL, OPENAI_API_KEY and MODEL to another."
    )


def _firewall(reply: ErrorReply) -> ModelError:
    return ModelMisconfigured(
        f"Something before the model endpoint turned the request away ({reply.status}).{reply.quoted} "
        "Check OPENAI_BASE_URL, and that this machine's address or proxy is let through."
    )


def _rate(reply: ErrorReply) -> ModelError:
    return RateLimited(
        f"The model endpoint limits its rate ({reply.status}).{reply.quoted} Try again later.",
        reply.wait_s,
    )


def _busy(reply: ErrorReply) -> ModelError:
    return ModelUnavailable(
        f"The model endpoint failed ({reply.status}).{reply.quoted} Try again later.", reply.wait_s
    )


def _is(pattern: re.Pattern[str], *, below: int = 600) -> Callable[[ErrorReply], bool]:
    return lambda reply: reply.status < below and reply.says(pattern)


def _path_is_missing(reply: ErrorReply) -> bool:
    return reply.status in (404, 405) and (reply.page or reply.says(phrases.NO_PATH))


def _is_turned_away(reply: ErrorReply) -> bool:
    """Return True for a firewall or proxy that answers in the endpoint's place."""
    return reply.status == 407 or (reply.status == 403 and (reply.page or reply.says(phrases.FIREWALL)))


def _is_credit(reply: ErrorReply) -> bool:
    """Return True for an empty account.

    Google words an ordinary rate limit as an exceeded quota, but says when to retry.
    """
    return reply.says(phrases.NO_CREDIT) or (reply.says(phrases.OVER_QUOTA) and reply.wait_s is None)


_RULES: tuple[tuple[Callable[[ErrorReply], bool], Callable[[ErrorReply], ModelError]], ...] = (
    (lambda reply: reply.status < 500 and _is_credit(reply), _credit),
    (lambda reply: reply.status < 500 and reply.status != 429 and reply.says(phrases.BAD_KEY), _key),
    (_is_turned_away, _firewall),
    (_is(phrases.NO_ACCESS, below=500), _no_model),
    (lambda reply: reply.status == 401, _key),
    (lambda reply: reply.status == 402, _credit),
    (_is(phrases.NO_CHANNEL), _no_model),
    (_is(phrases.TOO_LARGE_FOR_RATE, below=500), _too_long),
    (_is(phrases.THROTTLED), _rate),
    (lambda reply: reply.status == 429, _rate),
    (_is(phrases.MODERATED, below=500), _moderated),
    (_is(phrases.PARSER_FLAG), _flag),
    (_is(phrases.BAD_ANSWER), _bad_answer),
    (_is(phrases.NO_MEMORY), _no_memory),
    (_is(phrases.TOO_MANY_TOOLS, below=500), _too_many_tools),
    (_is(phrases.NO_TOOLS, below=500), _no_tools),
    (_is(phrases.OTHER_API, below=500), _other_api),
    (_is(phrases.TOO_LONG), _too_long),
    (lambda reply: reply.status == 413, _too_long),
    (_is(phrases.NO_MODEL, below=500), _no_model),
    (_path_is_missing, _no_path),
    (_is(phrases.PLACE, below=500), _place),
    (_is(phrases.TEMPLATE), _template),
    (_is(phrases.RATE, below=500), _rate),
    (_is(phrases.BUSY, below=500), _busy),
    (
        lambda reply: reply.status in (404, 405) or (reply.status == 400 and reply.says(phrases.VERSION)),
        _no_path,
    ),
)


def _by_status(reply: ErrorReply) -> ModelError:
    if reply.status == 403:
        return _key(reply)
    if 300 <= reply.status < 400:
        return ModelMisconfigured(
            f"The model endpoint redirects to another address ({reply.status}).{reply.quoted} "
            "Set OPENAI_BASE_URL to that address."
        )
    if reply.status in _RETRYABLE or reply.status >= 500:
        return _busy(reply)
    return ModelRefused(
        f"The model endpoint refused the request ({reply.status}).{reply.quoted} Change the request."
    )
