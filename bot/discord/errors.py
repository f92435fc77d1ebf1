"""Errors of the Discord side."""

from __future__ import annotations

import aiohttp
import discord

UNDELIVERED = (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, TimeoutError)
"""What a call to Discord may end with: refused, limited for longer than we wait, cut off, never answered."""


class ActionRefused(Exception):
    """The person may not do this, or asked for something that is not there; the text says what to do next."""
