"""What endpoints say about waiting, in all the ways they say it."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ModelError
from engine.llm.faults import LONGEST_WAIT_S, fault_of_status, retry_after_s, told_by
from engine.llm.storable import storable, storable_json

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
    ],
)
def test_wait_is_read_from_every_header(headers: dict[str, str], seconds: float | None) -> None:
    """Retry-After in seconds or as a date, its millisecond form, and OpenAI's resets are understood."""
    assert retry_after_s(headers, NOW) == seconds


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
def test_any_headers_and_words_make_an_error(headers: dict[str, str], status: int, told: str) -> None:
    """No header or message whatever makes the mapping itself fail."""
    error = fault_of_status(status, told, headers, NOW)
    assert isinstance(error, ModelError)
    str(error).encode()


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_error_bodies_of_any_shape_are_read(body: object) -> None:
    """Whatever JSON an error body is, its message is text."""
    assert isinstance(told_by(body), str)


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


def test_escaped_surrogates_in_keys_are_mended() -> None:
    """Keys of objects are strings too."""
    assert storable_json('{"\\ud800": [1, {"a": "\\udfff"}]}') == '{"\ufffd": [1, {"a": "\ufffd"}]}'
