"""Tables of agents: aligned blocks where they fit, lists where they do not, and nothing else is touched."""

from __future__ import annotations

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


@given(st.text(alphabet="|-: ab`\n*\\", max_size=200))
def test_any_text_is_taken_and_no_block_left_open(text: str) -> None:
    """No text breaks it, and no block is left open."""
    made = with_tables(text)
    if "`" not in text:
        assert made.count("```") % 2 == 0


def test_marks_are_taken_off_and_names_are_not() -> None:
    """Bold, code, links and headings go; snake_case and dunder names stay."""
    said = "# A **bold** [link](https://x.example) of `my_file.py`, _so_ __init__.py and a*b*c 2 * 3"
    assert unmarked(said) == "A bold link of my_file.py, so __init__.py and abc 2 * 3"
    assert bare("**x** <@5>", 40) == "x <\u200b@5>"


def test_a_page_of_a_transcript_shows_no_raw_marks() -> None:
    """Bold, code, small print and mentions are drawn; what is not ours stays escaped."""
    text = "<@15> **Done.** `a.py` <script>\n-# small\n```\n**as typed**\n```\n2 \\* 3"
    made = page([Line(0.0, "sales", "Ada", "in reply to <@15>", text)], "t")
    assert "<b>Done.</b>" in made and "<code>a.py</code>" in made and "<small>small</small>" in made
    assert "<@15>" not in made and "&lt;@15" not in made and "@person" in made
    assert "<pre>**as typed**" in made and "&lt;script&gt;" in made and "2 * 3" in made
