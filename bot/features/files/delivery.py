"""Deliver files within this server's upload limit; otherwise tell the person how to get them."""

from __future__ import annotations

import asyncio
import tempfile
import zipfile
from collections.abc import Awaitable
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import TypeVar

import discord

from bot import texts
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import safe_name, size
from bot.discord.interactions import answer, require_view
from bot.discord.limits import FILE_BYTES
from bot.texts import refusals
from engine.queries import TaskView

T = TypeVar("T")

TOO_LARGE = 40005

PATIENCE_S = 3.0


def most_bytes(interaction: Interaction) -> int:
    """Return the upload limit in bytes of one file here: what the interaction says, if less."""
    known = interaction.guild.filesize_limit if interaction.guild else FILE_BYTES
    return min(known, interaction.filesize_limit or known)


ALT = 1024
"""Characters of a description of a file (Discord's rule)."""


async def hand_over(
    interaction: Interaction,
    name: str,
    content: BufferedIOBase,
    *,
    view: discord.ui.View | None = None,
    alt: str = "",
) -> None:
    """Attach `content` from its start; `alt`: what a picture shows, for those who do not see it.

    Raises ActionRefused over the limit, or when Discord says so.
    """
    count, limit = content.seek(0, 2), most_bytes(interaction)
    content.seek(0)
    if count <= limit:
        try:
            return await answer(
                interaction, view=view, files=[discord.File(content, name, description=alt[:ALT] or None)]
            )
        except discord.HTTPException as error:
            if not too_large(error):
                raise
            limit = min(limit, FILE_BYTES)
    raise ActionRefused(refusals.TOO_BIG.format(size=size(count), limit=size(limit)))


def packed(name: str, data: bytes, limit: int) -> tuple[str, bytes] | None:
    """Return a file that is within the limit: as it is, else as a ZIP, None when that is over it, too."""
    if len(data) <= limit:
        return name, data
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return (f"{name}.zip", target.getvalue()) if target.tell() <= limit else None


def too_large(error: discord.HTTPException) -> bool:
    """Return whether Discord, or its edge, refuses a request for its size."""
    return error.status == 413 or error.code == TOO_LARGE


async def hand_zip(interaction: Interaction, task: TaskView) -> None:
    """Attach all current files in as many ZIPs as needed, packed one file at a time on disk.

    A request holds less than a file may have: when Discord refuses a ZIP for its size, smaller ones are made.
    """
    await require_view(interaction, task)
    limit = most_bytes(interaction)
    try:
        await _hand_zips(interaction, task, limit)
    except discord.HTTPException as error:
        if not too_large(error) or limit <= FILE_BYTES:
            raise
        await _hand_zips(interaction, task, FILE_BYTES)


async def _hand_zips(interaction: Interaction, task: TaskView, limit: int) -> None:
    look = parts_of(interaction).engine.look
    files = list(await look.files(task.id))
    if not files:
        raise ActionRefused(refusals.NO_FILES)
    with tempfile.TemporaryDirectory(prefix="megaagent-zip-") as folder:
        packer = _Packer(Path(folder), task.id, limit)

        async def pack() -> list[Path]:
            for file in files:
                content = await look.read_file(task.id, file.path)
                await asyncio.to_thread(packer.add, file.path, content)
            return await asyncio.to_thread(packer.close)

        archives = await _patiently(interaction, pack())
        for number, parcel in enumerate(archives, 1):
            note = texts.ZIP_PART.format(number=number, of=len(archives)) if len(archives) > 1 else None
            await answer(interaction, note, files=[discord.File(parcel)])
    if packer.left_out:
        names = texts.listed([f"`{safe_name(path)}`" for path in packer.left_out])
        await answer(interaction, texts.ZIP_LEFT_OUT.format(names=names))


async def _patiently(interaction: Interaction, packing: Awaitable[T]) -> T:
    """What `packing` gives; when that takes long, the person hears so meanwhile."""
    work = asyncio.ensure_future(packing)
    done, _ = await asyncio.wait([work], timeout=PATIENCE_S)
    if not done:
        await answer(interaction, texts.PACKING)
    return await work


class _Packer:
    """Fills ZIPs up to a size limit; files that are too large alone are listed. Runs in a thread."""

    def __init__(self, folder: Path, task_id: int, limit: int) -> None:
        self._folder, self._task_id, self._limit = folder, task_id, limit - 64 * 1024
        self._paths: list[Path] = []
        self._open: zipfile.ZipFile | None = None
        self._used = 0
        self.left_out: list[str] = []

    def add(self, path: str, content: bytes) -> None:
        """Add a file; it adds at most its size and twice its name's length."""
        cost = len(content) + 2 * len(path.encode()) + 200
        if cost > self._limit:
            self.left_out.append(path)
            return
        if self._open is None or self._used + cost > self._limit:
            self._begin()
        assert self._open is not None
        self._open.writestr(path, content)
        self._used += self._open.infolist()[-1].compress_size + 2 * len(path.encode()) + 200

    def _begin(self) -> None:
        if self._open is not None:
            self._open.close()
        path = self._folder / f"task-{self._task_id}-{len(self._paths) + 1}.zip"
        self._paths.append(path)
        self._open = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._used = 0

    def close(self) -> list[Path]:
        """Close the last ZIP and return the paths of all, in order."""
        if self._open is not None:
            self._open.close()
        return self._paths


async def hand_bundle(interaction: Interaction, task: TaskView) -> None:
    """Attach the whole history as a Git bundle (`git clone task-1.bundle`)."""
    await require_view(interaction, task)
    with tempfile.TemporaryDirectory(prefix="megaagent-bundle-") as folder:
        target = Path(folder) / f"task-{task.id}.bundle"
        await _patiently(interaction, parts_of(interaction).archive.bundle(task.id, target))
        with await asyncio.to_thread(target.open, "rb") as content:
            await hand_over(interaction, target.name, content)
