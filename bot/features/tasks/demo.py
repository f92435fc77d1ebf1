"""`/task demo`: a recorded team at work, for whoever may start tasks."""

from __future__ import annotations

from discord.ext import commands

from bot import texts
from bot.discord.access import Right
from bot.discord.context import Interaction, parts_of
from bot.discord.identities import origin_of
from bot.discord.interactions import hold, require_right
from bot.discord.lookup import current_space
from bot.features.tasks.actions import quota_here
from bot.features.tasks.command_group import TASK
from bot.features.tasks.new import announce
from engine.commands import StartDemonstration


async def start_demonstration(interaction: Interaction) -> None:
    """Start the demonstration here, show its card and tell the person where. Raises ActionRefused."""
    person = await require_right(interaction, Right.START)
    here = origin_of(interaction.channel_id or 0)
    quota = await quota_here(interaction, person)
    command = StartDemonstration(person.key, current_space(interaction), here, person.named, quota)
    await announce(interaction, await parts_of(interaction).engine.handle(command))


class TaskDemo(commands.Cog):
    """The command of the `/task` cog that starts the demonstration."""

    @TASK.command(name="demo", description=texts.CMD["task.demo"])
    async def demo(self, interaction: Interaction) -> None:
        """Start the demonstration."""
        await hold(interaction)
        await start_demonstration(interaction)
