"""Read people's attachments for the workspace: safe distinct paths, limited size."""

from __future__ import annotations

from collections.abc import Container, Sequence

import discord

from bot.discord.errors import ActionRefused
from bot.discord.formatting import safe_name, size
from bot.discord.limits import FILE_BYTES
from bot.texts import refusals

FOLDER = "attachments"


async def files_of(attachments: Sequence[discord.Attachment], folder: str = FOLDER) -> dict[str, bytes]:
    """Return attachments by their path in the workspace.

    Raises ActionRefused for one over 10 MiB, and for one that is not there (any more).
    """
    for attachment in attachments:
        if attachment.size > FILE_BYTES:
            name, much = safe_name(attachment.filename), size(attachment.size)
            raise ActionRefused(refusals.BIG_FILE.format(name=name, size=much, limit=size(FILE_BYTES)))
    paths = paths_of(attachments, folder)
    return {path: await _read(attachment) for path, attachment in paths.items()}


async def _read(attachment: discord.Attachment) -> bytes:
    try:
        return await attachment.read()
    except (discord.NotFound, discord.Forbidden) as error:  # its address has ended, or it was removed
        raise ActionRefused(refusals.FILE_GONE.format(name=safe_name(attachment.filename))) from error


def paths_of(
    attachments: Sequence[discord.Attachment], folder: str = FOLDER
) -> dict[str, discord.Attachment]:
    """Return attachments by their path in the workspace."""
    paths: dict[str, discord.Attachment] = {}
    for attachment in attachments:
        paths[free_path(f"{folder}/{safe_name(attachment.filename)}", paths)] = attachment
    return paths


def free_path(path: str, taken: Container[str]) -> str:
    """Return `path`, or the first of `path-2`, `path-3`, … (before the suffix) that is not taken."""
    folder, slash, name = path.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if not stem:
        stem, dot, ending = name, "", ""
    tried, number = path, 2
    while tried in taken:
        tried = f"{folder}{slash}{stem}-{number}{dot}{ending}"
        number += 1
    return tried
