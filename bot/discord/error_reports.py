"""Turn errors into texts that name the next step; unforeseen errors are logged as incidents."""

from __future__ import annotations

import errno
import logging
import secrets
from collections.abc import Sequence

import aiohttp
import discord
from discord import app_commands

from bot import texts
from bot.discord.context import Interaction
from bot.discord.errors import UNDELIVERED, ActionRefused
from bot.discord.formatting import cut
from bot.discord.interactions import answer
from engine.errors import EngineError, ModelKeyRejected, ModelUnavailable, StorageFull
from engine.secrets import redact

log = logging.getLogger(__name__)


def explain(error: BaseException) -> str | None:
    """Return the text for the person, None for unforeseen errors."""
    if isinstance(error, app_commands.CommandInvokeError | app_commands.TransformerError):
        return explain(error.__cause__) if error.__cause__ else None
    if isinstance(error, ModelKeyRejected | ModelUnavailable):
        rejected = isinstance(error, ModelKeyRejected)
        return (texts.KEY_REJECTED if rejected else texts.UNREACHABLE).format(message=error)
    if isinstance(error, StorageFull):
        return texts.NO_DISK
    if isinstance(error, ActionRefused | EngineError):
        return str(error)
    if isinstance(error, app_commands.CheckFailure):
        return texts.GUILD_ONLY if isinstance(error, app_commands.NoPrivateMessage) else texts.NEEDS_MANAGE
    return _of_machine(error)


def _of_machine(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return texts.NO_DISK
    if "disk is full" in str(error).lower():  # SQLite's own word for the same, through SQLAlchemy
        return texts.NO_DISK
    if isinstance(error, discord.Forbidden):
        return texts.DISCORD_FORBIDDEN
    if isinstance(error, discord.NotFound):
        return texts.DISCORD_GONE
    if isinstance(error, discord.DiscordServerError | discord.RateLimited | aiohttp.ClientError):
        return texts.DISCORD_DOWN
    return None


def error_text(error: BaseException) -> str:
    """Return the text for the person; an unforeseen error is logged with a short incident number."""
    known = explain(error)
    if known is not None:
        return cut(redact(known), 1900)
    incident = secrets.token_hex(3)
    log.error("incident %s", incident, exc_info=error)
    return texts.UNKNOWN.format(incident=incident)


async def report(interaction: Interaction, error: BaseException, files: Sequence[discord.File] = ()) -> None:
    """Report the error to the person; an expired interaction (10062, 50027) is only logged.

    `files` give back what the person typed.
    """
    words = error_text(error)
    try:
        await answer(interaction, words, files=files)
    except UNDELIVERED as lost:
        log.warning("could not report an error to user %s: %s", interaction.user.id, lost)


async def on_command_error(interaction: Interaction, error: app_commands.AppCommandError) -> None:
    """Handle errors of the command tree; autocomplete errors cannot be shown and are only logged."""
    if interaction.type is discord.InteractionType.autocomplete:
        log.warning("autocomplete failed", exc_info=error)
        return
    await report(interaction, error)
