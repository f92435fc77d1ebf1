"""The product carrying out small tasks one after the other, in a process of its own.

`python -m tests.soak.steady_product FOLDER API GATEWAY TOKEN GUILD MINUTES` prints a line after every 50
tasks: how many were done, and the process's resident memory in KiB. Discord is in another process.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route
from pydantic import SecretStr

from bot.app.bootstrap import RunningBot, running
from bot.app.settings import BotSettings
from engine.commands import StartTask
from engine.events import TaskEnded
from engine.llm.scripted import ScriptedModel, call
from engine.ports import ChatAnswer, ChatRequest
from tests.flows.conftest import engine_settings

EVERY = 50
LINES = "".join(f"{n}. The square of {n} is {n * n}.\n" for n in range(60))


def boss(request: ChatRequest) -> ChatAnswer:
    """One file, one report."""
    write = ("write_file", {"path": "notes.md", "content": f"# Notes of task {request.task_id}\n\n{LINES}"})
    return call(write, ("finish", {"report": "Written.", "deliverables": ["notes.md"]}), text="I write it.")


def resident() -> int:
    """KiB of this process's memory that are in use."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4


async def work(product: RunningBot, guild: str, minutes: float) -> None:
    """Small tasks until the time is over; each one's channels are removed when it has ended."""
    engine, until, done = product.engine.engine, time.monotonic() + minutes * 60, 0
    events = engine.events()
    while time.monotonic() < until:
        task = await engine.handle(StartTask("Write notes.md.", "discord:1", f"guild:{guild}"))
        async for event in events:
            if isinstance(event.body, TaskEnded) and event.body.task_id == task:
                await product.outbox.drain(event.seq)
                break
        await product.bot.parts.archive.close(task, True)
        done += 1
        if done % EVERY == 0:
            sys.stdout.write(f"{done} {resident()}\n")
            sys.stdout.flush()


async def main(folder: Path, api: str, gateway: str, token: str, guild: str, minutes: float) -> None:
    """Start the product and let it work."""
    Route.BASE = api
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
    settings = BotSettings(_env_file=None, discord_token=SecretStr(token))  # type: ignore[call-arg]
    async with running(engine_settings(folder), settings, model=ScriptedModel(boss)) as product:
        await work(product, guild, minutes)


if __name__ == "__main__":
    folder, api, gateway, token, guild, minutes = sys.argv[1:]
    asyncio.run(main(Path(folder), api, gateway, token, guild, float(minutes)))
