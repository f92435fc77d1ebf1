"""Buttons of one agent: reply, inspect its steps, set caps, confirm its replacement."""

from __future__ import annotations

import re
from typing import Any

import discord

from bot import texts
from bot.discord.access import Right
from bot.discord.confirmations import settle
from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import cut, many, plain
from bot.discord.interactions import answer, hold, require_right
from bot.discord.lookup import agent_by_id
from bot.discord.reporting_item import ReportingItem
from bot.features.agents import actions as agent_actions
from bot.features.agents.step_buttons import NEWEST, show_step
from bot.features.agents.step_text import all_below
from bot.features.agents.windows import agent_cap_window, say_window
from engine.queries import AgentView, TaskView


class AgentButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"agent:(?P<verb>reply|inspect|cap|replace_yes|replace_no|dismiss_yes|dismiss_no):(?P<agent>\d{1,12})",
):
    """`agent:<verb>:<agent id>`."""

    def __init__(self, agent_id: int, verb: str, label: str) -> None:
        style = (
            discord.ButtonStyle.danger
            if verb in ("replace_yes", "dismiss_yes")
            else discord.ButtonStyle.secondary
        )
        custom_id = f"agent:{verb}:{agent_id}"
        super().__init__(discord.ui.Button(label=cut(label, 80), style=style, custom_id=custom_id))
        self.agent_id, self.verb = agent_id, verb

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> AgentButton:
        """The button that was pressed, from its id alone."""
        return cls(int(match["agent"]), match["verb"], match["verb"])

    async def pressed(self, interaction: Interaction) -> None:
        """Open the window, show the newest step, or do what was confirmed."""
        if self.verb.endswith(("_yes", "_no")):
            await settle(interaction, self._settled(interaction))
            return
        if self.verb == "inspect":
            await hold(interaction)
            await inspect(interaction, self.agent_id)
            return
        agent, task = await agent_by_id(interaction, self.agent_id)
        await require_right(interaction, Right.STEER, task)
        shown = agent_cap_window(agent) if self.verb == "cap" else say_window(agent)
        await interaction.response.send_modal(shown)

    async def _settled(self, interaction: Interaction) -> str:
        agent, task = await agent_by_id(interaction, self.agent_id)
        verb, _, agreed = self.verb.partition("_")
        await require_right(interaction, Right.STEER, task)
        reason = await parts_of(interaction).records.take_fact(_reason_key(interaction, agent.id))
        if agreed == "no":
            return (texts.REPLACE_NOT if verb == "replace" else texts.DISMISS_NOT).format(
                name=plain(agent.name, 60)
            )
        act = agent_actions.replace_agent if verb == "replace" else agent_actions.dismiss_agent
        return await act(interaction, agent, task, reason or "")


async def inspect(interaction: Interaction, agent_id: int) -> None:
    """Show the agent's newest step, with buttons for older ones and for its caps."""
    cap = AgentButton(agent_id, "cap", texts.BUTTON["agent_cap"])
    await show_step(interaction, "inspect", agent_id, NEWEST, cap)


def _reason_key(interaction: Interaction, agent_id: int) -> str:
    return f"replace:{agent_id}:{interaction.user.id}"


async def ask_to_replace(interaction: Interaction, agent: AgentView, task: TaskView, reason: str) -> None:
    """Ask once more, before the buttons do it. Raises Refused."""
    group = texts.REPLACE_GROUP if agent.leads_group_id else ""
    words = texts.REPLACE_SURE.format(name=plain(agent.name, 60), group=group)
    await _ask_first(interaction, "replace", agent, task, reason, words)


async def ask_to_dismiss(interaction: Interaction, agent: AgentView, task: TaskView, reason: str) -> None:
    """Ask once more, and say who leaves with it. Raises Refused."""
    below = all_below(agent, await parts_of(interaction).engine.look.agents(task.id))
    there = sum(one.state != "dismissed" for one in below)
    with_it = texts.DISMISS_BELOW.format(count=many(there, "agent")) if there else ""
    words = texts.DISMISS_SURE.format(name=plain(agent.name, 60), below=with_it)
    await _ask_first(interaction, "dismiss", agent, task, reason, words)


async def _ask_first(
    interaction: Interaction, verb: str, agent: AgentView, task: TaskView, reason: str, words: str
) -> None:
    await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).records.set_fact(_reason_key(interaction, agent.id), reason)
    view = discord.ui.View(timeout=None)
    for choice in (f"{verb}_yes", f"{verb}_no"):
        view.add_item(AgentButton(agent.id, choice, texts.BUTTON[choice]))
    await answer(interaction, words, view=view)
