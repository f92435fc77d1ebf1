"""Read people's attachments for the workspace: safe distinct paths, limited size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import discord

from bot import texts
from bot.discord.errors import ActionRefused
from bot.discord.formatting import safe_name, size
from bot.discord.limits import FILE_BYTES

FOLDER = "attachments"


async def files_of(attachments: Sequence[discord.Attachment], folder: str = FOLDER) -> dict[str, bytes]:
    """Return attachments by their path in the workspace. Raises ActionRefused for one over 10 MiB."""
    files: dict[str, bytes] = {}
    for attachment in attachments:
        name = safe_name(attachment.filename)
        if attachment.size > FILE_BYTES:
            text = texts.BIG_FILE.format(name=name, size=size(attachment.size), limit=size(FILE_BYTES))
            raise ActionRefused(text)
        files[free_path(f"{folder}/{name}", files)] = await attachment.read()
    return files


def free_path(path: str, taken: Mapping[str, bytes]) -> str:
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
