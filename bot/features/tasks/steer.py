"""`/task pause`, `resume`, `stop` and `cap`: the same actions as the card's buttons."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord import autocomplete
from bot.discord.access import Right
from bot.discord.context import Interaction, parts_of
from bot.discord.interactions import answer, hold, require_right
from bot.discord.lookup import task_for
from bot.features.tasks import actions as task_actions
from bot.features.tasks.buttons import ask_to_stop
from bot.features.tasks.command_group import TASK
from bot.features.tasks.continuing import open_continue_window
from bot.features.tasks.windows import cap_window
from engine.commands import Limits


class TaskSteer(commands.Cog):
    """The part of the task cog that steers."""

    @TASK.command(name="pause", description=texts.CMD["task.pause"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def pause(self, interaction: Interaction, task: str | None = None) -> None:
        """Pause the task."""
        await hold(interaction)
        meant = await task_for(interaction, task)
        await answer(interaction, await task_actions.pause_task(interaction, meant))
        await parts_of(interaction).cards.refresh(meant.id)

    @TASK.command(name="resume", description=texts.CMD["task.resume"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def resume(self, interaction: Interaction, task: str | None = None) -> None:
        """Resume the task."""
        await hold(interaction)
        meant = await task_for(interaction, task)
        await answer(interaction, await task_actions.resume_task(interaction, meant))
        await parts_of(interaction).cards.refresh(meant.id)

    @TASK.command(name="continue", description=texts.CMD["task.continue"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def continue_(self, interaction: Interaction, task: str | None = None) -> None:
        """Open the window that says what happens next and what it may use."""
        await open_continue_window(interaction, await task_for(interaction, task, ended=True))

    @TASK.command(name="stop", description=texts.CMD["task.stop"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def stop(self, interaction: Interaction, task: str | None = None) -> None:
        """Ask for confirmation; the buttons of the answer stop the task."""
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
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def cap(
        self,
        interaction: Interaction,
        task: str | None = None,
        budget: float | None = None,
        tokens: app_commands.Range[int, 1, 2_000_000_000] | None = None,
        agents: app_commands.Range[int, 1, 10_000] | None = None,
        minutes: app_commands.Range[int, 1, 43_200] | None = None,
    ) -> None:
        """Raise the given caps, or open the modal if none is given."""
        meant = await task_for(interaction, task)
        await require_right(interaction, Right.SPEND, meant)
        limits = task_actions.limits_of(budget, agents, minutes, tokens)
        if limits == Limits():
            await interaction.response.send_modal(cap_window(meant))
            return
        await hold(interaction)
        await answer(interaction, await task_actions.raise_cap(interaction, meant, limits))
        await parts_of(interaction).cards.refresh(meant.id)
