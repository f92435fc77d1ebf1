"""`/task new`: a goal by option, by text file, or in a window when it is long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord import autocomplete
from bot.discord.attachments import files_of
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import plain
from bot.discord.identities import origin_of
from bot.discord.interactions import answer, hold, requester
from bot.discord.lookup import current_space
from bot.discord.windows import TextField, inputs_of, window
from bot.features.tasks.actions import left_here, limits_of, model_line, quota_here, require_start, with_left
from bot.features.tasks.command_group import TASK
from bot.features.tasks.drafts import keep_draft, read_draft, take_draft
from bot.texts import refusals
from bot.texts import steering as words
from engine.commands import Limits, StartTask
from engine.domain.goals import checked_goal

TEXT_ENDINGS = (".txt", ".md")
KIND = "order"
UPLOAD, MOST_FILES = "files", 10


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """What was asked besides the goal, while a window is open for it."""

    limits: Limits
    model: str | None
    attachments: tuple[discord.Attachment, ...]


async def keep(interaction: Interaction, order: TaskDraft) -> int:
    """Store the draft; return the number under which `goal_typed` finds it."""
    kept = {
        "limits": asdict(order.limits),
        "model": order.model,
        "attachments": [attachment.to_dict() for attachment in order.attachments],
    }
    return await keep_draft(interaction, KIND, kept)


async def _kept(interaction: Interaction, number: int) -> TaskDraft | None:
    kept = await read_draft(interaction, KIND, number)
    if kept is None:
        return None
    state = interaction.client._connection
    files = tuple(discord.Attachment(data=data, state=state) for data in kept["attachments"])
    return TaskDraft(Limits(**kept["limits"]), kept["model"], files)


async def _taken(interaction: Interaction, number: int) -> TaskDraft:
    """Remove and return the draft if its person may still start it. Raises ActionRefused."""
    order = await _kept(interaction, number)
    if order is not None:
        await require_start(interaction, order.limits, order.model)
    if order is None or not await take_draft(interaction, KIND, number):
        raise ActionRefused(refusals.DRAFT_LOST)
    return order


def goal_in_files(files: Mapping[str, bytes]) -> str:
    """Return the content of the first text file, "" if there is none."""
    for path, content in files.items():
        if path.lower().endswith(TEXT_ENDINGS):
            return content.decode("utf-8", "replace").strip()
    return ""


async def start(interaction: Interaction, goal: str, order: TaskDraft) -> None:
    """Start the task, show its card here, tell the person where."""
    await show_started(interaction, await begin(interaction, goal, order), order)


async def begin(interaction: Interaction, goal: str, order: TaskDraft) -> int:
    """Start the task and return its id. The rights are asked here, where it counts: a window may have stood
    open for a day."""
    person = await require_start(interaction, order.limits, order.model)
    parts = parts_of(interaction)
    files = await files_of(order.attachments)
    goal = checked_goal(goal or goal_in_files(files))
    return await parts.engine.handle(
        StartTask(
            goal,
            person.key,
            current_space(interaction),
            order.limits,
            files,
            order.model,
            origin=origin_of(interaction.channel_id or 0),
            quota=await quota_here(interaction, person),
            by_name=person.named,
        )
    )


async def show_started(interaction: Interaction, task_id: int, order: TaskDraft) -> None:
    """Show the card of a task that `begin` started, and tell the person where."""
    person = requester(interaction)
    parts_of(interaction).outages.watch(task_id, interaction)
    await announce(interaction, task_id, order.model or "", await left_here(interaction, person))


async def announce(interaction: Interaction, task_id: int, model: str = "", left: str = "") -> None:
    """Show the card of a task that was just started here, and tell the person where it can be followed and
    what is left of the month."""
    parts, channel_id = parts_of(interaction), interaction.channel_id or 0
    shown = await parts.cards.opened(task_id, channel_id)
    told, where = texts.TASK_STARTED if shown else texts.TASK_STARTED_UNSEEN, f"<#{channel_id}>"
    named = words.MODEL_STARTED.format(model=model_line(interaction, model)) if model else ""
    below = "".join(f"\n{part}" for part in (named, left) if part)
    await answer(interaction, told.format(id=task_id, where=where) + below)
    if shown:
        root = (await parts.engine.look.task(task_id)).root_group_id
        parts.start_replies.watch(interaction, task_id, root, where, below)


async def goal_typed(interaction: Interaction, number: int, values: Mapping[str, str]) -> None:
    """Start the task with the submitted goal."""
    await hold(interaction)
    order = await _taken(interaction, number)
    files = (*order.attachments, *uploaded(interaction))
    await start(interaction, values["goal"], replace(order, attachments=files))


async def open_goal_window(interaction: Interaction, order: TaskDraft, goal: str = "") -> None:
    """Open the window for a goal, with `goal` in it to begin with."""
    number = await keep(interaction, order)
    await interaction.response.send_modal(goal_window(number, await _terms(interaction, order), goal))


def goal_window(number: int, terms: str, goal: str = "") -> discord.ui.Modal:
    """Return the modal for a goal: its text, files, and what the task may use."""
    field = TextField("goal", texts.MODAL_GOAL_LABEL, goal, hint=texts.MODAL_GOAL_EXAMPLE, required=False)
    made = window(f"goal:{number}", texts.MODAL_GOAL, field)
    upload: discord.ui.FileUpload[Any] = discord.ui.FileUpload(
        custom_id=UPLOAD, required=False, min_values=0, max_values=MOST_FILES
    )
    made.add_item(discord.ui.Label(text=texts.MODAL_GOAL_FILES, component=upload))
    made.add_item(discord.ui.TextDisplay(terms))
    return made


async def _terms(interaction: Interaction, order: TaskDraft) -> str:
    """Return what the task may use and who thinks, as said before it starts."""
    parts = parts_of(interaction)
    given = {name: getattr(order.limits, name) or getattr(parts.defaults, name) for name in Limits.__slots__}
    model = order.model or ", ".join(parts.models.usual)
    if parts.models.embedded:
        return texts.MODAL_TERMS_EMBEDDED.format(minutes=given["minutes"])
    terms = texts.MODAL_TERMS.format(model=plain(model, 100), caps=texts.caps(Limits(**given)))
    return with_left(terms, await left_here(interaction, requester(interaction)))


def uploaded(interaction: Interaction) -> tuple[discord.Attachment, ...]:
    """Return the files that came with the submitted window."""
    data: Any = interaction.data or {}
    found = data.get("resolved", {}).get("attachments", {})
    wanted = [str(each) for box in inputs_of(data, UPLOAD) for each in box.get("values") or ()]
    state = interaction.client._connection
    return tuple(discord.Attachment(data=found[each], state=state) for each in wanted if each in found)


class TaskNew(commands.Cog):
    """The command of the `/task` cog that starts tasks."""

    @TASK.command(name="new", description=texts.CMD["task.new"])
    @app_commands.describe(
        goal=texts.OPT["goal"],
        file1=texts.OPT["file"],
        file2=texts.OPT["file"],
        file3=texts.OPT["file"],
        model=texts.OPT["model"],
        agents=texts.OPT["agents"],
        budget=texts.OPT["budget"],
        tokens=texts.OPT["tokens"],
        minutes=texts.OPT["minutes"],
    )
    @app_commands.autocomplete(model=autocomplete.models)
    async def new(
        self,
        interaction: Interaction,
        goal: str | None = None,
        file1: discord.Attachment | None = None,
        file2: discord.Attachment | None = None,
        file3: discord.Attachment | None = None,
        model: app_commands.Range[str, 1, 100] | None = None,
        agents: app_commands.Range[int, 1, 10_000] | None = None,
        budget: float | None = None,
        tokens: app_commands.Range[int, 1, 2_000_000_000] | None = None,
        minutes: app_commands.Range[int, 1, 43_200] | None = None,
    ) -> None:
        """Start at once, or open the window when neither goal nor file says what to do."""
        limits = limits_of(budget, agents, minutes, tokens)
        given = tuple(file for file in (file1, file2, file3) if file is not None)
        order = TaskDraft(limits, model, given)
        await require_start(interaction, limits, model)
        told = any(file.filename.lower().endswith(TEXT_ENDINGS) for file in given)
        if goal is None and not told:
            await open_goal_window(interaction, order)
            return
        await hold(interaction)
        await start(interaction, "" if goal is None else checked_goal(goal), order)
