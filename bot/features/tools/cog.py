"""`/tools`: the servers of tools that agents may call here, their state, and what each tool needs."""

from __future__ import annotations

import io
from collections.abc import Sequence

import discord
from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord.access import Right
from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import plain
from bot.discord.interactions import answer, hold, require_right
from bot.discord.lookup import current_space
from bot.features.tools.listing import server_lines
from bot.features.tools.sign_in import sign_in_view, states_here
from bot.texts import tools as wording
from engine.ports import OutsideTool

MESSAGE = 1_900


class ToolsCog(commands.Cog):
    """The `/tools` command."""

    @app_commands.command(name="tools", description=texts.CMD["tools"])
    @app_commands.guild_only()
    @app_commands.default_permissions(send_messages=True)
    async def tools(self, interaction: Interaction) -> None:
        """List the servers and their tools; why a server is not ready is for managers."""
        await hold(interaction)
        person = await require_right(interaction, Right.START)
        outside = parts_of(interaction).outside
        if outside is None:
            await answer(interaction, str(wording.NONE))
            return
        space = current_space(interaction)
        here = [tool for tool in outside.all_tools() if tool.spaces is None or space in tool.spaces]
        states = states_here(outside, space)
        text = "\n".join(server_lines(states, here, reasons=person.manages_guild))
        view = await sign_in_view(interaction.client, person, states)
        await answer(interaction, _fitting(text), view=view, files=_attached(text, here))


def _fitting(text: str) -> str:
    """Return as many whole lines as fit into a message."""
    if len(text) <= MESSAGE:
        return text
    return f"{text[: text.rfind(chr(10), 0, MESSAGE)]}\n{wording.MORE}"


def _attached(text: str, tools: Sequence[OutsideTool]) -> list[discord.File]:
    if len(text) <= MESSAGE:
        return []
    lines = [f"{tool.name}: {plain(tool.description, 300)}" for tool in tools]
    whole = "\n".join([text, "", *lines])
    return [discord.File(io.BytesIO(whole.encode()), wording.FILE)]
