"""The outbox on a local Discord: real HTTP, real limits, time running fast; a fake engine behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import discord
import pytest

from bot.discord.request_stop import RequestStop
from bot.features.gates.windows import closed_message
from bot.local import LocalDiscord, LocalOptions, point_discord_at
from bot.outbox.limiter import RateLimits
from bot.outbox.outbox import Outbox, OutboxOptions, build_outbox
from bot.outbox.pace import Pace
from bot.ports import EngineApi
from bot.storage.tables import BOT_METADATA
from bot.texts.gates import label
from engine.commands import StartTask
from engine.ports import Database
from engine.queries import GateView
from engine.store.database import open_database, sync_engine
from tests.fakes.engine import FakeEngine

SCALE = 50.0
PATIENCE_S = 60.0
PACE = Pace(pause=0.02, longest_pause=0.05)


class Buttons(discord.ui.View):
    """A gate's buttons, as the cogs would make them."""

    def __init__(self, gate: GateView) -> None:
        super().__init__(timeout=None)
        for choice in gate.choices:
            self.add_item(discord.ui.Button(label=label(choice), custom_id=f"gate:{gate.id}:{choice.id}"))


@dataclass
class Stage:
    """A local Discord, a client in it, a database, an engine, and the outbox between them."""

    local: LocalDiscord
    client: discord.Client
    database: Database
    engine: FakeEngine
    outbox: Outbox
    running: asyncio.Task[None]
    rates: RateLimits = field(default_factory=lambda: RateLimits().scaled(SCALE))

    async def task(self, goal: str = "a small game", channel: str = "lobby") -> int:
        """Begin a task in the lobby or another channel."""
        you, guild = self.local.you, self.local.guild_id
        origin = f"channel:{you.channel(channel)['id']}"
        return await self.engine.handle(StartTask(goal, f"discord:{you.id}", f"guild:{guild}", origin=origin))

    def boss(self, task_id: int) -> int:
        """The boss's id."""
        return self.engine.world.tasks[task_id].boss_id

    async def drain(self) -> None:
        """Until everything emitted is posted."""
        async with asyncio.timeout(PATIENCE_S):
            await self.outbox.drain(self.engine.log[-1].seq)

    def said(self, place: str) -> list[dict[str, Any]]:
        """The messages of a channel or thread by its name, oldest first."""
        return self.local.you.history(self.local.you.channel(place))

    async def restart(self) -> None:
        """Stop the outbox and start another on the same database, as a new process would."""
        await self.outbox.stop()
        self.outbox = make_outbox(self.client, self.engine, self.database)
        await self.outbox.start()


def make_outbox(client: discord.Client, engine: FakeEngine, database: Database) -> Outbox:
    """The real outbox with fast clocks."""
    options = OutboxOptions(rates=RateLimits().scaled(SCALE), pace=PACE)
    return build_outbox(
        client,
        cast(EngineApi, engine),
        database,
        gate_view=Buttons,
        closed_gate=closed_message,
        options=options,
    )


async def connect(local: LocalDiscord) -> tuple[discord.Client, asyncio.Task[None]]:
    """A client that is ready."""
    intents = discord.Intents.default()
    stop = RequestStop()
    client = discord.Client(intents=intents, max_ratelimit_timeout=30.0, http_trace=stop.trace())
    client.request_stop = stop  # type: ignore[attr-defined]  # as the product's own client has it
    client._connection.guild_ready_timeout = 0.05
    running = asyncio.create_task(client.start(local.token))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not client.is_ready():
                if running.done():
                    running.result()
                await asyncio.sleep(0.01)
    except BaseException:
        await leave(client, running)
        raise
    return client, running


async def leave(client: discord.Client, running: asyncio.Task[None]) -> None:
    """Disconnect a client."""
    await client.close()
    await asyncio.wait([running], timeout=PATIENCE_S)


@pytest.fixture
async def local() -> AsyncIterator[LocalDiscord]:
    """A fresh local Discord; nothing unknown may be asked of it."""
    server = LocalDiscord(LocalOptions(time_scale=SCALE))
    try:
        await server.start()
        with point_discord_at(server):
            yield server
    finally:
        await server.stop()
    assert server.gaps == []


@cache
def _empty_file() -> bytes:
    """A database with the bot's tables, made once."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        plain = sync_engine(f"sqlite:///{file}")
        BOT_METADATA.create_all(plain)
        plain.dispose()
        return file.read_bytes()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """The real SQLite database with the bot's tables."""
    file = tmp_path / "bot.db"
    file.write_bytes(_empty_file())
    opened = open_database(f"sqlite:///{file}")
    yield opened
    await opened.close()


@pytest.fixture
async def stage(local: LocalDiscord, database: Database) -> AsyncIterator[Stage]:
    """Everything running."""
    # A stack closes the rest when a part fails: what stays open is reported in another test.
    async with AsyncExitStack() as stack:
        client, running = await connect(local)
        stack.push_async_callback(leave, client, running)
        engine = FakeEngine()
        engine.now = time.time()
        outbox = make_outbox(client, engine, database)
        built = Stage(local, client, database, engine, outbox, running)
        stack.push_async_callback(lambda: built.outbox.stop())  # noqa: PLW0108 - the one of the last restart
        await outbox.start()
        yield built
