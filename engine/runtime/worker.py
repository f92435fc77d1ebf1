"""A worker: turns and nothing else, on as many machines as wanted. SIGTERM drains it.

It carries out no commands and does not sweep; the process that does is elected (see `schedule`).
"""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import dataclass, field, replace

from engine.engine import Engine, EngineOptions
from engine.runtime.procrastinate import ProcrastinateDispatcher, QueueOptions
from engine.runtime.turn import Parts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """`slots`: turns at once in this process, some of which wait for the model."""

    slots: int = 128
    queue: QueueOptions = field(default_factory=QueueOptions)


def build_worker(parts: Parts, options: EngineOptions, worker: WorkerOptions) -> Engine:
    """An engine that only runs turns; its database must be PostgreSQL with `create_queue` done.

    Raises NotConfigured for another database.
    """
    dispatcher = ProcrastinateDispatcher(parts.db, worker.slots, worker.queue)
    return Engine(parts, dispatcher, replace(options, sweeps=False))


async def run_worker(
    parts: Parts, options: EngineOptions, worker: WorkerOptions, stop: asyncio.Event | None = None
) -> None:
    """Run until SIGTERM, SIGINT or `stop`; then let running steps reach their commit, and return."""
    stopped = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    engine = build_worker(parts, options, worker)
    await engine.start()
    log.info("worker ready: %s turns at once", worker.slots)
    try:
        await stopped.wait()
        log.info("worker stops: running steps reach their commit")
    finally:
        await engine.stop(drain=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
