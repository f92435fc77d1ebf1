"""The message menu (right-click, Apps): actions on an agent's message, without the content intent."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord.access import Right
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import plain
from bot.discord.interactions import answer, hold, require_right, require_view
from bot.discord.lookup import agent_by_id
from bot.features.agents import actions as agent_actions
from bot.features.agents.buttons import AgentButton, choose_agent_view
from bot.features.agents.step_buttons import Form, StepButton, show_step, step_of
from bot.features.agents.windows import say_window
from bot.features.tasks.command_group import TALKERS
from bot.texts import refusals
from engine.queries import AgentView, TaskView


async def speakers(interaction: Interaction, message: discord.Message) -> list[tuple[AgentView, TaskView]]:
    """The agents whose words the message carries. Raises ActionRefused when there are none."""
    routes = parts_of(interaction).routes
    await routes.recorded(message.id, message.channel.id)
    ids = await routes.agents_of(message.id)
    found = [await agent_by_id(interaction, agent_id) for agent_id in ids]
    if not found:
        raise ActionRefused(refusals.NOT_A_PERSONA)
    return found


async def show_step_of(interaction: Interaction, form: Form, message: discord.Message) -> None:
    """Show the step behind a message; for one that several agents wrote, a button for each."""
    found = await speakers(interaction, message)
    times = await parts_of(interaction).routes.spoke_at(message.id)
    steps = {agent.id: await step_of(interaction, agent.id, times[agent.id]) for agent, _ in found}
    first, task = found[0]
    await require_view(interaction, task)
    if len(found) == 1:
        reply = AgentButton(first.id, "reply", f"{texts.BUTTON['reply']}: {first.name}")
        await show_step(interaction, form, first.id, steps[first.id], *([reply] if form == "why" else []))
        return
    view = discord.ui.View(timeout=None)
    for agent, _ in found[:25]:
        view.add_item(StepButton(form, agent.id, steps[agent.id], 0, "open", agent.name))
    await answer(interaction, texts.WHICH_AGENT, view=view)


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
        found = await speakers(interaction, message)
        for _, task in found[:1]:
            await require_right(interaction, Right.STEER, task)
        if len(found) == 1:
            await interaction.response.send_modal(say_window(found[0][0]))
            return
        view = choose_agent_view([agent for agent, _ in found], "reply")
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
        found = await speakers(interaction, message)
        if len(found) > 1:
            names = texts.listed([plain(agent.name, 40) for agent, _ in found])
            raise ActionRefused(refusals.SEVERAL_AGENTS.format(names=names))
        await answer(interaction, await agent_actions.pause_agent(interaction, *found[0]))
