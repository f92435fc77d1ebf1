"""Words, vectors and the fusion of rankings."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.recall import (
    FUSION,
    Recalled,
    fuse,
    likeness,
    match_text,
    nearest,
    pack,
    signs_of,
    words_of,
)


def line(key: str) -> Recalled:
    """A line of that key."""
    return Recalled(key, key, "here", 0.0)


def test_what_stands_in_two_rankings_comes_before_what_leads_one() -> None:
    """Reciprocal ranks add up."""
    fused = fuse([[line("a"), line("b")], [line("c"), line("b")]], 3)
    assert [found.key for found in fused] == ["b", "a", "c"]
    assert 2 / (FUSION + 2) > 1 / (FUSION + 1)


@given(st.text())
def test_any_text_gives_a_harmless_query(text: str) -> None:
    """Words hold no quote and no operator, whatever a model writes."""
    for word in words_of(text):
        assert word.replace("_", "").isalnum() or not word.isascii()
    assert match_text(words_of(text), "sqlite").count('"') == 2 * len(words_of(text))


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3).filter(lambda v: sum(x * x for x in v) > 1e-3))
def test_a_vector_is_most_like_itself(vector: list[float]) -> None:
    """Cosine of a packed vector with itself is 1, with its opposite -1, with another length 0."""
    packed = pack(vector)
    assert likeness(packed, packed) == pytest.approx(1, abs=1e-5)
    assert likeness(packed, pack([-x for x in vector])) == pytest.approx(-1, abs=1e-5)
    assert likeness(packed, pack([1.0])) == 0.0


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=70))
def test_signs_keep_one_bit_a_number(numbers: list[float]) -> None:
    """As many bits as numbers, set where a number is above 0."""
    signs = signs_of(pack(numbers))
    assert len(signs) == (len(numbers) + 7) // 8
    assert int.from_bytes(signs, "big").bit_count() == sum(x > 0 for x in array_of(pack(numbers)))


def array_of(packed: bytes) -> list[float]:
    """The numbers of a packed vector."""
    found = array("f")
    found.frombytes(packed)
    return list(found)


def test_the_nearest_by_signs_come_first_and_other_models_are_left_out() -> None:
    """Few differing bits are near; signs of another length compare with nothing."""
    others = [(1, b"\xff\x00"), (2, b"\xff\x01"), (3, b"\x00\xff"), (4, b"\xff")]
    assert nearest(b"\xff\x03", others, 2) == [2, 1]
    assert nearest(b"\xff\x03", others, 9) == [2, 1, 3]
