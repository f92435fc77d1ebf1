"""What is due by the clock: sweeps over running tasks, plans nobody answered (APScheduler)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from engine.commands import AnswerGate
from engine.domain.picture import WatchOptions
from engine.errors import WrongState
from engine.ports import Clock, Database, Wake
from engine.store.speech import answer_gate
from engine.store.sweep import act_on, due_plans, look_over, running_tasks, sweep_task

log = logging.getLogger(__name__)


class Monitor:
    """Writes only messages, gates and events; agents do the rest."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        wake: Callable[[tuple[Wake, ...]], None],
        stir: Callable[[], None],
        options: WatchOptions | None = None,
    ) -> None:
        self._db, self._clock, self._wake, self._stir = db, clock, wake, stir
        self._options = options or WatchOptions()
        self._scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "misfire_grace_time": None})
        self._checks: dict[int, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Begin to sweep."""
        self._scheduler.add_job(
            self.sweep, "interval", seconds=self._options.sweep_s, max_instances=1, id="sweep"
        )
        self._scheduler.start()

    async def stop(self) -> None:
        """Stop sweeping."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for check in self._checks.values():
            check.cancel()
        await asyncio.gather(*self._checks.values(), return_exceptions=True)

    def maybe_quiet(self, task_id: int) -> None:
        """A turn ended and woke nobody: look soon whether the task stands still."""
        if task_id not in self._checks:
            check = asyncio.create_task(self._check(task_id), name=f"quiet-{task_id}")
            self._checks[task_id] = check
            check.add_done_callback(lambda _: self._checks.pop(task_id, None))

    async def sweep(self) -> None:
        """Look after every running task."""
        now = self._clock.now()
        for gate_id in await self._db.read(lambda c: due_plans(c, now)):
            await self._approve(gate_id)
        for task_id in await self._db.read(running_tasks):
            await self._look_after(task_id)
            await self._judge(task_id)

    async def _approve(self, gate_id: int) -> None:
        now = self._clock.now()
        command = AnswerGate(gate_id, "Approve (nobody answered in time)", "system")
        try:
            done = await self._db.write(lambda c: answer_gate(c, command, now))
        except WrongState:
            return
        self._wake(done.wakes)
        self._stir()

    async def _check(self, task_id: int) -> None:
        await asyncio.sleep(self._options.quiet_s)
        await self._look_after(task_id)

    async def _look_after(self, task_id: int) -> None:
        now = self._clock.now()
        wakes = await self._db.write(lambda c: sweep_task(c, task_id, now, self._options))
        if wakes:
            self._wake(wakes)
        self._stir()

    async def _judge(self, task_id: int) -> None:
        """The rules look on a snapshot; only when they find something does a transaction judge and act."""
        now = self._clock.now()
        if await self._db.read(lambda c: look_over(c, task_id, now, self._options)):
            wakes = await self._db.write(lambda c: act_on(c, task_id, now, self._options))
            if wakes:
                self._wake(wakes)
            self._stir()
