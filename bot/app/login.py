"""Prepare the login: check the Message Content intent, wait out a ban, and explain a rejected login."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

import discord

from bot import texts
from bot.discord.request_stop import BAN_S, RequestStop

T = TypeVar("T")

TOKEN_REJECTED, INTENTS_REJECTED = 4004, (4013, 4014)
"""Close codes of the gateway: the token is not valid (any more), the intents are unknown or not approved."""


async def reads_messages(
    token: str, choice: Literal["auto", "on", "off"], stop: RequestStop, **options: Any
) -> bool:
    """Return whether to request the Message Content intent; "auto" asks Discord whether it is enabled.

    Asking for it without having it makes Discord close the connection (4014). `stop` holds back the client
    that asks, `options` go to it. Raises discord.LoginFailure for a bad token.
    """
    if choice != "auto":
        return choice == "on"
    asking = discord.Intents(guilds=True)
    async with discord.Client(intents=asking, http_trace=stop.trace(), **options) as client:
        await client.login(token)
        flags = client.application_flags
    return flags.gateway_message_content or flags.gateway_message_content_limited


async def when_allowed(stop: RequestStop, say: Callable[[str], None], ask: Callable[[], Awaitable[T]]) -> T:
    """Return what `ask` returns, repeated after each ban or limit that Discord names; each is said.

    A process that ended instead would be started again by its supervisor, and each start prolongs a ban.
    """
    while True:
        try:
            return await ask()
        except discord.RateLimited as error:
            pause = error.retry_after
        except discord.HTTPException as error:
            if error.status != 429:
                raise
            pause = stop.remaining() or BAN_S
        say(texts.LOGIN_WAITS.format(seconds=round(pause) + 1))
        await asyncio.sleep(pause)


def login_error_text(error: BaseException) -> str | None:
    """Return the text for the operator if the login was rejected, None for any other error."""
    if isinstance(error, discord.ConnectionClosed):
        if error.code == TOKEN_REJECTED:
            return texts.LOGIN_EXPIRED
        known = error.code in INTENTS_REJECTED
        return texts.INTENT_MISSING if known else texts.GATEWAY_CLOSED.format(code=error.code)
    if isinstance(error, discord.LoginFailure):
        return texts.LOGIN_FAILED
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return texts.INTENT_MISSING
    return None
