"""Long texts in a window: cut over its inputs and put together again unchanged."""

from __future__ import annotations

import pytest

from bot.discord.windows import INPUT_TEXT, INPUTS, joined_parts, text_parts

LINES = "\n".join(f"Line {n} says what to do about part {n}." for n in range(450))


@pytest.mark.parametrize(
    "text",
    ["", "short", "x" * 4000, "x" * 4001, "x" * 20_000, LINES, LINES[:20_000], ("y" * 3999 + "\n") * 5],
    ids=["empty", "short", "one full", "two", "most", "lines", "lines at most", "full lines"],
)
def test_a_text_comes_back_unchanged(text: str) -> None:
    """Within five inputs of 4,000 characters each."""
    parts = text_parts(text)
    assert len(parts) <= INPUTS and all(len(part) <= INPUT_TEXT for _, part in parts)
    names = ["text", *(f"text{n}{mark}" for n, (mark, _) in enumerate(parts[1:], 2))]
    assert joined_parts({"text": "", **dict(zip(names, [part for _, part in parts], strict=False))}) == text
