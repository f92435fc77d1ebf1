"""Validation of goals. Pure."""

from __future__ import annotations

from engine.errors import Invalid

MAX_GOAL = 8_000


def checked_goal(goal: str) -> str:
    """Return the goal without surrounding white space. Raises Invalid when it is empty or too long."""
    text = goal.strip()
    if not text:
        raise Invalid("The goal is empty.", "Describe the wanted result in a sentence or more.")
    if len(text) > MAX_GOAL:
        raise Invalid(
            f"The goal has {len(text):,} characters; {MAX_GOAL:,} fit.",
            "Put the long part into a text file, attach it, and name it in a short goal.",
        )
    return text
