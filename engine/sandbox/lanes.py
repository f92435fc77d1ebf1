"""Threads that runs live on; as root, each takes a spare user id that no other process has, and is reused."""

from __future__ import annotations

import errno
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from engine.ports import RunResult
from engine.sandbox.stepdown import step_down

_IDLE_S = 15.0

Work = Callable[[], RunResult]


def claim(uid: int) -> socket.socket | None:
    """Return what holds a user id until it is closed or this process ends; None if it is held already.

    The kernel counts the processes of a user over all programs of the machine: two bots whose runs were one
    user would use up each other's limit. Names of such sockets belong to a network namespace, so bots in
    containers do not see each other's.
    """
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(f"\0megaagent-sandbox-user-{uid}")
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return held


class _User:
    """The user that a thread has become, one of `uids`, which nobody else takes meanwhile."""

    def __init__(self, uids: deque[int]) -> None:
        self._uids = uids
        self._uid: int | None = None
        self._held: socket.socket | None = None
        self._ready = False

    def become(self, lock: threading.Condition) -> None:
        """Step down to a user that no other program has; to one that others have too if all are taken."""
        if self._ready:
            return
        if self._uid is None:
            with lock:
                self._take()
        assert self._uid is not None
        step_down(self._uid)
        self._ready = True

    def _take(self) -> None:
        for uid in tuple(self._uids):
            self._held = claim(uid)
            if self._held is not None:
                break
        else:
            uid = self._uids[0]
        self._uids.remove(uid)
        self._uid = uid

    def give_back(self) -> None:
        """Leave the user to others."""
        if self._held is not None:
            self._held.close()
        if self._uid is not None:
            self._uids.append(self._uid)


class Lanes:
    """At most `most` concurrent runs, each as another of `uids` (none: this process's user); more wait.

    A thread for each run cost a new stack and three system calls every time; idle threads end.
    """

    def __init__(self, most: int, uids: Sequence[int] = ()) -> None:
        self._room = most
        self._uids = deque(uids)
        self._steps_down = bool(uids)
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
            elif self._room:
                self._room -= 1
                # A daemon: when this process ends the thread ends, and with it what it started.
                threading.Thread(target=self._live, name="sandbox", daemon=True).start()
        return future

    def _live(self) -> None:
        user = _User(self._uids)
        while job := self._next(user):
            work, future = job
            try:
                if self._steps_down:
                    user.become(self._changed)
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 carried over to whoever waits
                future.set_exception(error)
            del job, work, future  # files and output of a run do not stay until the next

    def _next(self, user: _User) -> tuple[Work, Future[RunResult]] | None:
        """Return the next job; None, after making room for another thread, if there was none for a while."""
        with self._changed:
            self._idle += 1
            try:
                self._changed.wait_for(lambda: self._waiting, _IDLE_S)
            finally:
                self._idle -= 1
            if self._waiting:
                return self._waiting.popleft()
            self._room += 1
            user.give_back()
            return None
