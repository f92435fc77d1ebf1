"""Tables of agents: aligned blocks where they fit, lists where they do not, and nothing else is touched."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discord.formatting import bare, unmarked
from bot.outbox.tables import with_tables
from bot.outbox.transcripts import Line, page

SALES = """Here it is:
| Month | **Units** | Note |
|:------|------:|---|
| Jan | 1,200 | `ok` |
| 二月 | 7 | a \\| b |
Done."""


def test_a_table_is_an_aligned_block() -> None:
    """Columns line up, wide letters count twice, marks inside cells are gone."""
    rows = ("Month  Units  Note", "─────  ─────  ─────", "Jan    1,200  ok", "二月   7      a | b")
    assert with_tables(SALES) == "\n".join(("Here it is:", "```", *rows, "```", "Done."))


def test_a_wide_table_is_a_list_and_code_stays_as_it_is() -> None:
    """On a phone a wide block would be soup; in code a table is text."""
    wide = f"| Name | What it is |\n|---|---|\n| Ada | {'long words ' * 9}|\n| Bo | |"
    made = with_tables(wide)
    assert made.splitlines()[0].startswith("- **Ada** What it is: long words") and "|" not in made
    code = f"```\n{SALES}\n```"
    assert with_tables(code) == code
    assert with_tables("a | b\nno rule") == "a | b\nno rule"


def test_a_block_is_as_wide_as_a_phone_at_most() -> None:
    """What a desk shows in one line, a phone of 390 pixels wraps at 36 signs; a list is read on both."""
    head = "| Bird | Wingspan (cm) | Seen in |\n|---|---|---|\n"
    narrow = with_tables(head + "| Kingfisher | 25 | Europe |")
    assert max(map(len, narrow.splitlines())) == 34
    wide = with_tables(head + "| Wandering albatross | 350 | Southern Ocean |")
    assert wide == "- **Wandering albatross** Wingspan (cm): 350, Seen in: Southern Ocean"


def test_no_cell_of_a_table_is_lost() -> None:
    """A bar that was not escaped, in code say, makes a cell more; a wide table may have no rows."""
    head = "| Do | Command |\n|---|---|\n"
    assert "`ps | grep x`" in with_tables(head + "| look | `ps | grep x` |")
    assert with_tables(head + "| look | ps | grep x | y |").count("look  ps | grep x | y") == 1
    lone = with_tables("| What the customers wrote | What became of it |\n|---|---|")
    assert lone == "- What the customers wrote, What became of it"


@given(st.text(alphabet="|-: ab`\n*\\", max_size=200))
def test_any_text_is_taken_and_no_block_left_open(text: str) -> None:
    """No text breaks it, and no block is left open."""
    made = with_tables(text)
    if "`" not in text:
        assert made.count("```") % 2 == 0


def test_marks_are_taken_off_and_names_are_not() -> None:
    """Bold, code, links and headings go; snake_case and dunder names stay."""
    said = "# A **bold** [link](https://x.example) of `my_file.py`, _so_ __init__.py and 2*3*4 2 * 3"
    assert unmarked(said) == "A bold link of my_file.py, so __init__.py and 2*3*4 2 * 3"
    assert bare("**x** <@5>", 40) == "x <\u200b@5>"


@pytest.mark.parametrize(
    ("marked", "bare_text"),
    [
        ("**bold _nested `code` text_**", "bold nested code text"),
        ("||spoil **er**|| and ***both***", "spoil er and both"),
        ("[**link**](https://a.b/c_(d)) ![alt](http://x/y.png)", "link alt"),
        ("`**as typed**` and \\*literal\\*", "**as typed** and *literal*"),
        ("> > deep\n>>> multi\n-# # small", "deep\nmulti\nsmall"),
        ("```py\nprint('x')\n```", "print('x')"),
        ("| a | b |\n|---|---|\n| **1** | 2 |", "a · b\n1 · 2"),
        ("2*3*4 = a_b_c and 5 * 6 * 7", "2*3*4 = a_b_c and 5 * 6 * 7"),
        ("**un*closed and \0 0", "**un*closed and  0"),
    ],
)
def test_marks_inside_marks_go_too(marked: str, bare_text: str) -> None:
    """Whatever stands in another, and no sign that means itself."""
    assert unmarked(marked) == bare_text


@given(st.text(alphabet="*_~|`\\[]()<># -a\n\0 0", max_size=120))
def test_any_text_loses_its_marks_in_the_end(text: str) -> None:
    """Nothing makes it fail or grow."""
    assert len(unmarked(text)) <= len(text) + text.count("|")


@pytest.mark.parametrize(
    "text",
    ["**a " * 25_000, "||**~~" * 16_000, "[" * 100_000, "[a](" * 25_000, "`a" * 50_000, "\n" * 100_000],
)
def test_no_text_takes_long(text: str) -> None:
    """What an agent writes is shortened first where little of it is shown, and never searched to its end."""
    began = time.process_time()
    bare(text, 300)
    unmarked(text[:20_000])
    assert time.process_time() - began < 5.0


def test_a_table_in_a_quotation_stays_in_it() -> None:
    """The block takes its mark; a table in a list is drawn below its item."""
    made = with_tables(
        "> Look:\n> | a | b |\n> |---|---|\n> | 1 | 2 |\n\n- x\n  | c | d |\n  |---|---|\n  | 3 | 4 |"
    )
    assert "> ```\n> a  b\n> ─  ─\n> 1  2\n> ```" in made and "```\nc  d\n─  ─\n3  4\n```" in made


def test_a_page_of_a_transcript_shows_no_raw_marks() -> None:
    """Bold, code, small print and mentions are drawn; what is not ours stays escaped."""
    text = "<@15> **Done.** `a.py` <script>\n-# small\n```\n**as typed**\n```\n2 \\* 3"
    made = page([Line(0.0, "sales", "Ada", "in reply to <@15>", text)], "t")
    assert "<b>Done.</b>" in made and "<code>a.py</code>" in made and "<small>small</small>" in made
    assert "<@15>" not in made and "&lt;@15" not in made and "@person" in made
    assert "<pre>**as typed**" in made and "&lt;script&gt;" in made and "2 * 3" in made


def test_signs_of_two_columns_keep_the_table_aligned() -> None:
    """Chinese, emoji, and emoji that are several signs."""
    table = (
        "| who | n |\n|---|---|\n| 李树 | 1 |\n| 👨\u200d👩\u200d👧 | 2 |\n| 👍\U0001f3fd | 3 |\n| abcd | 4 |"
    )
    drawn = with_tables(table).split("\n")[3:7]
    assert drawn == ["李树  1", "👨\u200d👩\u200d👧    2", "👍\U0001f3fd    3", "abcd  4"]


def test_code_between_tildes_is_code_on_discord() -> None:
    """What looks like a fence inside it stays inside, and code between backticks stays as it is."""
    assert with_tables("a\n~~~py\nx = 1\n~~~\nb") == "a\n```py\nx = 1\n```\nb"
    assert with_tables("~~~\n```\n~~~").count("```") == 2
    assert with_tables("```\n~~~\n```") == "```\n~~~\n```"
