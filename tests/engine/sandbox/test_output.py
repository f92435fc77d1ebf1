"""What a program prints becomes harmless text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sandbox import clean
from engine.sandbox.output import Output


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07after", "after"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPq#0\x1b\\done", "done"),
        (b"10%\r20%\r\n", "10%\n20%\n"),
        (b"a\x00\x07\x08b", "ab"),
        ("a\u202eb\u2066c".encode(), "abc"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\x1b(B\x1b=\x1bMx", "x"),
        ("é · 日本 👩‍🔬\n".encode(), "é · 日本 👩‍🔬\n"),
        ("a\U000e0069\u3164\u2800\u00adb".encode(), "ab"),
        (b"\x1b]0;never ended\nnext", "\nnext"),
    ],
)
def test_escapes_and_controls_go(raw: bytes, text: str) -> None:
    """Known sequences vanish whole, text stays."""
    assert clean(raw) == text


@given(st.binary(max_size=300))
def test_nothing_that_acts_survives(raw: bytes) -> None:
    """Whatever is printed, only line feeds and tabs of all controls are left."""
    assert not {char for char in clean(raw) if unicodedata.category(char) == "Cc"} - {"\n", "\t"}


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(2, 60))
def test_the_cap_holds_both_ends(pieces: list[bytes], cap: int) -> None:
    """However it comes in pieces, no more than the cap is kept: the beginning and the end."""
    output = Output(cap)
    for piece in pieces:
        output.add(piece)
    whole, half = b"".join(pieces), max(1, cap // 2)
    text, missing = output.take(last=True)
    assert missing == (len(whole) > 2 * half)
    if not missing:
        assert text == clean(whole)
    else:
        assert text.startswith(clean(whole[:half]))
        assert text.endswith(clean(whole[-half:]))
    assert output.take(last=True) == ("", False)


@given(st.text(st.sampled_from("aé日👩\n"), max_size=30), st.data())
def test_characters_cut_in_the_middle_are_joined(text: str, data: st.DataObject) -> None:
    """Taking in pieces gives the same text as taking at once."""
    raw = text.encode()
    cut = data.draw(st.integers(0, len(raw)))
    output = Output(10_000)
    output.add(raw[:cut])
    first, _ = output.take(last=False)
    output.add(raw[cut:])
    rest, _ = output.take(last=True)
    assert first + rest == text
