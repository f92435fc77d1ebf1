"""Errors of the Discord side."""

from __future__ import annotations

import aiohttp
import discord

from engine.errors import Refusal

UNDELIVERED = (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, TimeoutError)
"""Errors of calls to Discord: rejected, rate limited for too long, connection lost, timed out."""


class ActionRefused(Exception):
    """The person lacks a right or named something that does not exist."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal
