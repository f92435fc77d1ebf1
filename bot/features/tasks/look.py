"""`/task list`, `status`, `log` and `tree`: show tasks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord import autocomplete
from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import fitting, many, plain
from bot.discord.interactions import answer, hold, require_view, visible_tasks
from bot.discord.lookup import current_space, task_for
from bot.features.tasks.card import CardModel, card_view, cost_text, state_of
from bot.features.tasks.command_group import TASK
from bot.features.tasks.drawings import show_organisation, show_timeline
from bot.features.tasks.pages import page_view
from bot.features.tasks.questions import load_questions
from bot.features.tasks.tree import tree_text
from bot.features.tasks.waiting import load_waiting
from engine.queries import TaskView

LISTED, LOOKED_AT = 15, 100
LIST_TEXT = 1_850
"""Characters of the lines; with how to find more tasks it is less than a message holds."""


def task_line(task: TaskView) -> str:
    """Return a task as one line of the list."""
    done = f"{task.accepted}/{task.assignments} accepted" if task.assignments else many(task.agents, "agent")
    return (
        f"**#{task.id}** {state_of(task)} · {done} · {cost_text(task.spend)}"
        f" · {plain(task.title or task.goal, 80)}"
    )


def list_text(tasks: Sequence[TaskView]) -> str:
    """Return the first tasks as lines that fit into a message, and how to find the others."""
    lines = fitting([task_line(task) for task in tasks[:LISTED]], LIST_TEXT)
    return "\n".join([*lines, texts.TASKS_MORE] if len(tasks) > len(lines) else lines)


class TaskLook(commands.Cog):
    """The commands of the `/task` cog that show tasks."""

    @TASK.command(name="list", description=texts.CMD["task.list"])
    async def list(self, interaction: Interaction) -> None:
        """The newest tasks of this server that the person may look into."""
        await hold(interaction)
        newest = await parts_of(interaction).engine.look.tasks(current_space(interaction), limit=LOOKED_AT)
        tasks = await visible_tasks(interaction, newest)
        await answer(interaction, list_text(tasks) or texts.NO_TASKS)

    @TASK.command(name="status", description=texts.CMD["task.status"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def status(self, interaction: Interaction, task: str | None = None) -> None:
        """A card of the task as it is now, for the one who asked."""
        await hold(interaction)
        meant = await task_for(interaction, task)
        await require_view(interaction, meant)
        parts = parts_of(interaction)
        lines = await parts.records.log(meant.id, 5)
        agents = await parts.engine.look.agents(meant.id)
        waiting = await load_waiting(parts.engine.look, meant.id, time.time())
        model = CardModel(
            meant,
            tuple(agents),
            tuple(line.line for line in lines),
            waiting=waiting,
            questions=await load_questions(parts.engine.look, parts.routes, meant),
            usual_model=next(iter(parts.models.usual), ""),
        )
        await answer(interaction, view=card_view(model))

    @TASK.command(name="tree", description=texts.CMD["task.tree"])
    @app_commands.describe(task=texts.OPT["task"], picture=texts.OPT["picture"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def tree(
        self,
        interaction: Interaction,
        task: str | None = None,
        picture: Literal["organisation", "timeline"] | None = None,
    ) -> None:
        """The organisation, in as much detail as one message takes, or as a picture."""
        await hold(interaction)
        meant = await task_for(interaction, task)
        if picture is not None:
            await (show_organisation if picture == "organisation" else show_timeline)(interaction, meant)
            return
        await require_view(interaction, meant)
        look = parts_of(interaction).engine.look
        agents = await look.agents(meant.id)
        waiting = await load_waiting(look, meant.id, time.time())
        shown = tree_text(
            agents, 1900, lines=60, waiting=waiting, model=meant.model, ended=meant.ended_at is not None
        )
        await answer(interaction, shown)

    @TASK.command(name="log", description=texts.CMD["task.log"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def log(self, interaction: Interaction, task: str | None = None) -> None:
        """Show the task's log in pages, newest first."""
        await hold(interaction)
        meant = await task_for(interaction, task)
        await require_view(interaction, meant)
        text, view = await page_view(interaction, "log", meant.id, 0)
        await answer(interaction, text, view=view)
