"""Threads that runs live on; as root, each permanently takes one spare user id and is reused."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from engine.ports import RunResult
from engine.sandbox.stepdown import step_down

_IDLE_S = 15.0

Work = Callable[[], RunResult]


class Lanes:
    """As many concurrent runs as there are `uids` (None: this process's user); more wait for their turn.

    A thread for each run cost a new stack and three system calls every time; idle threads end.
    """

    def __init__(self, uids: Sequence[int | None]) -> None:
        self._free = deque(uids)
        self._waiting: deque[tuple[Work, Future[RunResult]]] = deque()
        self._idle = 0
        self._changed = threading.Condition()

    def start(self, work: Work) -> Future[RunResult]:
        """Run `work` on a thread and return its future."""
        future: Future[RunResult] = Future()
        with self._changed:
            self._waiting.append((work, future))
            if self._idle >= len(self._waiting):
                self._changed.notify()
            elif self._free:
                self._open(self._free.popleft())
        return future

    def _open(self, uid: int | None) -> None:
        # A daemon: when this process ends the thread ends, and with it what it started.
        threading.Thread(target=self._live, args=(uid,), name="sandbox", daemon=True).start()

    def _live(self, uid: int | None) -> None:
        ready = uid is None
        while job := self._next(uid):
            work, future = job
            try:
                if uid is not None and not ready:
                    step_down(uid)
                    ready = True
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 carried over to whoever waits
                future.set_exception(error)
            del job, work, future  # files and output of a run do not stay until the next

    def _next(self, uid: int | None) -> tuple[Work, Future[RunResult]] | None:
        """Return the next job; None, after freeing the uid, if there was none for a while."""
        with self._changed:
            self._idle += 1
            try:
                self._changed.wait_for(lambda: self._waiting, _IDLE_S)
            finally:
                self._idle -= 1
            if self._waiting:
                return self._waiting.popleft()
            self._free.append(uid)
            return None
