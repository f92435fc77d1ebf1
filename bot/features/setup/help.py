"""`/help`: how this works, in one minute."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord.context import Interaction
from bot.discord.interactions import answer


class HelpCog(commands.Cog):
    """The `/help` command."""

    @app_commands.command(name="help", description=texts.CMD["help"])
    @app_commands.guild_only()
    @app_commands.default_permissions(send_messages=True)
    async def help(self, interaction: Interaction) -> None:
        """Show the help text."""
        await answer(interaction, texts.HELP)
