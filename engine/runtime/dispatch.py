"""The dispatcher of a single process: one asyncio task per running agent, fair between tasks.

It only starts turns. Unread messages in the store decide which agents have work, so its state may be lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy import Connection

from engine.errors import EngineError
from engine.ports import Wake

log = logging.getLogger(__name__)

RETRY_S = 2.0
SPARE_PART, FEW_PART = 4, 16
"""A quarter more slots are reserved for tasks that use less than a sixteenth of `slots`."""


class TurnQueue:
    """Woken agents by task: tasks round robin; within a task priority 0 first, then by age."""

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
        """Return the next agent and move its task to the back. Raises KeyError when empty."""
        return self._pop(next(iter(self._tasks), -1))

    def pop_small(self, running: Mapping[int, int], most: int) -> Wake | None:
        """Return the next agent of a task with fewer than `most` running turns, None when there is none."""
        small = (task_id for task_id in self._tasks if running.get(task_id, 0) < most)
        task_id = next(small, None)
        return None if task_id is None else self._pop(task_id)

    def _pop(self, task_id: int) -> Wake:
        agents = self._tasks.pop(task_id)
        _, wake = agents.popitem(last=False)
        if agents:
            self._tasks[task_id] = agents
        return wake


class LocalDispatcher:
    """Runs at most `slots` turns at once in this process, plus some for tasks that have few running.

    Turns keep their slot while they wait for the model; without the extra slots, agents of a small task would
    wait for the calls of a large one before they could even queue for the model.
    """

    def __init__(self, slots: int) -> None:
        self._slots, self._spare, self._few = slots, slots // SPARE_PART, max(1, slots // FEW_PART)
        self._queue = TurnQueue()
        self._turns: Counter[int] = Counter()
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
        """See `Dispatcher.enlist`: a queue in memory cannot take part in transactions."""
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
        """Return how many turns are running or waiting for a slot."""
        return len(self._running) + len(self._queue)

    async def stop(self, drain: bool = True) -> None:
        """See `Dispatcher.stop`. Turns still running after 5 s are cancelled and repeated later."""
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
        while self._open and self._queue and (wake := self._next()) is not None:
            self._turns[wake.task_id] += 1
            task = asyncio.create_task(self._turn(wake), name=f"agent-{wake.agent_id}")
            self._running[wake.agent_id] = task

    def _next(self) -> Wake | None:
        if len(self._running) < self._slots:
            return self._queue.pop()
        if len(self._running) < self._slots + self._spare:
            return self._queue.pop_small(self._turns, self._few)
        return None

    async def _turn(self, wake: Wake) -> None:
        if self._run is None:
            raise RuntimeError("the dispatcher was not started")
        try:
            await self._run(wake.agent_id)
        except EngineError as error:
            log.warning("agent %s could not run: %s", wake.agent_id, error)
            self._later(wake)
        except Exception:
            log.exception("turn of agent %s failed; retrying", wake.agent_id)
            self._later(wake)
        finally:
            self._running.pop(wake.agent_id, None)
            self._turns[wake.task_id] -= 1
            if not self._turns[wake.task_id]:
                del self._turns[wake.task_id]
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
