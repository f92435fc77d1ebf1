"""`/memory`: list and delete what a server's tasks have learned."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord import autocomplete
from bot.discord.access import Right
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import plain
from bot.discord.interactions import answer, hold, require_right
from bot.discord.lookup import current_space
from bot.features.tasks.pages import page_view
from bot.texts import refusals
from engine.commands import ForgetMemory


@app_commands.guild_only()
@app_commands.default_permissions(send_messages=True)
class MemoryCog(commands.GroupCog, group_name="memory", group_description=texts.CMD["memory"]):
    """Every `/memory` subcommand."""

    @app_commands.command(name="list", description=texts.CMD["memory.list"])
    async def list(self, interaction: Interaction) -> None:
        """Show the memories in pages, newest first."""
        await hold(interaction)
        text, view = await page_view(interaction, "memories", 0, 0)
        await answer(interaction, text, view=view)

    @app_commands.command(name="forget", description=texts.CMD["memory.forget"])
    @app_commands.describe(memory=texts.OPT["memory"])
    @app_commands.autocomplete(memory=autocomplete.memories)
    async def forget(self, interaction: Interaction, memory: str) -> None:
        """Delete one memory of this server permanently."""
        await hold(interaction)
        person = await require_right(interaction, Right.START)
        engine = parts_of(interaction).engine
        digits = memory.strip().lstrip("#")
        found = [m for m in await engine.look.memories(current_space(interaction)) if str(m.id) == digits]
        if not found:
            raise ActionRefused(refusals.NO_MEMORY.format(name=f"“{plain(memory, 40)}”"))
        await engine.handle(ForgetMemory(found[0].id, person.key, person.named))
        await answer(interaction, texts.FORGOTTEN.format(text=plain(found[0].text, 300)))
