"""What a goal names is read from its words, and what it only speaks of is not wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.wanted import asks_for_interfaces, asks_for_tests, files_to_make, options_to_have


@pytest.mark.parametrize(
    ("goal", "files"),
    [
        ("Write rename_photos.py: it renames the .jpg files in a folder.", ("rename_photos.py",)),
        ("Write leap.py with is_leap, and test_leap.py with pytest tests.", ("leap.py", "test_leap.py")),
        ("Write sales.py: it reads sales.csv and writes totals.json.", ("sales.py",)),
        ("Write config.json. Then write app.py, which reads config.json.", ("config.json", "app.py")),
        ("Put the schedule into plan.md and the budget into docs/budget.csv", ("plan.md", "docs/budget.csv")),
        ("- report.md\n- create data.csv", ("data.csv",)),
        ("Make a page called index.html.", ("index.html",)),
        ("Fix the bug in app.py.", ()),
        ("Explain what main.py does.", ()),
        ("Write a summary of notes.txt.", ()),
        ("Write tests for app.py.", ()),
        ("Don't create extra.py; write main.py.", ("main.py",)),
        ("Write a bot with discord.py and a page with node.js", ()),
        ("Summarise https://example.com/page.html", ()),
        ("Compare it with `python main.py 3`", ()),
        ("Write to ann@example.md about it.", ()),
        ("Write plan.md and budget.csv.\nPlease don't write budget.csv after all.", ("plan.md",)),
        ("", ()),
    ],
)
def test_files_are_wanted_where_the_goal_asks_for_them(goal: str, files: tuple[str, ...]) -> None:
    """Names of products, addresses and files to leave alone are none."""
    assert files_to_make(goal) == files


@pytest.mark.parametrize(
    ("goal", "asked"),
    [
        ("it has a --dry-run option, and comes with pytest tests.", True),
        ("Write slug.py with tests.", True),
        ("Write a parser and unit tests", True),
        ("Add a few more tests", True),
        ("Write it without tests.", False),
        ("You don't need tests.", False),
        ("It must pass such tests as: assert f(2) == 4", False),
        ("Fix app.py so that the unit tests pass.", False),
        ("Write about blood tests of the elderly and the tests of patience", False),
        ("Write the latest news.", False),
    ],
)
def test_tests_are_wanted_where_the_goal_asks_for_them(goal: str, asked: bool) -> None:
    """Tests that exist, that are refused or that are no program's are not asked for."""
    assert asks_for_tests(goal) is asked


@pytest.mark.parametrize(
    ("goal", "options"),
    [
        ("It has a --dry-run option and `--count` too.", ("--dry-run", "--count")),
        ("`python lines.py FILE --count` prints the number", ("--count",)),
        ("Set it up with `pip install --user x` and `git commit --amend`.", ()),
        ("Give it --dry-run.\nNo, leave it without --dry-run.", ()),
        ("A dash -- like this one -- is no option.", ()),
    ],
)
def test_options_of_other_programs_are_not_wanted(goal: str, options: tuple[str, ...]) -> None:
    """Options of commands in the goal are not the product's."""
    assert options_to_have(goal) == options


def test_a_command_line_interface_is_no_interface_to_leave_empty() -> None:
    """Only interfaces of code may be without bodies."""
    assert not asks_for_interfaces("Write a program with a command-line interface and a web interface.")
    assert asks_for_interfaces("Write the interfaces of the store, nothing else.")


@given(st.text(max_size=300))
def test_any_text_can_be_read(goal: str) -> None:
    """Nothing fails, whatever a person types, and a name that is found stands in it."""
    assert all(path in goal for path in files_to_make(goal))
    assert all(option in goal for option in options_to_have(goal))
    assert asks_for_tests(goal) in (True, False)
