"""Texts of `/spend`."""

from __future__ import annotations

PERIODS = {"today": "Today", "month": "This month", "all": "All time"}
"""Periods as people choose them."""

HEAD = "**{period}** ({zone}{since}): **{cost}** · {tokens:,} tokens · {calls}"
SINCE = ", since <t:{at}:f>"
YOURS = "{period}, your tasks"
PEOPLE, TASKS, MODELS = "People", "Tasks", "Models and tools"
LINE = "**{title}** {parts}"
PART = "{name} {cost}"
OTHERS = "{count} others"
UNPRICED = "-# {calls} to a model whose price is not known, counted at an assumed high price."
ESTIMATED = "-# {calls} estimated: the provider did not report their use, or they were cut off."
NOTHING = "Nothing was spent {period} ({zone}). `/task new` starts a task."
NOTHING_YOURS = (
    "Your tasks spent nothing {period} ({zone}); people who manage the server see everyone's. "
    "`/task new` starts a task."
)
NOTHING_IN = {"today": "today", "month": "this month", "all": "so far"}
ONLY_YOURS = "-# These are your tasks; people who manage the server see everyone's."
CUT_OFF = "calls cut off"
SOMEBODY = "somebody else"
TASK = "#{id} {goal}"
TITLE = "{period}: {cost}"
ALT = (
    "Bars of what was spent, {period}: {cost} and {tokens:,} tokens. People: {people}. Tasks: {tasks}. "
    "Models and tools: {models}."
)
BUDGET_TITLE = "Budget for {month} ({zone})"
BUDGET = "{left} left of {cap}"
SERVER, YOURS_ALONE = "This server", "Yours"
