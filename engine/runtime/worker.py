"""The worker: an engine that only runs turns, until it is asked to stop.

It carries out no commands and does not sweep; another process does (see `schedule`).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.engine import Engine
from engine.errors import NotConfigured
from engine.settings import EngineSettings

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def check_worker(settings: EngineSettings) -> None:
    """Check that workers can share the configured database. Raises NotConfigured for SQLite."""
    if not settings.sqlite_or_url().startswith("postgres"):
        raise NotConfigured(
            "Workers need PostgreSQL. Set DATABASE_URL to postgresql://user@host/name in .env."
        )


async def run_worker(engine: Engine, ready: Callable[[], None]) -> None:
    """Run turns until SIGTERM or SIGINT, then let running steps reach their commit.

    `engine` was built with `sweeps=False` and is not started yet; `ready` is called once it is.
    """
    with stop_signal() as stop:
        await engine.start()
        try:
            ready()
            await stop.wait()
        finally:
            await engine.stop(drain=True)


@contextmanager
def stop_signal() -> Iterator[asyncio.Event]:
    """Yield an event that SIGTERM or SIGINT sets while the block runs."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
