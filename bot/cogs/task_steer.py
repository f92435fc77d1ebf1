"""`/task pause resume stop cap`: the same deeds as the card's buttons."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot import deeds, texts
from bot.access import Right
from bot.cogs import suggest
from bot.cogs.task_group import TASK
from bot.desk import Interaction, answer, demand, hold, parts_of, task_for
from bot.views.task_button import ask_to_stop
from bot.views.windows import cap_window
from engine.commands import Limits


class TaskSteer(commands.Cog):
    """The part of the task cog that steers."""

    @TASK.command(name="pause", description=texts.CMD["task.pause"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=suggest.tasks)
    async def pause(self, interaction: Interaction, task: str | None = None) -> None:
        """Pause."""
        await hold(interaction)
        meant = await task_for(interaction, task)
        await answer(interaction, await deeds.pause_task(interaction, meant))
        await parts_of(interaction).cards.refresh(meant.id)

    @TASK.command(name="resume", description=texts.CMD["task.resume"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=suggest.tasks)
    async def resume(self, interaction: Interaction, task: str | None = None) -> None:
        """Go on."""
        await hold(interaction)
        meant = await task_for(interaction, task)
        await answer(interaction, await deeds.resume_task(interaction, meant))
        await parts_of(interaction).cards.refresh(meant.id)

    @TASK.command(name="stop", description=texts.CMD["task.stop"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=suggest.tasks)
    async def stop(self, interaction: Interaction, task: str | None = None) -> None:
        """Ask once more, then stop: the answer's buttons do it."""
        await hold(interaction)
        meant = await task_for(interaction, task)
        await ask_to_stop(interaction, meant)

    @TASK.command(name="cap", description=texts.CMD["task.cap"])
    @app_commands.describe(
        task=texts.OPT["task"],
        budget=texts.OPT["budget"],
        tokens=texts.OPT["tokens"],
        agents=texts.OPT["agents"],
        minutes=texts.OPT["minutes"],
    )
    @app_commands.autocomplete(task=suggest.tasks)
    async def cap(
        self,
        interaction: Interaction,
        task: str | None = None,
        budget: float | None = None,
        tokens: app_commands.Range[int, 1, 2_000_000_000] | None = None,
        agents: app_commands.Range[int, 1, 10_000] | None = None,
        minutes: app_commands.Range[int, 1, 43_200] | None = None,
    ) -> None:
        """Raise the caps given, or open the window for them when none is."""
        meant = await task_for(interaction, task)
        await demand(interaction, Right.SPEND, meant)
        limits = deeds.limits_of(budget, agents, minutes, tokens)
        if limits == Limits():
            await interaction.response.send_modal(cap_window(meant))
            return
        await hold(interaction)
        await answer(interaction, await deeds.raise_cap(interaction, meant, limits))
        await parts_of(interaction).cards.refresh(meant.id)
