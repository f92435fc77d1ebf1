"""The product in a process of its own, to be killed; its argument is a folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bot.app.bootstrap import running
from bot.local import LocalOptions
from engine.llm.scripted import ScriptedModel
from tests.flows.conftest import bot_settings, engine_settings
from tests.flows.team import slow_team

GOAL = "Write add(a, b) in Python with a check."


async def main(folder: Path) -> None:
    """Start (or resume), start the task at the first start, print each event's number, end with the task."""
    options = LocalOptions(data=folder / "discord", time_scale=40.0)
    model = ScriptedModel(slow_team(0.25))
    async with running(
        engine_settings(folder), bot_settings(), model=model, local_options=options
    ) as product:
        assert product.local is not None
        person, engine = product.local.you, product.engine.engine
        if not await engine.look.tasks():
            await person.slash(person.channel("lobby"), "task new", goal=GOAL)
        async for event in engine.events():
            sys.stdout.write(f"event {event.seq} {type(event.body).__name__}\n")
            sys.stdout.flush()
            if type(event.body).__name__ == "TaskEnded":
                await product.outbox.drain(event.seq)
                return


async def program(arguments: Sequence[str]) -> None:
    """What the fork server runs."""
    await main(Path(arguments[0]))
