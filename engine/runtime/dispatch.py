"""The embedded dispatcher: one asyncio task a running agent, fair between tasks.

Only says "agent X may run"; the truth is the unread mail in the store, so losing all of this is harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import Connection

from engine.errors import EngineError
from engine.ports import Wake

log = logging.getLogger(__name__)

RETRY_S = 2.0


class FairQueue:
    """Woken agents by task, tasks served in turn; within a task lower priority numbers first, then age."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[int, OrderedDict[int, Wake]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(agents) for agents in self._tasks.values())

    def push(self, wake: Wake) -> None:
        """Queue an agent once; a second wake-up can only raise its priority."""
        agents = self._tasks.setdefault(wake.task_id, OrderedDict())
        known = agents.get(wake.agent_id)
        if known is None or wake.priority < known.priority:
            agents[wake.agent_id] = wake
            if wake.priority == 0:
                agents.move_to_end(wake.agent_id, last=False)

    def pop(self) -> Wake:
        """The next agent; its task goes to the back. Raises KeyError when empty."""
        task_id, agents = self._tasks.popitem(last=False)
        _, wake = agents.popitem(last=False)
        if agents:
            self._tasks[task_id] = agents
        return wake


class LocalDispatcher:
    """At most `slots` turns at once in this process."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._queue = FairQueue()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._again: dict[int, Wake] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._run: Callable[[int], Awaitable[None]] | None = None
        self._open = False

    async def start(self, run_turn: Callable[[int], Awaitable[None]]) -> None:
        """See `Dispatcher.start`."""
        self._run, self._open = run_turn, True
        self._fill()

    def enlist(self, connection: Connection, wakes: Sequence[Wake]) -> Sequence[Wake]:
        """See `Dispatcher.enlist`: this process' memory takes no part in transactions."""
        return wakes

    def wake(self, wakes: Sequence[Wake]) -> None:
        """See `Dispatcher.wake`."""
        for wake in wakes:
            if wake.agent_id in self._running:
                self._again[wake.agent_id] = wake
            else:
                self._queue.push(wake)
        self._fill()

    def crowded(self) -> bool:
        """See `Dispatcher.crowded`."""
        return bool(self._queue)

    @property
    def busy(self) -> int:
        """Turns running or waiting for a slot."""
        return len(self._running) + len(self._queue)

    async def stop(self, drain: bool = True) -> None:
        """See `Dispatcher.stop`. Calls still waited for after 5 s are cancelled and repeated later."""
        self._open = False
        for timer in self._timers:
            timer.cancel()
        tasks = list(self._running.values())
        if drain and tasks:
            await asyncio.wait(tasks, timeout=5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fill(self) -> None:
        while self._open and self._queue and len(self._running) < self._slots:
            wake = self._queue.pop()
            task = asyncio.create_task(self._turn(wake), name=f"agent-{wake.agent_id}")
            self._running[wake.agent_id] = task

    async def _turn(self, wake: Wake) -> None:
        if self._run is None:
            raise RuntimeError("the dispatcher was not started")
        try:
            await self._run(wake.agent_id)
        except EngineError as error:
            log.warning("agent %s could not run: %s", wake.agent_id, error)
            self._later(wake)
        except Exception:
            log.exception("turn of agent %s failed; it is tried again", wake.agent_id)
            self._later(wake)
        finally:
            self._running.pop(wake.agent_id, None)
            again = self._again.pop(wake.agent_id, None)
            if again is not None and self._open:
                self._queue.push(again)
            self._fill()

    def _later(self, wake: Wake) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            self.wake([wake])

        timer = asyncio.get_running_loop().call_later(RETRY_S, fire)
        self._timers.add(timer)
