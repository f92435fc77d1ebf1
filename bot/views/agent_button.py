"""Buttons about one agent: reply to it, look at its steps."""

from __future__ import annotations

import re
from typing import Any

import discord

from bot import texts
from bot.access import Right
from bot.desk import Interaction, agent_by_id, answer, demand, hold
from bot.views.pages import page_view
from bot.views.pressed import Pressed
from bot.views.windows import say_window
from bot.words import cut
from engine.queries import AgentView


class AgentButton(
    Pressed,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"agent:(?P<verb>reply|inspect):(?P<agent>\d{1,12})",
):
    """`agent:<verb>:<agent id>`."""

    def __init__(self, agent_id: int, verb: str, label: str) -> None:
        super().__init__(discord.ui.Button(label=cut(label, 80), custom_id=f"agent:{verb}:{agent_id}"))
        self.agent_id, self.verb = agent_id, verb

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> AgentButton:
        """The button that was pressed, from its id alone."""
        return cls(int(match["agent"]), match["verb"], match["verb"])

    async def pressed(self, interaction: Interaction) -> None:
        """Open the window, or show the newest step."""
        if self.verb == "inspect":
            await hold(interaction)
            text, view = await page_view(interaction, "steps", self.agent_id, 0)
            await answer(interaction, text, view=view)
            return
        agent, task = await agent_by_id(interaction, self.agent_id)
        await demand(interaction, Right.STEER, task)
        await interaction.response.send_modal(say_window(agent))


def which_view(agents: list[AgentView], verb: str) -> discord.ui.View:
    """One button an agent, for a message that carries the words of several."""
    view = discord.ui.View(timeout=None)
    for agent in agents[:25]:
        view.add_item(AgentButton(agent.id, verb, agent.name))
    return view


def reply_view(agent: AgentView) -> discord.ui.View:
    """A Reply button under something about one agent."""
    view = discord.ui.View(timeout=None)
    view.add_item(AgentButton(agent.id, "reply", f"{texts.BUTTON['reply']}: {agent.name}"))
    return view
