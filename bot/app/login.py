"""Prepare the login: check the Message Content intent, and explain a rejected login."""

from __future__ import annotations

from typing import Any, Literal

import discord

from bot import texts


async def reads_messages(token: str, choice: Literal["auto", "on", "off"], **options: Any) -> bool:
    """Return whether to request the Message Content intent; "auto" asks Discord whether it is enabled.

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
    """Return the text for the operator if the login was rejected, None for any other error."""
    if isinstance(error, discord.LoginFailure):
        return texts.LOGIN_FAILED
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return texts.INTENT_MISSING
    return None
