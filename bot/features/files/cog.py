"""`/task files`, `export` and `archive`: hand out a task's files, and close its channels."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from io import BytesIO

import discord
from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord import autocomplete
from bot.discord.access import Right
from bot.discord.context import ClosedPlaces, Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import cut
from bot.discord.interactions import answer, hold, require_right
from bot.discord.limits import FILE_BYTES
from bot.discord.lookup import task_for
from bot.features.files.browser import files_page
from bot.features.files.delivery import hand_bundle, hand_zip, most_bytes, packed
from bot.features.tasks.command_group import TASK
from bot.texts import refusals
from engine.commands import RecordArchive


class TaskFiles(commands.Cog):
    """The file commands of the `/task` cog."""

    @TASK.command(name="files", description=texts.CMD["task.files"])
    @app_commands.describe(task=texts.OPT["task"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def files(self, interaction: Interaction, task: str | None = None) -> None:
        """Show a list of files to choose from."""
        await hold(interaction)
        text, view = await files_page(interaction, await task_for(interaction, task), 0)
        await answer(interaction, text, view=view)

    @TASK.command(name="export", description=texts.CMD["task.export"])
    @app_commands.describe(task=texts.OPT["task"], history=texts.OPT["history"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def export(self, interaction: Interaction, task: str | None = None, history: bool = False) -> None:
        """Attach all files as ZIP, and the history as a Git bundle if requested."""
        await hold(interaction)
        meant = await task_for(interaction, task)
        await hand_zip(interaction, meant)
        if history:
            await hand_bundle(interaction, meant)

    @TASK.command(name="archive", description=texts.CMD["task.archive"])
    @app_commands.describe(task=texts.OPT["task"], remove=texts.OPT["remove"])
    @app_commands.autocomplete(task=autocomplete.tasks)
    async def archive(self, interaction: Interaction, task: str | None = None, remove: bool = False) -> None:
        """Close the places, hand over the transcript. Only after the end: a running task still needs them."""
        await hold(interaction)
        meant = await task_for(interaction, task)
        person = await require_right(interaction, Right.STEER, meant)
        if meant.ended_at is None:
            raise ActionRefused(refusals.ARCHIVE_RUNNING.format(id=meant.id))
        parts = parts_of(interaction)
        # Recorded first: what is deleted cannot be made undone, whatever fails after that.
        await parts.engine.handle(RecordArchive(meant.id, remove, person.key, person.named))
        closed = await parts.archive.close(meant.id, remove)
        limit = min(most_bytes(interaction), FILE_BYTES)
        tried = {
            name: await asyncio.to_thread(packed, name, data, limit) for name, data in closed.files.items()
        }
        kept = [file for file in tried.values() if file is not None]
        left_out = [name for name, file in tried.items() if file is None]
        said: str | None = cut(_archived(meant.id, remove, closed, left_out), 2000)
        together = sum(len(data) for _, data in kept) <= limit
        for files in [kept] if together else [[file] for file in kept]:
            await answer(interaction, said, files=[discord.File(BytesIO(data), name) for name, data in files])
            said = None


def _archived(task_id: int, remove: bool, closed: ClosedPlaces, left_out: Sequence[str]) -> str:
    """Say what became of the places, why some stay, and which files of the transcript are not attached."""
    lines = [texts.ARCHIVED.format(id=task_id, how=texts.REMOVED if remove else texts.READ_ONLY)]
    if len(left_out) < len(closed.files):
        lines[0] += f" {texts.ARCHIVED_ATTACHED}"
    if left_out:
        lines.append(texts.ARCHIVED_LEFT_OUT.format(names=texts.listed([f"`{name}`" for name in left_out])))
    if closed.forbidden:
        missing = texts.ARCHIVE_FORBIDDEN_REMOVE if remove else texts.ARCHIVE_FORBIDDEN
        lines.append(missing.format(places=_mentions(closed.forbidden)))
    if closed.not_ours:
        lines.append(texts.ARCHIVE_NOT_OURS.format(places=_mentions(closed.not_ours)))
    return "\n".join(lines)


def _mentions(ids: Sequence[int]) -> str:
    return texts.listed([f"<#{place_id}>" for place_id in ids])
