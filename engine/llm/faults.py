"""What can go wrong at an endpoint, sorted into the engine's errors: by its words first, then by its status.

Providers use the same status for very different things (400 for a prompt that is too long, for an empty
account, for a wrong key, for a call the model wrote badly), so what they say decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from engine.llm.waits import wait_told
from engine.llm.words import brief, decoded, page_title, told_by

_RETRYABLE = frozenset({408, 409, 421, 423, 425, 499})


class RateLimited(ModelUnavailable):
    """429: the endpoint works, but wants fewer calls for a while."""


class UnusableAnswer(ModelUnavailable):
    """The endpoint said 200, but its body is no answer; other requests may fare better."""


class TooSlow(ModelUnavailable):
    """No answer within MODEL_TIMEOUT_S; each such call may have been paid for."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an endpoint said when it refused: everything a rule may look at."""

    status: int
    words: str
    wait_s: float | None = None
    body: Any = None
    page: bool = False

    @property
    def quoted(self) -> str:
        """The words for people, as the end of a sentence; nothing where it said nothing."""
        return f' It says: "{brief(self.words)}".' if self.words else ""

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether its words hold `pattern`."""
        return pattern.search(self.words) is not None


def told(status: int, raw: Any, headers: Mapping[str, str], now: float) -> Told:
    """What was said in a body (bytes, text or JSON) and headers, whose names are lower case."""
    body = decoded(raw)
    words = told_by(body)
    page = isinstance(body, str) and page_title(body) is not None
    return Told(status, words, wait_told(headers, now, body, words), body, page)


def fault_of(said: Told) -> ModelError:
    """The error for a refusal: the first rule whose words fit, else what its status means."""
    for fits, make in _RULES:
        if fits(said):
            return make(said)
    return _by_status(said)


def fault_in_body(body: Mapping[str, Any], now: float) -> ModelError | None:
    """The error some endpoints send inside a 200 as `{"error": …}`, beside choices or not, or None."""
    error = body.get("error")
    if not error:
        return None
    status = error.get("code") if isinstance(error, Mapping) else None
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    known = status if isinstance(status, int) and 400 <= status < 600 else 500
    return fault_of(told(known, dict(body) | {"choices": None, "model": None}, {}, now))


# ---------------------------------------------------------------- rules


def _credit(said: Told) -> ModelError:
    return ModelKeyRejected(
        f"The model account has no credit ({said.status}).{said.quoted} Top it up, or change OPENAI_API_KEY."
    )


def _key(said: Told) -> ModelError:
    return ModelKeyRejected(
        f"The model endpoint rejected the API key ({said.status}).{said.quoted} "
        "Check the key in OPENAI_API_KEY."
    )


def _moderated(said: Told) -> ModelError:
    return ModelRefused(
        f"The endpoint's content filter refused the request ({said.status}).{said.quoted} "
        "Word what the agent is asked differently.",
        tell="The endpoint's content filter refused your last request. Say what you need in other words, "
        "without quoting what may have set it off.",
    )


def _too_long(said: Told) -> ModelError:
    return ModelTooLong(
        f"The prompt is too long for the model endpoint ({said.status}).{said.quoted} "
        "If this goes on, set MODEL_CONTEXT_TOKENS to what the model takes."
    )


def _bad_answer(said: Told) -> ModelError:
    return ModelBadAnswer(
        f"Your last answer was refused by the endpoint: {brief(said.words, 900)} "
        "Call one of your tools with exactly the arguments its schema names."
    )


def _flag(said: Told) -> ModelError:
    return ModelMisconfigured(
        f"The model server does not read tool calls ({said.status}).{said.quoted} Start it with these flags."
    )


def _no_tools(said: Told) -> ModelError:
    return ModelMisconfigured(
        f"The model takes no tools ({said.status}).{said.quoted} Set MODEL to one that does."
    )


def _other_api(said: Told) -> ModelError:
    return ModelMisconfigured(
        f"The model is not offered in Chat Completions ({said.status}).{said.quoted} "
        "Set MODEL=openai-responses:NAME, or another model."
    )


def _no_model(said: Told) -> ModelError:
    return ModelMisconfigured(
        f"The endpoint does not offer the model ({said.status}).{said.quoted} "
        "Set MODEL (or the role's, such as MODEL_BOSS) to a name it offers."
    )


def _no_path(said: Told) -> ModelError:
    return ModelMisconfigured(
        f"There is no Chat Completions API at this address ({said.status}).{said.quoted} Set OPENAI_BASE_URL "
        "to the address that ends before /chat/completions; most end with /v1."
    )


def _place(said: Told) -> ModelError:
    return ModelMisconfigured(
        f"The account may not use the model ({said.status}).{said.quoted} "
        "Change the account, or set OPENAI_BASE_URL, OPENAI_API_KEY and MODEL to another."
    )


def _rate(said: Told) -> ModelError:
    return RateLimited(
        f"The model endpoint limits its rate ({said.status}).{said.quoted} It can be tried again.",
        said.wait_s,
    )


def _busy(said: Told) -> ModelError:
    return ModelUnavailable(
        f"The model endpoint failed ({said.status}).{said.quoted} It can be tried again.", said.wait_s
    )


def _is(pattern: re.Pattern[str], *, below: int = 600) -> Callable[[Told], bool]:
    return lambda said: said.status < below and said.says(pattern)


def _path_is_missing(said: Told) -> bool:
    return said.status in (404, 405) and (said.page or said.says(phrases.NO_PATH))


def _is_credit(said: Told) -> bool:
    """Google words an ordinary rate limit as an exceeded quota, but says when to try again."""
    return said.says(phrases.NO_CREDIT) or (said.says(phrases.OVER_QUOTA) and said.wait_s is None)


_RULES: tuple[tuple[Callable[[Told], bool], Callable[[Told], ModelError]], ...] = (
    (lambda said: said.status < 500 and _is_credit(said), _credit),
    (lambda said: said.status < 500 and said.status != 429 and said.says(phrases.BAD_KEY), _key),
    (lambda said: said.status == 401, _key),
    (lambda said: said.status == 402, _credit),
    (_is(phrases.TOO_LARGE_FOR_RATE, below=500), _too_long),
    (lambda said: said.status == 429, _rate),
    (_is(phrases.MODERATED, below=500), _moderated),
    (_is(phrases.PARSER_FLAG), _flag),
    (_is(phrases.BAD_ANSWER), _bad_answer),
    (_is(phrases.NO_TOOLS, below=500), _no_tools),
    (_is(phrases.OTHER_API, below=500), _other_api),
    (_is(phrases.TOO_LONG), _too_long),
    (lambda said: said.status == 413, _too_long),
    (_is(phrases.NO_MODEL, below=500), _no_model),
    (_path_is_missing, _no_path),
    (_is(phrases.PLACE, below=500), _place),
    (_is(phrases.RATE, below=500), _rate),
    (_is(phrases.BUSY, below=500), _busy),
    (lambda said: said.status in (404, 405) or (said.status == 400 and said.says(phrases.VERSION)), _no_path),
)


def _by_status(said: Told) -> ModelError:
    if said.status == 403:
        return _key(said)
    if 300 <= said.status < 400:
        return ModelMisconfigured(
            f"The model endpoint sends to another address ({said.status}).{said.quoted} "
            "Set OPENAI_BASE_URL to that address."
        )
    if said.status in _RETRYABLE or said.status >= 500:
        return _busy(said)
    return ModelRefused(
        f"The model endpoint refused the request ({said.status}).{said.quoted} Change the request."
    )
