"""`/help`: how this works, in one minute, with commands that can be pressed."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord.context import Interaction
from bot.discord.errors import UNDELIVERED
from bot.discord.interactions import answer, hold

log = logging.getLogger(__name__)
_COMMAND = re.compile(r"`/([a-z]+(?: [a-z]+){0,2})`")


def pressable(text: str, ids: Mapping[str, int]) -> str:
    """Return the text with each command in it as a link that fills it in; unknown ones stay as they are."""

    def link(found: re.Match[str]) -> str:
        number = ids.get(found[1].split()[0])
        return f"</{found[1]}:{number}>" if number else found[0]

    return _COMMAND.sub(link, text)


class HelpCog(commands.Cog):
    """The `/help` command."""

    def __init__(self, bot: commands.Bot) -> None:
        self._bot = bot
        self._ids: dict[str, int] = {}

    @app_commands.command(name="help", description=texts.CMD["help"])
    @app_commands.guild_only()
    @app_commands.default_permissions(send_messages=True)
    async def help(self, interaction: Interaction) -> None:
        """Show the help text."""
        await hold(interaction)
        await answer(interaction, pressable(texts.HELP, await self._known()))

    async def _known(self) -> Mapping[str, int]:
        """Return the ids that Discord gave the commands; none while it cannot be asked."""
        if not self._ids:
            try:
                self._ids = {each.name: each.id for each in await self._bot.tree.fetch_commands()}
            except UNDELIVERED as error:
                log.warning("the ids of commands cannot be read: %s", error)
        return self._ids
