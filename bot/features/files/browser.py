"""Browsing a task's files: a page of names to choose from, one file, its history, who wrote its lines.

Paths are longer than custom ids may be, so ids carry a short hash of the path, looked up among the task's
current files again on every press; a path never comes from the client.
"""

from __future__ import annotations

import hashlib
import re
from io import BytesIO
from typing import Any

import discord

from bot import texts
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import cut, many, safe_name, size
from bot.discord.interactions import acknowledge, answer, hold, require_view
from bot.discord.lookup import task_by_id
from bot.discord.reporting_item import ReportingItem
from bot.features.files.delivery import hand_over
from bot.features.files.text import author_name, blame_text, content_text, history_text, is_picture
from bot.features.tasks.button_style import task_button
from bot.texts import refusals
from engine.queries import FileView, TaskView

A_PAGE = 25


def path_id(path: str) -> str:
    """Twelve hex digits that stand for a path in a custom id."""
    return hashlib.sha256(path.encode()).hexdigest()[:12]


class FileButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"file:(?P<verb>view|history|blame|download):(?P<task>\d{1,12}):(?P<path>[0-9a-f]{12})",
):
    """`file:<verb>:<task id>:<hash of the path>`."""

    def __init__(self, task_id: int, verb: str, path_hash: str) -> None:
        custom_id = f"file:{verb}:{task_id}:{path_hash}"
        super().__init__(discord.ui.Button(label=texts.BUTTON[verb], custom_id=custom_id))
        self.task_id, self.verb, self.path_hash = task_id, verb, path_hash

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> FileButton:
        """The button that was pressed, from its id alone."""
        return cls(int(match["task"]), match["verb"], match["path"])

    async def pressed(self, interaction: Interaction) -> None:
        """Show the file, its history or its authors, or attach it."""
        await hold(interaction)
        await show_file(interaction, self.task_id, self.path_hash, self.verb)


class FileSelect(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Select[Any]],
    template=r"files:(?P<task>\d{1,12}):(?P<page>\d{1,5})",
):
    """`files:<task id>:<page>`; its values are hashes of paths."""

    def __init__(self, task_id: int, page: int, files: list[FileView]) -> None:
        options = [
            discord.SelectOption(
                label=cut(f.path, 100),
                value=path_id(f.path),
                description=cut(f"{size(f.size)}, {author_name(f.agent)}", 100),
            )
            for f in files
        ]
        select: discord.ui.Select[Any] = discord.ui.Select(
            custom_id=f"files:{task_id}:{page}",
            options=options or [discord.SelectOption(label="-", value="-")],
            placeholder=texts.CHOOSE_FILE,
        )
        super().__init__(select)
        self.task_id = task_id

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> FileSelect:
        """The menu something was chosen in, from its id alone."""
        return cls(int(match["task"]), int(match["page"]), [])

    async def pressed(self, interaction: Interaction) -> None:
        """Show the file that was chosen."""
        await hold(interaction)
        await show_file(interaction, self.task_id, next(iter(self.item.values), ""), "view")


class FilesButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"browse:(?P<task>\d{1,12}):(?P<page>\d{1,5}):(?P<way>earlier|later)",
):
    """`browse:<task id>:<page>:<way>`: turns the pages of the list."""

    def __init__(self, task_id: int, page: int, way: str) -> None:
        label = texts.NEXT_FILES if way == "later" else texts.FILES_BEFORE
        super().__init__(discord.ui.Button(label=label, custom_id=f"browse:{task_id}:{page}:{way}"))
        self.task_id, self.page = task_id, page

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> FilesButton:
        """The button that was pressed, from its id alone."""
        return cls(int(match["task"]), int(match["page"]), match["way"])

    async def pressed(self, interaction: Interaction) -> None:
        """Turn to the page in the same message."""
        await acknowledge(interaction)
        task = await task_by_id(interaction, self.task_id)
        text, view = await files_page(interaction, task, self.page)
        await interaction.edit_original_response(content=text, view=view)


async def files_page(interaction: Interaction, task: TaskView, page: int) -> tuple[str, discord.ui.View]:
    """A page of the list of files. Raises ActionRefused when there are none."""
    await require_view(interaction, task)
    files = list(await parts_of(interaction).engine.look.files(task.id))
    if not files:
        raise ActionRefused(refusals.NO_FILES)
    shown = files[page * A_PAGE : (page + 1) * A_PAGE]
    view = discord.ui.View(timeout=None)
    view.add_item(FileSelect(task.id, page, shown))
    if page:
        view.add_item(FilesButton(task.id, page - 1, "earlier"))
    if len(files) > (page + 1) * A_PAGE:
        view.add_item(FilesButton(task.id, page + 1, "later"))
    view.add_item(task_button(task.id, "zip"))
    view.add_item(task_button(task.id, "bundle"))
    total = size(sum(f.size for f in files))
    return texts.FILES_HEAD.format(id=task.id, count=many(len(files), "file"), size=total), view


async def show_file(interaction: Interaction, task_id: int, path_hash: str, verb: str) -> None:
    """Answer with the file's content, history, authors or itself. Raises ActionRefused if it was deleted."""
    task = await task_by_id(interaction, task_id)
    await require_view(interaction, task)
    look = parts_of(interaction).engine.look
    file = next((f for f in await look.files(task_id) if path_id(f.path) == path_hash), None)
    if file is None:
        raise ActionRefused(refusals.NO_FILE)
    view = file_buttons(task_id, path_hash, verb)
    if verb == "history":
        await answer(
            interaction, history_text(file.path, await look.history(task_id, file.path, 15)), view=view
        )
    elif verb == "blame":
        await answer(interaction, blame_text(file.path, await look.blame(task_id, file.path)), view=view)
    else:
        content = await look.read_file(task_id, file.path)
        await _show_content(interaction, file, content, verb, view)


async def _show_content(
    interaction: Interaction, file: FileView, content: bytes, verb: str, view: discord.ui.View
) -> None:
    name = safe_name(file.path)
    if verb == "download" or is_picture(file.path):
        await hand_over(interaction, name, BytesIO(content), view=view)
    else:
        await answer(interaction, content_text(file, content), view=view)


def file_buttons(task_id: int, path_hash: str, shown: str) -> discord.ui.View:
    """Return the buttons for the other views of a file."""
    view = discord.ui.View(timeout=None)
    for verb in ("view", "history", "blame", "download"):
        if verb != shown:
            view.add_item(FileButton(task_id, verb, path_hash))
    return view
