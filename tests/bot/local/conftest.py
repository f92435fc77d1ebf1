"""A local Discord with the small bot connected to it over real HTTP and websocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from json import loads
from typing import Any

import aiohttp
import discord
import pytest

from bot.local import LocalDiscord, LocalOptions, point_discord_at
from bot.local.options import INVITED
from tests.bot.local.smallbot import SmallBot

MODERATES = frozenset({"pin_messages", "manage_messages"})
"""What the small bot is invited with besides."""


@dataclass
class House:
    """The server and the bot in it."""

    local: LocalDiscord
    bot: SmallBot
    running: asyncio.Task[None]

    @property
    def lobby(self) -> discord.TextChannel:
        """The lobby as the bot sees it."""
        channel = discord.utils.get(self.bot.guilds[0].text_channels, name="lobby")
        assert channel is not None
        return channel


async def run_bot(local: LocalDiscord, **options: object) -> House:
    """Connect a bot and wait until it is ready."""
    bot = SmallBot(**options)
    running = asyncio.create_task(bot.start(local.token))
    ready = asyncio.ensure_future(bot.pulse.until(lambda: "ready" in bot.log, 10))
    await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if running.done():
        await bot.close()
        running.result()
    return House(local, bot, running)


async def close_bot(house: House) -> None:
    """Disconnect a bot; what it tells of that itself begins, or the loop would close before it."""
    house.running.cancel()
    await asyncio.wait([house.running], timeout=5)
    await house.bot.close()
    await asyncio.sleep(0)


@asynccontextmanager
async def running_local() -> AsyncIterator[LocalDiscord]:
    """A fresh local Discord with limits on and time running fast; nothing unknown may be asked."""
    server = LocalDiscord(LocalOptions(time_scale=50, bot_permissions=INVITED | MODERATES))
    try:
        await server.start()
        with point_discord_at(server):
            yield server
    finally:
        await server.stop()
    assert server.gaps == []


@asynccontextmanager
async def running_house() -> AsyncIterator[House]:
    """The local Discord with the small bot connected."""
    async with running_local() as server:
        connected = await run_bot(server)
        yield connected
        await close_bot(connected)


@pytest.fixture
async def local() -> AsyncIterator[LocalDiscord]:
    """See ``running_local``."""
    async with running_local() as server:
        yield server


@pytest.fixture
async def house(local: LocalDiscord) -> AsyncIterator[House]:
    """The local Discord with the small bot connected."""
    connected = await run_bot(local)
    yield connected
    await close_bot(connected)


async def raw(
    local: LocalDiscord,
    method: str,
    path: str,
    *,
    json: object = None,
    data: Any = None,
    **headers: str,
) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    """A request discord.py itself would not send; (status, body, headers)."""
    authorization = {"Authorization": f"Bot {local.token}"} | headers
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, local.api_base + path, json=json, data=data, headers=authorization
        ) as response,
    ):
        text = await response.text()
        body = loads(text) if response.content_type == "application/json" else {}
        return response.status, body, response.headers
