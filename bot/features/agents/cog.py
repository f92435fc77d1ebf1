"""The commands `/agent` and `/group`."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord import autocomplete
from bot.discord.access import Right
from bot.discord.attachments import files_of
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import plain
from bot.discord.interactions import answer, hold, require_right, require_view
from bot.discord.lookup import agent_by_id, agent_for, group_for
from bot.features.agents import actions as agent_actions
from bot.features.agents.buttons import ask_to_dismiss, ask_to_replace, inspect
from bot.features.agents.windows import agent_cap_window, edit_window, say_window
from bot.features.tasks import actions as task_actions
from bot.features.tasks.continuing import offer_to_continue
from bot.texts import refusals
from engine.commands import Limits


@app_commands.guild_only()
@app_commands.default_permissions(send_messages=True)
class AgentCog(commands.GroupCog, group_name="agent", group_description=texts.CMD["agent"]):
    """Every `/agent` subcommand."""

    @app_commands.command(name="say", description=texts.CMD["agent.say"])
    @app_commands.describe(agent=texts.OPT["agent"], text=texts.OPT["text"], file=texts.OPT["file"])
    @app_commands.autocomplete(agent=autocomplete.agents)
    async def say(
        self,
        interaction: Interaction,
        agent: str,
        text: str | None = None,
        file: discord.Attachment | None = None,
    ) -> None:
        """Send the message, or open the modal if none is given."""
        meant, task = await agent_for(interaction, agent)
        await require_right(interaction, Right.STEER, task)
        if text is None and file is None:
            await interaction.response.send_modal(say_window(meant))
            return
        await hold(interaction)
        files = await files_of([file] if file else [])
        await agent_actions.say_and_answer(interaction, meant, task, text or "", files)

    @app_commands.command(name="inspect", description=texts.CMD["agent.inspect"])
    @app_commands.describe(agent=texts.OPT["agent"])
    @app_commands.autocomplete(agent=autocomplete.agents)
    async def inspect(self, interaction: Interaction, agent: str) -> None:
        """Show the agent's newest step, with buttons for older ones."""
        await hold(interaction)
        meant, _ = await agent_for(interaction, agent)
        await inspect(interaction, meant.id)

    @app_commands.command(name="edit", description=texts.CMD["agent.edit"])
    @app_commands.describe(
        agent=texts.OPT["agent"], instructions=texts.OPT["instructions"], model=texts.OPT["agent_model"]
    )
    @app_commands.autocomplete(agent=autocomplete.agents, model=autocomplete.models)
    async def edit(
        self,
        interaction: Interaction,
        agent: str,
        instructions: str | None = None,
        model: app_commands.Range[str, 1, 100] | None = None,
    ) -> None:
        """Take the new instructions or model, or open the window with the instructions it has."""
        meant, task = await agent_for(interaction, agent)
        await require_right(interaction, Right.STEER, task)
        if task.ended_at is not None:
            await offer_to_continue(interaction, task)
            return
        if instructions is None and model is None:
            await interaction.response.send_modal(edit_window(meant))
            return
        await hold(interaction)
        said = await agent_actions.edit_agent(interaction, meant, task, instructions, model)
        await answer(interaction, said)

    @app_commands.command(name="pause", description=texts.CMD["agent.pause"])
    @app_commands.describe(agent=texts.OPT["agent"])
    @app_commands.autocomplete(agent=autocomplete.agents)
    async def pause(self, interaction: Interaction, agent: str) -> None:
        """Pause the agent: it starts no new turns."""
        await hold(interaction)
        await answer(
            interaction, await agent_actions.pause_agent(interaction, *await agent_for(interaction, agent))
        )

    @app_commands.command(name="resume", description=texts.CMD["agent.resume"])
    @app_commands.describe(agent=texts.OPT["agent"])
    @app_commands.autocomplete(agent=autocomplete.agents)
    async def resume(self, interaction: Interaction, agent: str) -> None:
        """Resume the agent."""
        await hold(interaction)
        await answer(
            interaction, await agent_actions.resume_agent(interaction, *await agent_for(interaction, agent))
        )

    @app_commands.command(name="dismiss", description=texts.CMD["agent.dismiss"])
    @app_commands.describe(agent=texts.OPT["agent"], reason=texts.OPT["reason"])
    @app_commands.autocomplete(agent=autocomplete.agents)
    async def dismiss(
        self, interaction: Interaction, agent: str, reason: app_commands.Range[str, 1, 300] | None = None
    ) -> None:
        """Ask for confirmation; the buttons of the answer dismiss the agent."""
        await hold(interaction)
        meant, task = await agent_for(interaction, agent)
        await ask_to_dismiss(interaction, meant, task, reason or "")

    @app_commands.command(name="replace", description=texts.CMD["agent.replace"])
    @app_commands.describe(agent=texts.OPT["agent"], reason=texts.OPT["reason"])
    @app_commands.autocomplete(agent=autocomplete.agents)
    async def replace(
        self, interaction: Interaction, agent: str, reason: app_commands.Range[str, 1, 300] | None = None
    ) -> None:
        """Ask for confirmation; the buttons of the answer replace the agent."""
        await hold(interaction)
        meant, task = await agent_for(interaction, agent)
        await ask_to_replace(interaction, meant, task, reason or "")

    @app_commands.command(name="cap", description=texts.CMD["agent.cap"])
    @app_commands.describe(
        agent=texts.OPT["agent"],
        budget=texts.OPT["budget"],
        tokens=texts.OPT["tokens"],
        agents=texts.OPT["agents"],
        minutes=texts.OPT["minutes"],
    )
    @app_commands.autocomplete(agent=autocomplete.agents)
    async def cap(
        self,
        interaction: Interaction,
        agent: str,
        budget: float | None = None,
        tokens: app_commands.Range[int, 1, 2_000_000_000] | None = None,
        agents: app_commands.Range[int, 1, 10_000] | None = None,
        minutes: app_commands.Range[int, 1, 43_200] | None = None,
    ) -> None:
        """Set the caps given for it and all below it, or open the window for them when none is."""
        meant, task = await agent_for(interaction, agent)
        limits = task_actions.limits_of(budget, agents, minutes, tokens)
        if limits == Limits():
            await require_right(interaction, Right.STEER, task)
            await interaction.response.send_modal(agent_cap_window(meant))
            return
        await hold(interaction)
        await answer(interaction, await agent_actions.cap_agent(interaction, meant, task, limits))


@app_commands.guild_only()
@app_commands.default_permissions(send_messages=True)
class GroupCog(commands.GroupCog, group_name="group", group_description=texts.CMD["group"]):
    """Every `/group` subcommand."""

    @app_commands.command(name="say", description=texts.CMD["group.say"])
    @app_commands.describe(group=texts.OPT["group"], text=texts.OPT["text"])
    @app_commands.autocomplete(group=autocomplete.groups)
    async def say(self, interaction: Interaction, group: str, text: str | None = None) -> None:
        """Send a message to the group's head."""
        meant, task = await group_for(interaction, group)
        await require_right(interaction, Right.STEER, task)
        head, _ = await agent_by_id(interaction, meant.head_id)
        if text is None:
            await interaction.response.send_modal(say_window(head))
            return
        await hold(interaction)
        await agent_actions.say_and_answer(interaction, head, task, text)

    @app_commands.command(name="open", description=texts.CMD["group.open"])
    @app_commands.describe(group=texts.OPT["group"])
    @app_commands.autocomplete(group=autocomplete.groups)
    async def open(self, interaction: Interaction, group: str) -> None:
        """Show the channel or thread of the group."""
        await hold(interaction)
        meant, task = await group_for(interaction, group)
        await require_view(interaction, task)
        channel_id = await parts_of(interaction).routes.channel_of(meant.id)
        if channel_id is None:
            raise ActionRefused(refusals.NO_PLACE)
        name = plain(meant.name, 60)
        await answer(interaction, texts.GROUP_AT.format(name=name, where=f"<#{channel_id}>"))
