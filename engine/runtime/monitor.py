"""The monitor: scheduled sweeps over running tasks, unanswered gates and repeated tasks (APScheduler)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection

from engine.budget.month_caps import (
    has_stale,
    months_to_announce,
    paused_for_month,
    release_stale,
    resume_with_room,
    warn_months,
)
from engine.domain.models import not_allowed
from engine.domain.snapshot import WatchOptions
from engine.errors import EngineError, WrongState
from engine.handlers.gate_deadlines import advance_gate, overdue_gates
from engine.handlers.repeats import DueRepeat, due_repeats, pause_repeat, start_due
from engine.lifecycle.task_state import stranded_agents
from engine.monitoring.sweep import find_problems, judge_and_intervene, running_tasks, sweep_task
from engine.ports import Clock, Database, Enlist, StartRight, Wake
from engine.runtime.schedule import Schedule

log = logging.getLogger(__name__)

_RUNNING: dict[str, Monitor] = {}
"""Monitors of this process by database URL: a stored job holds only text and looks its monitor up here."""


async def sweep_at(url: str) -> None:
    """Sweep the database at `url` if this process has a monitor for it (the stored job).

    Skipped while the previous sweep is still running.
    """
    monitor = _RUNNING.get(url)
    if monitor is not None and not monitor.sweeping:
        await monitor.sweep()


class Monitor:
    """Sweeps running tasks; it writes only messages, gates and events, and agents do the rest."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        wakes: tuple[Enlist, Callable[[tuple[Wake, ...]], None]],
        events_added: Callable[[], None],
        options: WatchOptions | None = None,
        swept: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Create a monitor that is not started. `wakes`: `enlist` and `wake` of the dispatcher; `swept` is
        called at the end of each sweep."""
        self._swept = swept
        self._db, self._clock, (self._enlist, self._wake) = db, clock, wakes
        self._events_added = events_added
        self._options = options or WatchOptions()
        self.right: StartRight | None = None
        self.models: tuple[str, ...] | None = None
        self._schedule: Schedule | None = None
        self._sweeping = asyncio.Lock()
        self._checks: dict[int, asyncio.Task[None]] = {}
        self._stopped = False

    async def start(self) -> None:
        """Start to sweep as soon as this process is elected."""
        url = self._db.url
        self._stopped = False
        _RUNNING[url] = self
        self._schedule = Schedule(url)
        self._schedule.every("sweep", self._options.sweep_s, "engine.runtime.monitor:sweep_at", url)
        await self._schedule.start()

    async def stop(self) -> None:
        """Stop sweeping after the current sweep; turns that end later are looked after at the next start."""
        self._stopped = True
        _RUNNING.pop(self._db.url, None)
        for check in self._checks.values():
            check.cancel()
        await asyncio.gather(*self._checks.values(), return_exceptions=True)
        async with self._sweeping:
            if self._schedule is not None:
                await self._schedule.stop()
                self._schedule = None

    def check_soon(self, task_id: int) -> None:
        """Check a task for standstill soon: a turn ended and woke nobody. Nothing happens once stopped."""
        if task_id not in self._checks and not self._stopped:
            check = asyncio.create_task(self._check(task_id), name=f"quiet-{task_id}")
            self._checks[task_id] = check
            check.add_done_callback(lambda _: self._checks.pop(task_id, None))

    @property
    def sweeping(self) -> bool:
        """Return whether a sweep is running."""
        return self._sweeping.locked()

    async def sweep(self) -> None:
        """Start due repeats, remind people of gates, look after months, then check every running task."""
        async with self._sweeping:
            await self._sweep()

    async def _sweep(self) -> None:
        now = self._clock.now()
        for due in await self._db.read(lambda c: due_repeats(c, now)):
            if await self._allowed(due):
                await self._start(due.id)
        for gate_id in await self._db.read(lambda c: overdue_gates(c, now)):
            await self._advance(gate_id)
        await self._check_months(now)
        for task_id in await self._db.read(running_tasks):
            await self._look_after(task_id)
            await self._judge(task_id)
        self._wake(await self._db.read(stranded_agents))
        if self._swept is not None:
            await self._swept()

    async def _allowed(self, due: DueRepeat) -> bool:
        """Return whether the creator may still start tasks with this model; pause the repeat when not."""
        refused = not_allowed(due.model, self.models)
        why: str | None = str(refused or "")
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
            log.exception("repeat %s could not start its task; retrying", repeat_id)
            return
        if done is not None:
            self._wake(done.wakes)  # its agents are new: no turn of theirs can be about to end
            self._events_added()

    async def _advance(self, gate_id: int) -> None:
        now = self._clock.now()
        try:
            await self._write(lambda c: advance_gate(c, gate_id, now).wakes)
        except WrongState:
            return
        self._events_added()

    async def _write(self, work: Callable[[Connection], tuple[Wake, ...]]) -> None:
        """Write, and wake the agents that `work` returns, enlisted in its transaction: an agent whose
        turn ends at that moment would miss a wake-up that comes later."""
        if wakes := await self._db.write(lambda c: tuple(self._enlist(c, work(c)))):
            self._wake(wakes)

    async def _check_months(self, now: float) -> None:
        """Report how much of the month's budgets is used, and resume tasks for which there is room again."""
        told = await self._db.read(lambda c: months_to_announce(c, now))
        if told:
            await self._db.write(lambda c: warn_months(c, told, now))
            self._events_added()
        if await self._db.read(lambda c: has_stale(c, now)):
            await self._db.write(lambda c: release_stale(c, now))
        waiting = await self._db.read(paused_for_month)
        if waiting:
            await self._write(lambda c: resume_with_room(c, waiting, "new_month", now))
            self._events_added()

    async def _check(self, task_id: int) -> None:
        await asyncio.sleep(self._options.quiet_s)
        await self._look_after(task_id)

    async def _look_after(self, task_id: int) -> None:
        now = self._clock.now()
        await self._write(lambda c: sweep_task(c, task_id, now, self._options))
        self._events_added()

    async def _judge(self, task_id: int) -> None:
        """Judge a snapshot by the rules; only findings cost a transaction that judges again and
        intervenes."""
        now = self._clock.now()
        if await self._db.read(lambda c: find_problems(c, task_id, now, self._options)):
            await self._write(lambda c: judge_and_intervene(c, task_id, now, self._options))
            self._events_added()
