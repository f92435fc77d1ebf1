"""A goal is divided where it asks for several agents or its lines name a file each, by its own words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.llm.local.division import MOST, divide


@pytest.mark.parametrize(
    ("goal", "titles"),
    [
        (
            "Plan a weekend in Lisbon. Let one agent do the schedule and another the budget.",
            ["the schedule", "the budget"],
        ),
        (
            "One agent writes the rules, another agent the tests, a third agent the manual.",
            ["writes the rules", "the tests", "the manual"],
        ),
        (
            "With two agents: write schedule.md with the days and budget.csv with the costs.",
            ["schedule.md with the days", "budget.csv with the costs"],
        ),
        (
            "Use three agents to write a poem, a story and a recipe.",
            ["a poem", "a story", "a recipe"],
        ),
        (
            "Make a small site:\n- index.html: what we do\n- team.html: who we are\n- style.css: the looks",
            ["index.html: what we do", "team.html: who we are", "style.css: the looks"],
        ),
        (
            "As a team, prepare:\n1. the menu\n2. the shopping list\n",
            ["the menu", "the shopping list"],
        ),
    ],
)
def test_plain_parts_are_given_out(goal: str, titles: list[str]) -> None:
    """Each part keeps its words and goes to an agent of its own."""
    division = divide(goal, 20)
    assert [part.title for part in division.parts] == titles
    assert len({part.name for part in division.parts}) == len(titles)
    assert all(part.title in part.details for part in division.parts)


@pytest.mark.parametrize(
    "goal",
    [
        "Write leap.py with is_leap, and test_leap.py with tests.",
        "Write todo.py. It has these commands:\n- add: adds\n- list: lists\n- quit: ends",
        "Write a game for two players in Python",
        "Write a poem, a story and a recipe.",
        "Write about the history of a football team and its members. " * 20,
        "One number is secret, another is typed.",
        "",
    ],
)
def test_one_piece_of_work_is_not_divided(goal: str) -> None:
    """Lists of one product's features are no parts."""
    division = divide(goal, 20)
    assert not division.asked and not division.parts


def test_agents_that_are_asked_for_without_visible_parts_are_said() -> None:
    """The wish for a team is known, though nothing is given out."""
    division = divide("Use four agents and make the best chess game.", 20)
    assert division.asked and not division.parts


def test_parts_beyond_the_number_of_agents_are_shared_out() -> None:
    """Nothing of the goal is lost where fewer agents are asked for, or allowed, than there are parts."""
    goal = "With two agents make:\n" + "".join(f"- part {number}\n" for number in range(5))
    parts = divide(goal, 20).parts
    assert len(parts) == 2
    assert all(any(f"part {number}" in part.details for part in parts) for number in range(5))
    assert not divide(goal, 1).parts


@given(st.text(max_size=300), st.integers(0, 30))
def test_any_goal_can_be_divided_or_not(goal: str, most: int) -> None:
    """Nothing fails, whatever a person types, and limits hold."""
    parts = divide(goal, most).parts
    assert len(parts) != 1 and len(parts) <= min(most, MOST)
    assert all(part.title and part.details for part in parts)
