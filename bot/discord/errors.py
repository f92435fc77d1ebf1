"""Errors of the Discord side."""

from __future__ import annotations

import aiohttp
import discord

UNDELIVERED = (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, TimeoutError)
"""Errors of calls to Discord: rejected, rate limited for too long, connection lost, timed out."""


class ActionRefused(Exception):
    """The person lacks a right or named something that does not exist; the text says what to do next."""
