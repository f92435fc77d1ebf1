"""The message menu (right-click, Apps): actions on an agent's message, without the content intent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import discord
from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord.access import Right
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import plain
from bot.discord.identities import number_in
from bot.discord.interactions import acknowledge, answer, hold, require_right, require_view
from bot.discord.lookup import agent_by_id
from bot.discord.reporting_item import ReportingItem
from bot.features.agents import actions as agent_actions
from bot.features.agents.buttons import AgentButton
from bot.features.agents.step_buttons import Form, StepButton, show_step, steps_of
from bot.features.agents.windows import say_window
from bot.features.tasks.command_group import TALKERS
from bot.texts import refusals

Purpose = Literal["inspect", "why", "reply"]
AGENTS = 24
"""Agents on one page of a choice; a message has room for 25 buttons, and one leads on."""


class SpeakersButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"speakers:(?P<purpose>inspect|why|reply):(?P<message>\d{1,20}):(?P<page>\d{1,4})",
):
    """`speakers:<purpose>:<message id>:<page>`: further agents whose words a message carries."""

    def __init__(self, purpose: Purpose, message_id: int, page: int, left: int = 0) -> None:
        custom_id, label = f"speakers:{purpose}:{message_id}:{page}", texts.MORE_AGENTS.format(left=left)
        super().__init__(discord.ui.Button(label=label, custom_id=custom_id))
        self.purpose, self.message_id, self.page = purpose, message_id, page

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> SpeakersButton:
        """The button that was pressed, from its id alone."""
        return cls(cast(Purpose, match["purpose"]), number_in(match["message"]), int(match["page"]))

    async def pressed(self, interaction: Interaction) -> None:
        """Show the page in the same message."""
        await acknowledge(interaction)
        spoke = await parts_of(interaction).routes.spoke_at(self.message_id)
        view = await choice(interaction, self.purpose, self.message_id, spoke, self.page)
        await interaction.edit_original_response(content=texts.WHICH_AGENT, view=view)


async def choice(
    interaction: Interaction,
    purpose: Purpose,
    message_id: int,
    spoke: Mapping[int, Sequence[float]],
    page: int = 0,
) -> discord.ui.View:
    """Return a button for each agent whose words a message carries, a page of them. Raises ActionRefused."""
    here, left = list(spoke)[page * AGENTS : (page + 1) * AGENTS], len(spoke) - (page + 1) * AGENTS
    if not here:
        raise ActionRefused(refusals.NOT_A_PERSONA)
    view = discord.ui.View(timeout=None)
    for agent_id in here:
        agent, task = await agent_by_id(interaction, agent_id)
        if agent_id == here[0]:
            await require_view(interaction, task)
        if purpose == "reply":
            view.add_item(AgentButton(agent_id, "reply", agent.name))
        else:
            step = (await steps_of(interaction, agent_id, spoke[agent_id]))[0]
            view.add_item(StepButton(purpose, agent_id, step, 0, "open", agent.name))
    if left > 0:
        view.add_item(SpeakersButton(purpose, message_id, page + 1, left))
    return view


async def speakers(interaction: Interaction, message: discord.Message) -> Mapping[int, Sequence[float]]:
    """The agents whose words the message carries, each with when it spoke. Raises ActionRefused when there
    are none."""
    routes = parts_of(interaction).routes
    await routes.recorded(message.id, message.channel.id)
    spoke = await routes.spoke_at(message.id)
    if not spoke:
        raise ActionRefused(refusals.NOT_A_PERSONA)
    return spoke


async def show_step_of(interaction: Interaction, form: Form, message: discord.Message) -> None:
    """Show the step behind a message; for one that several agents wrote, a button for each, and for an agent
    that wrote it in several steps a button for each of the others."""
    spoke = await speakers(interaction, message)
    if len(spoke) > 1:
        view = await choice(interaction, form, message.id, spoke)
        await answer(interaction, texts.WHICH_AGENT, view=view)
        return
    ((agent_id, times),) = spoke.items()
    agent, task = await agent_by_id(interaction, agent_id)
    await require_view(interaction, task)
    newest, *others = await steps_of(interaction, agent_id, times)
    buttons = [AgentButton(agent_id, "reply", f"{texts.BUTTON['reply']}: {agent.name}")]
    shown: list[discord.ui.Item[Any]] = [*buttons] if form == "why" else []
    for step in others:
        label = texts.STEP_BUTTON.format(number=step)
        shown.append(StepButton(form, agent_id, step, 0, "open", label))
    await show_step(interaction, form, agent_id, newest, *shown)


class MenusCog(commands.Cog):
    """Reply to agent, Inspect turn, Why?, Pause this agent."""

    def __init__(self, bot: commands.Bot) -> None:
        self._tree = bot.tree
        entries = (
            (texts.MENU_REPLY, self.reply),
            (texts.MENU_INSPECT, self.inspect),
            (texts.MENU_WHY, self.why),
            (texts.MENU_PAUSE, self.pause),
        )
        self._menus = [app_commands.ContextMenu(name=name, callback=call) for name, call in entries]

    async def cog_load(self) -> None:
        """Put the entries into the tree."""
        for menu in self._menus:
            menu.guild_only, menu.default_permissions = True, TALKERS
            self._tree.add_command(menu)

    async def reply(self, interaction: Interaction, message: discord.Message) -> None:
        """Open the modal to write to the agent."""
        spoke = await speakers(interaction, message)
        agent, task = await agent_by_id(interaction, next(iter(spoke)))
        await require_right(interaction, Right.STEER, task)
        if len(spoke) == 1:
            await interaction.response.send_modal(say_window(agent))
            return
        view = await choice(interaction, "reply", message.id, spoke)
        await answer(interaction, texts.WHICH_AGENT, view=view)

    async def inspect(self, interaction: Interaction, message: discord.Message) -> None:
        """Show the whole step in which the agent wrote the message."""
        await hold(interaction)
        await show_step_of(interaction, "inspect", message)

    async def why(self, interaction: Interaction, message: discord.Message) -> None:
        """Show what led to the message: what the agent had read, its assignments, instructions and calls."""
        await hold(interaction)
        await show_step_of(interaction, "why", message)

    async def pause(self, interaction: Interaction, message: discord.Message) -> None:
        """Start no new turns of the agent."""
        await hold(interaction)
        agents = [await agent_by_id(interaction, each) for each in await speakers(interaction, message)]
        if len(agents) > 1:
            names = texts.listed([plain(agent.name, 40) for agent, _ in agents])
            raise ActionRefused(refusals.SEVERAL_AGENTS.format(names=names))
        await answer(interaction, await agent_actions.pause_agent(interaction, *agents[0]))
