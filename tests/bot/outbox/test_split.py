"""Long texts are split where readers would break them, within limits, with code fences whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.outbox.split import excerpt, open_fence, split

WORDS = st.text(st.sampled_from("abc de.fg!\n `~*é漢🙂"), max_size=400)
CODE = st.builds(
    lambda mark, language, body: f"{mark}{language}\n{body}\n{mark}",
    st.sampled_from(["```", "~~~", "````"]),
    st.sampled_from(["", "python", "c++"]),
    st.text(st.sampled_from("xyz = 1()\n    "), max_size=600),
)
TEXTS = st.lists(WORDS | CODE, max_size=6).map("\n".join)
LIMITS = st.integers(min_value=60, max_value=400)


def letters(text: str) -> str:
    """What must survive: everything but white space and lines that open or close code."""
    lines = [line for line in text.split("\n") if not line.strip().startswith(("```", "~~~"))]
    return "".join("".join(lines).split())


@given(TEXTS | st.text(max_size=3000), LIMITS)
def test_parts_fit_and_are_not_blank(text: str, limit: int) -> None:
    """No part is over the limit, none is blank."""
    parts = split(text, limit)
    assert all(0 < len(part) <= limit and part.strip() for part in parts)
    assert bool(parts) or not letters(text)


@given(TEXTS, LIMITS)
def test_no_fence_is_left_open(text: str, limit: int) -> None:
    """Every part closes the code it opens, so nothing leaks into the next message."""
    parts = split(text, limit)
    assert all(not open_fence(part) for part in parts)


@given(st.lists(WORDS.map(lambda t: t.replace("`", "").replace("~", "")) | CODE, max_size=6), LIMITS)
def test_nothing_is_lost(pieces: list[str], limit: int) -> None:
    """The words of all parts together are the words of the text."""
    text = "\n".join(pieces)
    assert letters("\n".join(split(text, limit))) == letters(text)


def test_code_is_opened_again_with_its_language() -> None:
    """A fence longer than a message goes on in the next one as the same language."""
    text = "```python\n" + "\n".join(f"print({n})" for n in range(100)) + "\n```"
    parts = split(text, 300)
    assert len(parts) > 3
    assert all(part.startswith("```python\n") and part.endswith("\n```") for part in parts)


def test_code_that_fits_stays_whole() -> None:
    """A fence that fits into a message is not cut because it began late in one."""
    code = "```\n" + "\n".join("y" * 20 for _ in range(6)) + "\n```"
    parts = split("Some words first. " * 8 + "\n" + code, 200)
    assert code in parts


def test_breaks_at_paragraphs_before_words() -> None:
    """The break a reader would choose is taken."""
    first, second = "One two three. " * 8, "Four five six. " * 8
    assert split(f"{first}\n\n{second}", 200) == [first, second.rstrip("\n")]


@given(TEXTS, LIMITS)
def test_excerpt_fits_and_closes(text: str, limit: int) -> None:
    """An excerpt is within its limit and leaves no code open when it cuts."""
    short = excerpt(text, limit)
    assert len(short) <= limit
    assert len(text.strip("\n")) <= limit or not open_fence(short.removesuffix("\n…").removesuffix(" …"))


def test_code_inside_a_list_is_closed_and_opened_again() -> None:
    """Discord takes a fence at any indentation."""
    lines = "\n".join(f"       x{n} = {n}" for n in range(60))
    parts = split(f"1. one\n   - two\n       ```py\n{lines}\n       ```\n2. three", 300)
    assert len(parts) > 3 and all(part.count("```") % 2 == 0 for part in parts)
    assert parts[-1].endswith("2. three") and "x59 = 59" in parts[-1]
