"""`/memory`, `/follow` and `/help`."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.access import Right
from bot.book import FollowMode
from bot.cogs import suggest
from bot.desk import Interaction, Refused, answer, demand, demand_sight, here, hold, parts_of, task_for
from bot.words import cut, plain
from engine.commands import ForgetMemory


@app_commands.guild_only()
@app_commands.default_permissions(send_messages=True)
class MemoryCog(commands.GroupCog, group_name="memory", group_description=texts.CMD["memory"]):
    """What a server's tasks leave behind for later ones."""

    @app_commands.command(name="list", description=texts.CMD["memory.list"])
    async def list(self, interaction: Interaction) -> None:
        """All of it, as much as one message takes; for those who may start tasks, as it feeds theirs."""
        await hold(interaction)
        await demand(interaction, Right.START)
        found = await parts_of(interaction).engine.look.memories(here(interaction))
        lines = [
            f"**#{m.id}** {plain(m.text, 150)} · {plain(m.source, 40)} · <t:{int(m.at)}:d>" for m in found
        ]
        await answer(interaction, cut("\n".join(lines), 2000) or texts.NO_MEMORIES)

    @app_commands.command(name="forget", description=texts.CMD["memory.forget"])
    @app_commands.describe(memory=texts.OPT["memory"])
    @app_commands.autocomplete(memory=suggest.memories)
    async def forget(self, interaction: Interaction, memory: str) -> None:
        """One thing, for good; only if it is of this server."""
        await hold(interaction)
        person = await demand(interaction, Right.START)
        engine = parts_of(interaction).engine
        digits = memory.strip().lstrip("#")
        found = [m for m in await engine.look.memories(here(interaction)) if str(m.id) == digits]
        if not found:
            raise Refused(texts.NO_MEMORY.format(name=f"“{plain(memory, 40)}”"))
        await engine.handle(ForgetMemory(found[0].id, person.key))
        await answer(interaction, texts.FORGOTTEN.format(text=plain(found[0].text, 300)))


@app_commands.guild_only()
@app_commands.default_permissions(send_messages=True)
class FollowCog(commands.GroupCog, group_name="follow", group_description=texts.CMD["follow"]):
    """How much a person is told of a task."""

    async def _set(self, interaction: Interaction, task: str | None, mode: FollowMode) -> None:
        await hold(interaction)
        meant = await task_for(interaction, task)
        await demand_sight(interaction, meant)
        await parts_of(interaction).book.follow(meant.id, interaction.user.id, mode)
        await answer(interaction, texts.FOLLOW_SET[mode].format(id=meant.id))

    @app_commands.command(name="off", description=texts.CMD["follow.off"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=suggest.tasks)
    async def off(self, interaction: Interaction, task: str | None = None) -> None:
        """Nothing any more."""
        await self._set(interaction, task, "off")

    @app_commands.command(name="answers", description=texts.CMD["follow.answers"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=suggest.tasks)
    async def answers(self, interaction: Interaction, task: str | None = None) -> None:
        """What needs people, and the end."""
        await self._set(interaction, task, "answers")

    @app_commands.command(name="all", description=texts.CMD["follow.all"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=suggest.tasks)
    async def all(self, interaction: Interaction, task: str | None = None) -> None:
        """Every step forward besides."""
        await self._set(interaction, task, "all")


class HelpCog(commands.Cog):
    """One command."""

    @app_commands.command(name="help", description=texts.CMD["help"])
    @app_commands.guild_only()
    @app_commands.default_permissions(send_messages=True)
    async def help(self, interaction: Interaction) -> None:
        """How this works."""
        await answer(interaction, texts.HELP)
