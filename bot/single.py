"""One bot a database: two would post everything twice. The second start is refused in plain words."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from bot import texts


class AlreadyRunning(Exception):
    """Another bot holds the database; the text says which and what to do."""


class OnlyBot:
    """Holds a lock file beside the database for as long as the process lives.

    The lock is the operating system's (flock), so it is gone the moment its process is, killed or not;
    the file itself stays and only says who holds it. Use as a context manager, or `claim` and `leave`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def claim(self) -> None:
        """Take the lock. Raises AlreadyRunning."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(file, 200).decode("utf-8", "replace").strip()
            os.close(file)
            raise AlreadyRunning(texts.TWICE.format(who=who or "process unknown")) from None
        os.ftruncate(file, 0)
        os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        self._file = file

    def leave(self) -> None:
        """Give the lock back; repeatable."""
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):  # closing is what frees it; truncating only keeps the file honest
                os.ftruncate(file, 0)
            os.close(file)

    def __enter__(self) -> OnlyBot:
        self.claim()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
