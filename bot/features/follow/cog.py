"""`/follow`: set one's notifications for a task."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord import autocomplete
from bot.discord.context import Interaction, parts_of
from bot.discord.interactions import answer, hold, require_view
from bot.discord.lookup import task_for
from bot.storage.guild_settings import FollowMode


@app_commands.guild_only()
@app_commands.default_permissions(send_messages=True)
class FollowCog(commands.GroupCog, group_name="follow", group_description=texts.CMD["follow"]):
    """Every `/follow` subcommand."""

    async def _set(self, interaction: Interaction, task: str | None, mode: FollowMode) -> None:
        await hold(interaction)
        meant = await task_for(interaction, task)
        await require_view(interaction, meant)
        await parts_of(interaction).records.follow(meant.id, interaction.user.id, mode)
        await answer(interaction, texts.FOLLOW_SET[mode].format(id=meant.id))

    @app_commands.command(name="off", description=texts.CMD["follow.off"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def off(self, interaction: Interaction, task: str | None = None) -> None:
        """Turn notifications off."""
        await self._set(interaction, task, "off")

    @app_commands.command(name="answers", description=texts.CMD["follow.answers"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def answers(self, interaction: Interaction, task: str | None = None) -> None:
        """Notify of what needs a person, and of the end."""
        await self._set(interaction, task, "answers")

    @app_commands.command(name="all", description=texts.CMD["follow.all"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def all(self, interaction: Interaction, task: str | None = None) -> None:
        """Notify of all progress."""
        await self._set(interaction, task, "all")
