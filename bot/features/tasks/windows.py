"""Modals of one task."""

from __future__ import annotations

from collections.abc import Mapping

import discord

from bot import texts
from bot.discord.context import Interaction
from bot.discord.interactions import answer, hold
from bot.discord.lookup import task_by_id
from bot.discord.windows import window
from bot.features.tasks import actions as task_actions
from bot.features.tasks.cap_fields import cap_asks, caps_of
from engine.queries import TaskView


def cap_window(task: TaskView) -> discord.ui.Modal:
    """Raise a task's caps; empty fields stay as they are."""
    return window(f"cap:{task.id}", texts.MODAL_CAP.format(id=task.id), *cap_asks(task.limits))


async def capped(interaction: Interaction, task_id: int, values: Mapping[str, str]) -> None:
    """Raise the caps that changed."""
    await hold(interaction)
    task = await task_by_id(interaction, task_id)
    await answer(interaction, await task_actions.raise_cap(interaction, task, caps_of(values)))
