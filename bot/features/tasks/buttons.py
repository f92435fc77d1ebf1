"""The buttons of a task: on its card and in the confirmation of stopping it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import discord

from bot import texts
from bot.discord.access import Right
from bot.discord.confirmations import settle
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.interactions import answer, hold, require_right, require_view
from bot.discord.lookup import task_by_id
from bot.discord.reporting_item import ReportingItem
from bot.features.files.browser import files_page
from bot.features.files.delivery import hand_bundle, hand_zip
from bot.features.tasks import actions as task_actions
from bot.features.tasks.button_style import task_button
from bot.features.tasks.continuing import offer_to_continue, open_continue_window
from bot.features.tasks.drawings import show_organisation, show_timeline
from bot.features.tasks.windows import cap_window
from bot.storage.guild_settings import FollowMode
from bot.texts import refusals
from engine.queries import TaskView

Verb = Callable[[Interaction, TaskView], Awaitable[None]]


class TaskButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"task:(?P<verb>[a-z_]+):(?P<task>\d{1,12})",
):
    """`task:<verb>:<task id>`; the verb is looked up in `VERBS` when pressed."""

    def __init__(self, task_id: int, verb: str) -> None:
        super().__init__(task_button(task_id, verb))
        self.task_id, self.verb = task_id, verb

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> TaskButton:
        """The button that was pressed, from its id alone."""
        return cls(int(match["task"]), match["verb"])

    async def pressed(self, interaction: Interaction) -> None:
        """Carry out the verb on the task, if it belongs to this server."""
        if self.verb not in VERBS:
            raise ActionRefused(refusals.OTHER_VERSION)
        if self.verb not in ACKNOWLEDGES:
            await hold(interaction)
        await VERBS[self.verb](interaction, await task_by_id(interaction, self.task_id))


async def _pause(interaction: Interaction, task: TaskView) -> None:
    await answer(interaction, await task_actions.pause_task(interaction, task))
    await parts_of(interaction).cards.refresh(task.id)


async def _resume(interaction: Interaction, task: TaskView) -> None:
    await answer(interaction, await task_actions.resume_task(interaction, task))
    await parts_of(interaction).cards.refresh(task.id)


async def ask_to_stop(interaction: Interaction, task: TaskView) -> None:
    """Ask for confirmation before stopping the task; of an ended one, whether to continue it."""
    await require_right(interaction, Right.STEER, task)
    if task.ended_at is not None:
        await offer_to_continue(interaction, task)
        return
    await answer(interaction, texts.STOP_SURE.format(id=task.id), view=stop_view(task.id))


async def _stop_yes(interaction: Interaction, task: TaskView) -> None:
    await settle(interaction, task_actions.stop_task(interaction, task))
    await parts_of(interaction).cards.refresh(task.id)


async def _stop_no(interaction: Interaction, task: TaskView) -> None:
    await require_right(interaction, Right.STEER, task)
    await interaction.response.edit_message(content=texts.STOP_NOT.format(id=task.id), view=None)


async def _files(interaction: Interaction, task: TaskView) -> None:
    text, view = await files_page(interaction, task, 0)
    await answer(interaction, text, view=view)


async def _follow(interaction: Interaction, task: TaskView) -> None:
    """Switch to the next follow mode: off, answers, all."""
    await require_view(interaction, task)
    records = parts_of(interaction).records
    now = await records.follow_mode(task.id, interaction.user.id) or "off"
    mode = NEXT_MODE[now]
    await records.follow(task.id, interaction.user.id, mode)
    await answer(interaction, f"{texts.FOLLOW_SET[mode].format(id=task.id)} {texts.FOLLOW_AGAIN}")


async def _cap(interaction: Interaction, task: TaskView) -> None:
    await require_right(interaction, Right.SPEND, task)
    await interaction.response.send_modal(cap_window(task))


async def _continue(interaction: Interaction, task: TaskView) -> None:
    await open_continue_window(interaction, task)


def stop_view(task_id: int) -> discord.ui.View:
    """Return the confirmation buttons for stopping a task."""
    view = discord.ui.View(timeout=None)
    view.add_item(TaskButton(task_id, "stop_yes"))
    view.add_item(TaskButton(task_id, "stop_no"))
    return view


def end_view(task_id: int, continues: bool) -> discord.ui.View:
    """Return the buttons below the final report of a task, which `continues` where people want that."""
    view = discord.ui.View(timeout=None)
    for verb in ("continue", "files") if continues else ("files",):
        view.add_item(TaskButton(task_id, verb))
    return view


NEXT_MODE: Mapping[FollowMode, FollowMode] = {"off": "answers", "answers": "all", "all": "off"}
ACKNOWLEDGES = frozenset({"cap", "continue", "stop_yes", "stop_no"})
"""Verbs that acknowledge the press themselves: they open a window, or change the confirmation."""

VERBS: Mapping[str, Verb] = {
    "pause": _pause,
    "resume": _resume,
    "stop": ask_to_stop,
    "stop_yes": _stop_yes,
    "stop_no": _stop_no,
    "cap": _cap,
    "continue": _continue,
    "follow": _follow,
    "files": _files,
    "zip": hand_zip,
    "bundle": hand_bundle,
    "picture": show_organisation,
    "timeline": show_timeline,
}
