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
from bot.features.agents.buttons import choose_agent_view, reply_view
from bot.features.agents.step_text import why_text
from bot.features.agents.windows import say_window
from bot.features.tasks.command_group import TALKERS
from bot.features.tasks.pages import page_view
from engine.queries import AgentView, TaskView

LOOK_BACK = 50
CLOCKS_DIFFER_S = 5.0


async def speakers(interaction: Interaction, message: discord.Message) -> list[tuple[AgentView, TaskView]]:
    """The agents whose words the message carries. Raises ActionRefused when there are none."""
    routes = parts_of(interaction).routes
    await routes.recorded(message.id, message.channel.id)
    ids = await routes.agents_of(message.id)
    found = [await agent_by_id(interaction, agent_id) for agent_id in ids]
    if not found:
        raise ActionRefused(texts.NOT_A_PERSONA)
    return found


async def step_at(interaction: Interaction, agent: AgentView, at: float) -> int:
    """Return how many steps ago the agent wrote a message that was sent at `at` (unix seconds)."""
    steps = await parts_of(interaction).engine.look.steps(agent.id, LOOK_BACK)
    return next((n for n, step in enumerate(steps) if step.at <= at + CLOCKS_DIFFER_S), 0)


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
        """Show the step in which the agent wrote the message."""
        await hold(interaction)
        agent, _ = (await speakers(interaction, message))[0]
        page = await step_at(interaction, agent, message.created_at.timestamp())
        text, view = await page_view(interaction, "steps", agent.id, page)
        await answer(interaction, text, view=view)

    async def why(self, interaction: Interaction, message: discord.Message) -> None:
        """Show what led to the message: what the agent had read, its assignments and instructions."""
        await hold(interaction)
        agent, task = (await speakers(interaction, message))[0]
        await require_view(interaction, task)
        look = parts_of(interaction).engine.look
        steps = await look.steps(agent.id, LOOK_BACK)
        page = await step_at(interaction, agent, message.created_at.timestamp())
        given = [a for a in await look.assignments(task.id) if a.assignee == agent.name]
        text = why_text(agent, steps[page] if steps else None, given)
        await answer(interaction, text, view=reply_view(agent))

    async def pause(self, interaction: Interaction, message: discord.Message) -> None:
        """Start no new turns of the agent."""
        await hold(interaction)
        found = await speakers(interaction, message)
        if len(found) > 1:
            names = texts.listed([plain(agent.name, 40) for agent, _ in found])
            raise ActionRefused(texts.SEVERAL_AGENTS.format(names=names))
        await answer(interaction, await agent_actions.pause_agent(interaction, *found[0]))
