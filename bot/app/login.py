"""Before the bot connects: whether it may read messages, and plain words for a refused login."""

from __future__ import annotations

from typing import Any, Literal

import discord

from bot import texts


async def reads_messages(token: str, choice: Literal["auto", "on", "off"], **options: Any) -> bool:
    """Whether to ask for the message-content intent; "auto" asks Discord what the application has.

    Asking for it without having it makes Discord close the connection (4014). `options` go to the client
    that asks. Raises discord.LoginFailure for a bad token.
    """
    if choice != "auto":
        return choice == "on"
    async with discord.Client(intents=discord.Intents(guilds=True), **options) as client:
        await client.login(token)
        flags = client.application_flags
    return flags.gateway_message_content or flags.gateway_message_content_limited


def login_error_text(error: BaseException) -> str | None:
    """What to tell the operator when the login was refused; None for any other error."""
    if isinstance(error, discord.LoginFailure):
        return texts.LOGIN_FAILED
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return texts.INTENT_MISSING
    return None
