"""Continue a task after its end: the offer that states the caps, its buttons, its window, the action."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import discord

from bot import texts
from bot.discord.access import CONTINUE_RIGHTS, Person, Right
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.interactions import acknowledge, answer, hold, require_right, tidy
from bot.discord.lookup import agent_by_id, task_by_id
from bot.discord.reporting_item import ReportingItem
from bot.discord.windows import TextField, window
from bot.features.agents.saying import say
from bot.features.tasks.actions import above, left_here, quota_here, with_left
from bot.features.tasks.cap_fields import cap_field, caps_of
from bot.texts import refusals
from bot.texts import steering as words
from engine.commands import ContinueTask, Limits
from engine.domain.limits import continuation
from engine.errors import EngineError
from engine.queries import TaskView


def caps_to_continue(task: TaskView, defaults: Limits) -> Limits:
    """Return what the task may use more when it is continued without other caps."""
    return continuation(Limits(), task.given, defaults)


def offer(task: TaskView, defaults: Limits, *, kept: bool = True) -> tuple[str, discord.ui.View]:
    """Return what a person reads who wrote to an ended task (`kept`), and the buttons that continue it."""
    limits = caps_to_continue(task, defaults)
    form = words.OFFER if kept else words.OFFER_PLAIN
    text = form.format(id=task.id, state=task.state, caps=texts.caps(limits))
    view = discord.ui.View(timeout=None)
    view.add_item(ContinueButton(task.id, limits))
    view.add_item(ContinueButton(task.id, limits, asks=True))
    return text, view


def require_continuable(task: TaskView) -> None:
    """Require that the task has ended, and was no demonstration. Raises ActionRefused."""
    if task.ended_at is None:
        raise ActionRefused(refusals.NOT_ENDED.format(id=task.id, state=task.state))
    if task.demonstration:
        raise ActionRefused(refusals.OFFER_NOTHING.format(id=task.id))


async def offer_to_continue(interaction: Interaction, task: TaskView) -> None:
    """Answer that the task has ended, with the buttons that continue it. Raises ActionRefused."""
    require_continuable(task)
    text, view = offer(task, parts_of(interaction).defaults, kept=False)
    await answer(interaction, text, view=view)


async def require_continue(interaction: Interaction, task: TaskView, limits: Limits) -> Person:
    """Return the person, who may continue the task with these caps. Raises ActionRefused."""
    for right in CONTINUE_RIGHTS:
        await require_right(interaction, right, task)
    if above(limits, parts_of(interaction).defaults):
        await require_right(interaction, Right.SPEND, task)
    return await require_right(interaction, Right.STEER, task)


async def continue_task(interaction: Interaction, task: TaskView, limits: Limits, text: str = "") -> None:
    """Open the task's places again, pass on what the person adds, and continue it.

    The words go first: should anything fail after that, they are kept and offered again.
    """
    person = await require_continue(interaction, task, limits)
    require_continuable(task)
    parts = parts_of(interaction)
    closed = await parts.archive.reopen(task.id)  # first: nothing is posted in what is archived
    try:
        if text.strip():
            boss, _ = await agent_by_id(interaction, task.boss_id)
            await say(interaction, boss, task, text)
        quota = await quota_here(interaction, person)
        await parts.engine.handle(ContinueTask(task.id, person.key, person.named, limits, quota=quota))
    except (EngineError, ActionRefused):
        if closed is not None and (await parts.engine.look.task(task.id)).ended_at is not None:
            await parts.archive.close(task.id, False)
        raise
    now = await parts.engine.look.task(task.id)
    said = words.CONTINUED.format(id=task.id, caps=texts.caps(now.given))
    if closed:
        places = texts.listed([f"<#{place_id}>" for place_id in closed])
        said += "\n" + words.CONTINUED_CLOSED.format(places=places)
    await answer(interaction, with_left(said, await left_here(interaction, person)))
    await parts.cards.refresh(task.id)


def continue_window(task: TaskView, limits: Limits) -> discord.ui.Modal:
    """Return the window that continues a task: what to do next, and the caps."""
    numbers = (
        ("dollars", words.MODAL_CONTINUE_DOLLARS, f"{(limits.cost_micros or 0) / 1e6:.2f}"),
        ("tokens", words.MODAL_CONTINUE_TOKENS, str(limits.tokens or "")),
        ("minutes", words.MODAL_CONTINUE_MINUTES, str(limits.minutes or "")),
    )
    asks = [cap_field(name, label, default, required=True) for name, label, default in numbers]
    text = TextField("text", words.MODAL_CONTINUE_LABEL, required=False)
    return window(f"continue:{task.id}", words.MODAL_CONTINUE.format(id=task.id), text, *asks)


async def continued(interaction: Interaction, task_id: int, values: Mapping[str, str]) -> None:
    """Continue the task as the window says."""
    await hold(interaction)
    task = await task_by_id(interaction, task_id)
    await continue_task(interaction, task, caps_of(values), values.get("text", ""))


class ContinueButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"continue:(?P<verb>now|ask):(?P<task>\d{1,12}):(?P<micros>\d{1,15}):(?P<tokens>\d{1,15})"
    r":(?P<minutes>\d{1,9})",
):
    """`continue:<verb>:<task id>:<caps>`: the caps are those that were stated beside the button."""

    def __init__(self, task_id: int, limits: Limits, *, asks: bool = False) -> None:
        verb = "ask" if asks else "now"
        caps = f"{limits.cost_micros or 0}:{limits.tokens or 0}:{limits.minutes or 0}"
        style = discord.ButtonStyle.secondary if asks else discord.ButtonStyle.success
        label = texts.BUTTON["continue_ask" if asks else "continue"]
        custom_id = f"continue:{verb}:{task_id}:{caps}"
        super().__init__(discord.ui.Button(label=label, style=style, custom_id=custom_id))
        self.task_id, self.limits, self.asks = task_id, limits, asks

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> ContinueButton:
        """The button that was pressed, from its id alone."""
        micros, tokens, minutes = (int(match[name]) or None for name in ("micros", "tokens", "minutes"))
        limits = Limits(cost_micros=micros, tokens=tokens, minutes=minutes)
        return cls(int(match["task"]), limits, asks=match["verb"] == "ask")

    async def pressed(self, interaction: Interaction) -> None:
        """Continue with the stated caps, or open the window for others; the offer closes after use."""
        if self.asks:
            task = await task_by_id(interaction, self.task_id)
            await open_continue_window(interaction, task, self.limits)
            return
        await acknowledge(interaction)
        await continue_task(interaction, await task_by_id(interaction, self.task_id), self.limits)
        await tidy(interaction, view=None)


async def open_continue_window(
    interaction: Interaction, task: TaskView, limits: Limits | None = None
) -> None:
    """Open the window that continues a task. Raises ActionRefused."""
    limits = limits or caps_to_continue(task, parts_of(interaction).defaults)
    for right in CONTINUE_RIGHTS:
        await require_right(interaction, right, task)
    require_continuable(task)
    await interaction.response.send_modal(continue_window(task, limits))
