"""*Inspect* and *Why?*: a step of an agent in pages turned by buttons; each press checks the right again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, cast

import discord

from bot import texts
from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import cut, plain
from bot.discord.interactions import acknowledge, answer, hold, require_view
from bot.discord.lookup import agent_by_id
from bot.discord.reporting_item import ReportingItem
from bot.features.agents.step_text import all_below, budget_text, step_pages, why_pages
from engine.queries import AgentView, StepView, TaskView

Form = Literal["inspect", "why"]
NEWEST, NONE_YET = 999_999_999, 0
"""Instead of the number of a step: the newest one there is; none, for what was posted before the first."""

MOST_STEPS = 12
"""Steps of one agent in one message that have a button."""

TURN_STEPS = 40
"""Steps looked back in a turn for what the turn began with."""


class StepButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=(
        r"step:(?P<form>inspect|why):(?P<agent>\d{1,12}):(?P<step>\d{1,9}):(?P<part>\d{1,5}):"
        r"(?P<way>open|before|after|older|newer)"
    ),
):
    """`step:<form>:<agent id>:<number of the step>:<page>:<way>`."""

    def __init__(self, form: Form, agent_id: int, step: int, part: int, way: str, label: str = "") -> None:
        custom_id = f"step:{form}:{agent_id}:{step}:{part}:{way}"
        named = cut(label, 80) or texts.BUTTON[way]
        super().__init__(discord.ui.Button(label=named, custom_id=custom_id))
        self.form, self.agent_id, self.step, self.part, self.way = form, agent_id, step, part, way

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> StepButton:
        """The button that was pressed, from its id alone."""
        form = cast(Form, match["form"])
        return cls(form, int(match["agent"]), int(match["step"]), int(match["part"]), match["way"], "-")

    async def pressed(self, interaction: Interaction) -> None:
        """Turn to the page in the same message, or open it for one of several agents."""
        if self.way == "open":
            await hold(interaction)
            await show_step(interaction, self.form, self.agent_id, self.step)
            return
        await acknowledge(interaction)
        text, view = await step_view(interaction, self.form, self.agent_id, self.step, self.part)
        await interaction.edit_original_response(content=text, view=view)


async def show_step(
    interaction: Interaction,
    form: Form,
    agent_id: int,
    step: int = NEWEST,
    *buttons: discord.ui.Item[Any],
) -> None:
    """Answer with the first page of a step, `NEWEST` for the agent's newest, and with `buttons`."""
    text, view = await step_view(interaction, form, agent_id, step)
    for button in buttons:
        view.add_item(button)
    await answer(interaction, text, view=view)


async def step_view(
    interaction: Interaction, form: Form, agent_id: int, number: int, part: int = 0
) -> tuple[str, discord.ui.View]:
    """Return text and buttons of a page. Raises ActionRefused for people who may not view the task."""
    agent, task = await agent_by_id(interaction, agent_id)
    await require_view(interaction, task)
    look = parts_of(interaction).engine.look
    newest = await look.steps(agent_id, 1)
    steps = await look.steps(agent_id, TURN_STEPS, upto=number)
    pages = await pages_of(interaction, form, agent, task, steps)
    view = discord.ui.View(timeout=None)
    shown = steps[0].step if steps else NONE_YET
    turns = [
        ("before", shown, part - 1, part > 0),
        ("after", shown, part + 1, part + 1 < len(pages)),
        ("older", shown - 1, 0, len(steps) > 1),
        ("newer", shown + 1, 0, bool(newest) and newest[0].step > shown),
    ]
    for way, step, page, there in turns:
        if there:
            view.add_item(StepButton(form, agent_id, step, page, way))
    return pages[min(part, len(pages) - 1)], view


async def pages_of(
    interaction: Interaction, form: Form, agent: AgentView, task: TaskView, steps: Sequence[StepView]
) -> list[str]:
    """Return the pages of the newest of `steps`; one that says so when there are none."""
    look = parts_of(interaction).engine.look
    if form == "why":
        given = [each for each in await look.assignments(task.id) if each.assignee == agent.name]
        return why_pages(agent, steps, given)
    budget_line = budget_text(agent, all_below(agent, await look.agents(task.id)))
    if steps:
        return step_pages(agent, steps, budget_line)
    none = (texts.NO_STEP_THEN if agent.steps else texts.NO_STEPS).format(name=plain(agent.name, 60))
    return [f"{none}\n{budget_line}" if budget_line else none]


async def steps_of(interaction: Interaction, agent_id: int, times: Sequence[float]) -> list[int]:
    """Return the numbers of the steps in which an agent did what posts of these times tell, newest first."""
    look, found = parts_of(interaction).engine.look, set[int]()
    for at in sorted(set(times))[-MOST_STEPS:]:
        steps = await look.steps(agent_id, 1, until=at)
        found.add(steps[0].step if steps else NONE_YET)
    return sorted(found, reverse=True)
