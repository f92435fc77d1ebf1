"""What endpoints say about waiting, in all the ways they say it."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import (
    ModelBadAnswer,
    ModelError,
    ModelKeyRejected,
    ModelMisconfigured,
    ModelRefused,
    ModelTooLong,
    ModelUnavailable,
)
from engine.llm.faults import RateLimited, fault_in_body, fault_of, read_error_reply
from engine.llm.storable import storable, storable_json
from engine.llm.waits import LONGEST_WAIT_S, requested_wait_s
from engine.llm.words import error_text

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": email.utils.formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": email.utils.formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-4"}, None),
        ({"retry-after": "99999999"}, LONGEST_WAIT_S),
        ({"x-ratelimit-reset-requests": "20ms", "x-ratelimit-reset-tokens": "6m0s"}, 0.02),
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "0",
            },
            360.0,
        ),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset-tokens": "..s"}, None),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "1m30s"}, 90.0),
        ({"anthropic-ratelimit-tokens-reset": "2023-11-14T22:14:20Z"}, 60.0),
        ({"x-ratelimit-reset": str(int(NOW * 1000) + 4000)}, 4.0),
        ({"ratelimit": "limit=100, remaining=0, reset=12"}, 12.0),
    ],
)
def test_wait_is_read_from_every_header(headers: dict[str, str], seconds: float | None) -> None:
    """Retry-After in seconds or as a date, its millisecond form, and OpenAI's resets are understood."""
    assert requested_wait_s(headers, NOW) == seconds


@given(
    st.dictionaries(
        st.sampled_from(
            ["retry-after", "retry-after-ms", "x-ratelimit-reset-tokens", "x-ratelimit-reset-requests"]
        ),
        st.text(),
    ),
    st.integers(400, 599),
    st.text(),
)
def test_any_headers_and_words_make_an_error(headers: dict[str, str], status: int, words: str) -> None:
    """No header or message whatever makes the mapping itself fail."""
    error = fault_of(read_error_reply(status, words, headers, NOW))
    assert isinstance(error, ModelError)
    str(error).encode()


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_error_bodies_of_any_shape_are_read(body: object) -> None:
    """Whatever JSON an error body is, its message is text."""
    assert isinstance(error_text(body), str)


@given(st.text(st.characters(exclude_categories=())))
def test_storable_text_can_be_stored(text: str) -> None:
    """Any string of a model encodes afterwards, holds no NUL, and good text is left alone."""
    made = storable(text)
    made.encode()
    assert "\0" not in made
    assert storable(made) == made


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_good_text_is_left_alone(text: str) -> None:
    """Nothing is changed that needs no change."""
    assert storable(text) == text


def test_escaped_surrogates_in_keys_are_repaired() -> None:
    """Keys of objects are strings too."""
    assert storable_json('{"\\ud800": [1, {"a": "\\udfff"}]}') == '{"\ufffd": [1, {"a": "\ufffd"}]}'


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"error": {"message": "Rate limit reached. Please try again in 20.5s. Visit us."}}, 20.5),
        ({"error": {"message": "Please try again in 6m0s."}}, 360.0),
        ({"error": {"message": "Please try again in 350ms."}}, 0.35),
        ({"error": {"message": "Please retry after 26 seconds."}}, 26.0),
        ({"error": {"message": "wait 1 minute and 5 seconds"}}, 65.0),
        ([{"error": {"message": "Quota", "details": [{"retryDelay": "39s"}]}}], 39.0),
        ({"error": {"metadata": {"headers": {"X-RateLimit-Reset": str(int(NOW * 1000) + 7000)}}}}, 7.0),
        ({"detail": "slow down", "retry_after": 3}, 3.0),
        ({"error": {"message": "Limit 30000, Used 29937, Requested 3850."}}, None),
    ],
)
def test_wait_is_read_from_bodies(body: object, seconds: float | None) -> None:
    """In sentences, in Google's details, in OpenRouter's copied headers, in fields of proxies."""
    assert read_error_reply(429, body, {}, NOW).wait_s == (
        None if seconds is None else pytest.approx(seconds)
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([{"error": {"code": 400, "message": "API key not valid."}}], "API key not valid."),
        ({"detail": "Not allowed here"}, "Not allowed here"),
        ({"detail": [{"msg": "Input should be a string", "loc": ["body", 1]}]}, "Input should be a string"),
        ({"message": {"detail": [{"type": "extra_forbidden"}]}}, "extra_forbidden"),
        (
            {
                "error": {
                    "message": "Provider returned error",
                    "metadata": {"raw": '{"message":"must be a-z"}'},
                }
            },
            "must be a-z",
        ),
        ({"error": "plain words"}, "plain words"),
        ({"errors": [{"message": "in a list"}]}, "in a list"),
        ("<html><head><title>502 Bad Gateway</title></head><body>x</body></html>", "502 Bad Gateway"),
    ],
)
def test_the_reason_is_found_wherever_it_stands(body: object, words: str) -> None:
    """List bodies, `detail`, `metadata.raw`, JSON in JSON; of a web page only the title."""
    said = read_error_reply(400, body, {}, NOW)
    assert words in said.words
    assert "<" not in said.words


KEY, ACCOUNT, SETTING, LONG, THIS, ANSWER, LATER, RATE = (
    ModelKeyRejected,
    ModelKeyRejected,
    ModelMisconfigured,
    ModelTooLong,
    ModelRefused,
    ModelBadAnswer,
    ModelUnavailable,
    RateLimited,
)


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (401, "Incorrect API key provided", KEY),
        (400, "API key not valid. Please pass a valid API key.", KEY),
        (400, "Incorrect API key provided: xa***", KEY),
        (403, "Your API key was reported as leaked.", KEY),
        (400, "Your credit balance is too low to access the Anthropic API.", ACCOUNT),
        (429, "Your team has used all available credits", ACCOUNT),
        (429, "You exceeded your current quota, please check your plan. insufficient_quota", ACCOUNT),
        (402, "Insufficient Balance", ACCOUNT),
        (429, "You exceeded your current quota. Please retry in 39.5s.", RATE),
        (404, "The model `gpt-6-typo` does not exist or you do not have access to it.", SETTING),
        (400, "model 'llama9' not found, try pulling it first", SETTING),
        (400, "registry.ollama.ai/library/gemma3 does not support tools", SETTING),
        (404, "No endpoints found that support tool use.", SETTING),
        (
            400,
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
            SETTING,
        ),
        (500, "tools param requires --jinja flag", SETTING),
        (
            404,
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint.",
            SETTING,
        ),
        (404, "404 page not found", SETTING),
        (404, {"detail": "Not Found"}, SETTING),
        (405, "Method Not Allowed", SETTING),
        (400, "This model's maximum context length is 12000 tokens.", LONG),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", LONG),
        (413, "<html><title>413 Request Entity Too Large</title></html>", LONG),
        (400, "the request exceeds the available context size. try increasing the context size", LONG),
        (429, "Request too large for gpt-4o on tokens per min (TPM): Limit 12000, Requested 15000.", LONG),
        (
            413,
            "Request too large for model on tokens per minute (TPM), please reduce your message size",
            LONG,
        ),
        (403, 'Your input was flagged for "violence".', THIS),
        (
            400,
            "The response was filtered due to the prompt triggering Azure's content management policy.",
            THIS,
        ),
        (400, "Content Exists Risk", THIS),
        (400, "tool call validation failed: parameters for tool x did not match schema", ANSWER),
        (400, "Failed to call a function. See 'failed_generation' for more details.", ANSWER),
        (500, "Failed to parse tool call arguments as JSON", ANSWER),
        (529, "Overloaded", LATER),
        (503, "Loading model", LATER),
        (502, "<html><title>502 Bad Gateway</title></html>", LATER),
        (403, "API rate limit exceeded for user", RATE),
        (400, "something nobody has seen", THIS),
    ],
)
def test_refusals_are_sorted_by_words_then_status(status: int, words: object, kind: type[ModelError]) -> None:
    """The same status means very different things; what is said decides."""
    body = words if not isinstance(words, str) or words.startswith("<") else {"error": {"message": words}}
    error = fault_of(read_error_reply(status, body, {}, NOW))
    assert type(error) is kind
    assert "<" not in str(error)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": "Unexpected endpoint or method. (POST /chat/completions)"}, SETTING),
        ({"error": {"message": "Your credit balance is too low"}}, ACCOUNT),
        ({"error": {"message": "Incorrect API key provided", "code": "401"}}, KEY),
        ({"error": {"message": "rate limit reached", "code": "rate_limit"}}, RATE),
        ({"error": {"message": "Your input was flagged by moderation"}}, THIS),
        ({"error": {"message": "Provider returned error"}}, LATER),
        ({"choices": []}, None),
    ],
)
def test_errors_inside_a_200_are_sorted_too(body: dict[str, object], kind: type[ModelError] | None) -> None:
    """By their code where one is given, else by their words alone."""
    error = fault_in_body(body, NOW)
    assert (error if kind is None else type(error)) is kind
