"""What is due by the clock: sweeps over running tasks, plans nobody answered, repeats (APScheduler)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from engine.domain.models import not_allowed
from engine.domain.snapshot import WatchOptions
from engine.errors import EngineError, WrongState
from engine.handlers.gates import approve_unanswered
from engine.handlers.repeats import DueRepeat, due_repeats, pause_repeat, start_due
from engine.monitoring.sweep import due_plans, find_problems, judge_and_intervene, running_tasks, sweep_task
from engine.ports import Clock, Database, StartRight, Wake
from engine.runtime.schedule import Schedule

log = logging.getLogger(__name__)

_RUNNING: dict[str, Monitor] = {}
"""A stored job is a name and text arguments; this is how it finds the monitor that runs here."""


async def sweep_at(url: str) -> None:
    """The stored job: sweep the database at `url`, if a monitor of this process looks after it.

    A sweep over very many agents may still be under way: the next tick makes up for this one.
    """
    monitor = _RUNNING.get(url)
    if monitor is not None and not monitor.sweeping:
        await monitor.sweep()


class Monitor:
    """Writes only messages, gates and events; agents do the rest."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        wake: Callable[[tuple[Wake, ...]], None],
        events_added: Callable[[], None],
        options: WatchOptions | None = None,
        swept: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`swept` is called at the end of each sweep."""
        self._swept = swept
        self._db, self._clock, self._wake, self._events_added = db, clock, wake, events_added
        self._options = options or WatchOptions()
        self.right: StartRight | None = None
        self.models: tuple[str, ...] | None = None
        self._schedule: Schedule | None = None
        self._sweeping = asyncio.Lock()
        self._checks: dict[int, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Begin to sweep, as soon as this process is the elected one."""
        url = self._db.url
        _RUNNING[url] = self
        self._schedule = Schedule(url)
        self._schedule.every("sweep", self._options.sweep_s, "engine.runtime.monitor:sweep_at", url)
        await self._schedule.start()

    async def stop(self) -> None:
        """Let the sweep at hand end, then sweep no more."""
        _RUNNING.pop(self._db.url, None)
        for check in self._checks.values():
            check.cancel()
        await asyncio.gather(*self._checks.values(), return_exceptions=True)
        async with self._sweeping:
            if self._schedule is not None:
                await self._schedule.stop()
                self._schedule = None

    def maybe_quiet(self, task_id: int) -> None:
        """A turn ended and woke nobody: look soon whether the task stands still."""
        if task_id not in self._checks:
            check = asyncio.create_task(self._check(task_id), name=f"quiet-{task_id}")
            self._checks[task_id] = check
            check.add_done_callback(lambda _: self._checks.pop(task_id, None))

    @property
    def sweeping(self) -> bool:
        """Whether a sweep is under way."""
        return self._sweeping.locked()

    async def sweep(self) -> None:
        """Start what repeats and is due, then look after every running task."""
        async with self._sweeping:
            await self._sweep()

    async def _sweep(self) -> None:
        now = self._clock.now()
        for due in await self._db.read(lambda c: due_repeats(c, now)):
            if await self._allowed(due):
                await self._start(due.id)
        for gate_id in await self._db.read(lambda c: due_plans(c, now)):
            await self._approve(gate_id)
        for task_id in await self._db.read(running_tasks):
            await self._look_after(task_id)
            await self._judge(task_id)
        if self._swept is not None:
            await self._swept()

    async def _allowed(self, due: DueRepeat) -> bool:
        """Whether who made it may still start tasks, with its model; when not, it is paused."""
        why: str | None = not_allowed(due.model, self.models)
        if not why and self.right is not None:
            why = await self.right.why_not(due.by, due.space, due.limits, due.model)
        if why:
            now = self._clock.now()
            await self._db.write(lambda c: pause_repeat(c, due, why, now))
            self._events_added()
            log.warning("repeat %s is paused: %s", due.id, why)
        return why == ""

    async def _start(self, repeat_id: int) -> None:
        now = self._clock.now()
        try:
            done = await self._db.write(lambda c: start_due(c, repeat_id, now))
        except EngineError:
            log.exception("repeat %s could not start its task; it is tried again", repeat_id)
            return
        if done is not None:
            self._wake(done.wakes)
            self._events_added()

    async def _approve(self, gate_id: int) -> None:
        now = self._clock.now()
        try:
            done = await self._db.write(lambda c: approve_unanswered(c, gate_id, now))
        except WrongState:
            return
        self._wake(done.wakes)
        self._events_added()

    async def _check(self, task_id: int) -> None:
        await asyncio.sleep(self._options.quiet_s)
        await self._look_after(task_id)

    async def _look_after(self, task_id: int) -> None:
        now = self._clock.now()
        wakes = await self._db.write(lambda c: sweep_task(c, task_id, now, self._options))
        if wakes:
            self._wake(wakes)
        self._events_added()

    async def _judge(self, task_id: int) -> None:
        """The rules look on a snapshot; only when they find something does a transaction judge and act."""
        now = self._clock.now()
        if await self._db.read(lambda c: find_problems(c, task_id, now, self._options)):
            wakes = await self._db.write(lambda c: judge_and_intervene(c, task_id, now, self._options))
            if wakes:
                self._wake(wakes)
            self._events_added()
