"""Turn errors into texts that name the next step; unforeseen errors are logged as incidents."""

from __future__ import annotations

import errno
import logging
import secrets
from collections.abc import Sequence

import aiohttp
import discord
from discord import app_commands

from bot.discord.context import Interaction
from bot.discord.errors import UNDELIVERED, ActionRefused
from bot.discord.formatting import cut
from bot.discord.interactions import ACKNOWLEDGED, answer
from bot.outbox.outcomes import NEEDS_2FA, heals
from bot.texts import refusals
from engine.errors import EngineError, ModelKeyRejected, ModelUnavailable, Refusal, Refused, StorageFull
from engine.secrets import redact

log = logging.getLogger(__name__)

MOST_REASON, MOST_STEP = 1_000, 900
"""Characters of what is told: a long reason never cuts the next step away."""


NOT_OURS = frozenset({10062, ACKNOWLEDGED})
"""Codes of interactions that cannot be answered: expired, or acknowledged by another process."""


def explain(error: BaseException) -> Refusal | None:
    """Return what the person is told, None for unforeseen errors."""
    match error:
        case app_commands.CommandInvokeError() | app_commands.TransformerError():
            return explain(error.__cause__) if error.__cause__ else None
        case ActionRefused() | Refused():
            return error.refusal
        case EngineError():
            return _of_engine(error)
        case app_commands.NoPrivateMessage():
            return refusals.GUILD_ONLY
        case app_commands.CheckFailure():
            return refusals.NEEDS_MANAGE
    return _of_machine(error)


def _of_engine(error: EngineError) -> Refusal:
    """Return what is told of an error of the model, the disk or the set-up."""
    if isinstance(error, StorageFull):
        return refusals.NO_DISK
    if isinstance(error, ModelKeyRejected):
        return refusals.KEY_REJECTED.format(message=error)
    if isinstance(error, ModelUnavailable):
        return refusals.UNREACHABLE.format(message=error)
    return Refusal(str(error), refusals.ASK_DOCTOR)


def _of_machine(error: BaseException) -> Refusal | None:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return refusals.NO_DISK
    if "disk is full" in str(error).lower():  # SQLite's own word for the same, through SQLAlchemy
        return refusals.NO_DISK
    return _of_discord(error)


def _of_discord(error: BaseException) -> Refusal | None:
    if isinstance(error, discord.RateLimited | aiohttp.ClientError):
        return refusals.DISCORD_DOWN
    if isinstance(error, discord.HTTPException) and heals(error):
        return refusals.DISCORD_DOWN
    if isinstance(error, discord.Forbidden):
        return refusals.DISCORD_2FA if error.code == NEEDS_2FA else refusals.DISCORD_FORBIDDEN
    return refusals.DISCORD_GONE if isinstance(error, discord.NotFound) else None


def error_text(error: BaseException) -> str:
    """Return the text for the person, which always ends with the next step.

    An unforeseen error is logged with a short incident number.
    """
    known = explain(error)
    if known is None:
        incident = secrets.token_hex(3)
        log.error("incident %s", incident, exc_info=error)
        known = refusals.UNKNOWN.format(incident=incident)
    return f"{cut(redact(known.reason), MOST_REASON)} {cut(redact(known.next_step), MOST_STEP)}"


def _code_of(error: BaseException) -> int:
    """Discord's code of an error, that of a command's cause too; 0 for any other."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    return error.code if isinstance(error, discord.HTTPException) else 0


async def report(interaction: Interaction, error: BaseException, files: Sequence[discord.File] = ()) -> None:
    """Report the error to the person; an expired interaction (10062, 50027) is only logged.

    `files` give back what the person typed.
    """
    if _code_of(error) in NOT_OURS:
        log.warning("an interaction of user %s came too late, or another process had it", interaction.user.id)
        return
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
