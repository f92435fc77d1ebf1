"""Checks of texts that anybody may have written end for every text, in a time that grows with it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.discord.formatting import unmarked
from bot.outbox.tables import with_tables
from engine.domain.completeness import missing_in
from engine.domain.inconclusive import lack_of
from engine.domain.mentions import mentioned
from engine.llm.local.division import divide
from engine.llm.reading.textcalls import calls_in_text
from engine.llm.reading.thinking import without_thoughts
from engine.llm.waits import requested_wait_s
from engine.store.refusals import cause_of

CHARS = 60_000
SUFFIXES = (
    ".py",
    ".js",
    ".go",
    ".rs",
    ".rb",
    ".php",
    ".c",
    ".cpp",
    ".html",
    ".css",
    ".md",
    ".yaml",
    ".csv",
    ".sh",
)
UNITS = (
    "'\\",
    '"\\',
    "`\\",
    "\\'",
    '"""',
    "'''",
    "/*",
    "//",
    "=/[",
    "*",
    "\n",
    "\t",
    "_",
    "<script>",
    "func a(",
    "~",
)
PIECES = (
    "<![x[",
    "<!--",
    "<!",
    "&#x",
    "\\UFFFFFFFF",
    '"',
    "'",
    "`",
    "{",
    "[",
    "a: ",
    "\n",
    "- ",
    "<p>",
    "&a ",
    "*a",
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_of_one_mark_are_looked_at_to_their_end(suffix: str) -> None:
    """A time that grew with the square of the length would be minutes, and hold the whole process."""
    for unit in UNITS:
        text = unit * (CHARS // len(unit) // 4) + "x"
        missing_in(f"Write a{suffix} with tests.", {f"a{suffix}": text.encode()}, [])


@pytest.mark.parametrize("unit", ["_", "-a", "\t", "|-", ":", "0", "argv(", "exceed", "`", " "])
def test_words_and_reasons_of_one_mark_are_read_to_their_end(unit: str) -> None:
    """Sources, posts, outputs and the reasons of endpoints."""
    text = unit * (CHARS // len(unit)) + "!"
    mentioned(text.encode(), "a.sh", ["b.sh"])
    with_tables(f"a|b\n{text}")
    unmarked(text[:20_000])
    lack_of(["python", "a.py"], 1, f"Traceback (most recent call last):\n{text}", {"a.py": b"import sys"})
    cause_of(text)
    requested_wait_s({}, 0.0, {"error": {"message": text}}, text)


OPEN_AGAIN = [
    ("", "<think>"),
    ("</think>", "<think>"),
    ("</thinking>", "<think>"),
    ("[/THINK]", "[THINK]"),
    ("◁/think▷", "◁think▷"),
    ("<channel|>", "<|channel>thought "),
    ("<|end_of_thought|>", "<|begin_of_thought|>"),
    ("</tool_call>", "<tool_call>"),
    ("</tool_call>", "<tool_calls><invoke"),
    ("</function_call>", "<function_call>"),
    ("</function>", "<function=a "),
    ("</invoke>", '<invoke name="a">'),
    ("<tool_call|>", "<|tool_call>"),
    ("<|tool_calls_end|>", "<|tool_calls_begin|>"),
    ("<|message|>", "to=a "),
    ("<|message|>", " "),
    ("]", "functools ["),
    ("```json [", " "),
    ("```", " "),
    ("[TOOL_CALLS]a", " "),
    ("", "functools"),
    ("", "\n"),
]
"""An end that came before, and a beginning that a model repeats after it."""


@pytest.mark.parametrize(("end", "begin"), OPEN_AGAIN)
def test_answers_and_goals_of_one_mark_are_read_to_their_end(end: str, begin: str) -> None:
    """Tags that nothing closes are found in answers that a model repeats itself in."""
    text = end + begin * (CHARS * 4 // len(begin)) + "x"
    without_thoughts(text)
    calls_in_text(text, {"finish": object()})
    divide(text, 5)


@pytest.mark.parametrize("unit", ["<function=a>", "<parameter=a>", '<invoke name="a">', "<arg_key>", "|"])
def test_the_inside_of_a_call_is_read_to_its_end(unit: str) -> None:
    """Whatever a call repeats, in each format that has marks of its own inside."""
    inside = unit * (CHARS * 2 // len(unit))
    for head, tail in (("", ""), ("<function=a>", "</function>"), ('<invoke name="a">', "</invoke>")):
        calls_in_text(f"<tool_call>{head}{inside}{tail}</arg_value></tool_call>", {"finish": object()})


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.sampled_from(SUFFIXES))
@settings(deadline=None, max_examples=300)
def test_no_text_is_an_error_of_its_check(text: str, suffix: str) -> None:
    """A reader of a library that fails at it would keep the task from ever ending."""
    missing_in("Write it.", {f"a{suffix}": f"<body>{text}".encode(), f"b{suffix}": text.encode()}, [])
