"""Texts of the welcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A goal to begin with: the label of its button, and the goal that its window opens with."""

    label: str
    goal: str


WELCOME = (
    "**Hello. Give me a goal, and a team of agents works on it** in channels where you can watch, ask and "
    "steer. The result is a folder of files with a history of who wrote which line.\n"
    "🎬 The demonstration shows a whole task in about 90 seconds. It is recorded and costs nothing.\n"
    "✏️ An example opens a form with its goal, which you can change; nothing starts before you send it."
)
FOR_MANAGERS = (
    "-# For people with Manage Server: `/setup` chooses who may start tasks (until then, only you), "
    "`/doctor` shows what I need here."
)
MORE = "-# `/task new` starts a task of your own, `/help` explains the rest."
WRITE_ME = "-# Or simply write your goal to me: mention me, with the goal after it."
WRITE_HERE = "-# Or simply write your goal here."
OFFER = "Start a task with this goal?\n>>> {goal}"
DEMO, NEW, START = "Watch the demonstration", "Write a goal", "Start this as a task"

EXAMPLES: Mapping[str, Example] = {
    "trip": Example(
        "A weekend trip",
        "Plan a weekend in Lisbon for two people with 400 euros. Let one agent write plan.md with the "
        "schedule, and another one budget.csv with all costs. The sums must agree.",
    ),
    "program": Example(
        "A small program",
        "Write rename_photos.py: it renames the .jpg files of a folder by the date they were taken and has "
        "an option --dry-run. Write tests with pytest, run them, and describe its use in README.md.",
    ),
    "handbook": Example(
        "A handbook by a team",
        "Write a handbook for new employees of a small bakery. Let one agent each write hygiene.md, "
        "opening_hours.md and first_day.md, and one more review all three for contradictions.",
    ),
}
"""Three goals of different kinds, by the name in their button's id."""
