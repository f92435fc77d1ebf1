"""Ways in which people ask for a team, in several languages, and ways that look alike and ask for none."""

from __future__ import annotations

import pytest

from engine.llm.local.division import divide


@pytest.mark.parametrize(
    ("goal", "titles"),
    [
        (
            "Use three agents: a researcher writes facts.md, a writer writes story.md, an editor "
            "writes review.md.",
            ["a researcher writes facts.md", "a writer writes story.md", "an editor writes review.md"],
        ),
        (
            "I want two people on this: one writes intro.md, the other writes outro.md.",
            ["writes intro.md", "writes outro.md"],
        ),
        (
            "Have several agents work in parallel on hygiene.md, opening.md and first_day.md.",
            ["hygiene.md", "opening.md", "first_day.md"],
        ),
        (
            "Split this between a frontend developer (index.html) and a backend developer (server.py).",
            ["a frontend developer (index.html)", "a backend developer (server.py)"],
        ),
        ("Give each chapter to its own agent: one.md, two.md, three.md.", ["one.md", "two.md", "three.md"]),
        (
            "The work should be divided: part one is history.md, part two is culture.md.",
            ["part one is history.md", "part two is culture.md"],
        ),
        (
            "Lass einen Agenten plan.md schreiben und einen anderen budget.csv.",
            ["plan.md schreiben", "budget.csv"],
        ),
        ("Drei Agenten sollen je ein Kapitel schreiben: a.md, b.md und c.md.", ["a.md", "b.md", "c.md"]),
        ("Fais travailler deux agents : un écrit intro.md, l’autre écrit fin.md.", ["intro.md", "fin.md"]),
        ("Que un agente escriba plan.md y otro budget.csv.", ["plan.md", "budget.csv"]),
        ("Командой из двух агентов напиши plan.md и budget.csv.", ["plan.md", "budget.csv"]),
        ("请让一个代理编写 plan.md，另一个编写 budget.csv。", ["plan.md", "budget.csv"]),
        ("チームで plan.md と budget.csv を作成してください。", ["plan.md", "budget.csv を作成してください"]),
    ],
)
def test_a_goal_that_asks_for_a_team_is_divided(goal: str, titles: list[str]) -> None:
    """Each part is in the person's own words, and no part is lost."""
    division = divide(goal, 6)
    assert division.asked and [part.title for part in division.parts] == titles


@pytest.mark.parametrize(
    "goal",
    [
        "Do it alone, no team please. Write a.md and b.md.",
        "Use only one agent. Write a.md and b.md.",
        "Write a program for a travel agent that prints two agents.",
        "Plan a weekend for two people: plan.md and budget.csv.",
        "Schreibe ohne Team plan.md und budget.csv.",
        "不要团队，请编写 a.md 和 b.md。",
    ],
)
def test_a_goal_that_asks_for_none_is_not(goal: str) -> None:
    """Nobody has to say why it is one agent."""
    division = divide(goal, 6)
    assert (division.asked, division.parts) == (False, ())


def test_the_number_that_was_asked_for_is_kept_in_any_language() -> None:
    """Four files for two agents: each makes two."""
    goal = "Zwei Agenten schreiben a.md, b.md, c.md und d.md."
    assert [part.title for part in divide(goal, 6).parts] == ["a.md c.md", "b.md d.md"]
