"""How much memory and how many files a run holds, read from the outside (proc(5)).

The process list is the sandbox's own /proc, held as a handle, so exactly its processes are counted. No limit
of the kernel covers the whole tree without control groups, which an ordinary user may not have.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SOCKET = 212_992  # net.core.wmem_default: what a socket may hold without growing
_FREE_SOCKETS = 8
_FILL_RATE = 2e9 * (os.cpu_count() or 1)  # bytes a second, every core zeroing pages
_SHORTEST_S, _LONGEST_S = 0.02, 0.25


@dataclass(frozen=True, slots=True)
class Handles:
    """Open directory handles of a run: its /proc, and its writable places."""

    proc: int
    places: tuple[int, ...]


def memory_held(proc: int, limit: int) -> int:
    """Bytes the tree holds: quick and high at first, exact (shared pages once) when that is over `limit`."""
    pids = [name for name in os.listdir(proc) if name.isdigit()]
    sockets = _sockets(proc)
    quick = sockets + sum(_resident(proc, pid) for pid in pids)
    if quick <= limit:
        return quick
    return sockets + sum(_proportional(proc, pid) for pid in pids)


def look_again_in(held: int, limit: int) -> float:
    """Seconds until `limit` could be reached from `held` by a program that does nothing else."""
    return min(_LONGEST_S, max(_SHORTEST_S, (limit - held) / _FILL_RATE))


def entries_held(place: int) -> int:
    """Files, folders and links in a memory file system."""
    usage = os.fstatvfs(place)
    return usage.f_files - usage.f_ffree


def _resident(proc: int, pid: str) -> int:
    pages = _statm(proc, f"{pid}/statm")
    if pages:
        return pages * _PAGE
    # A main thread that ended shows nothing while its other threads go on holding everything.
    return max((_statm(proc, f"{pid}/task/{task}/statm") for task in _tasks(proc, pid)), default=0) * _PAGE


def _tasks(proc: int, pid: str) -> list[str]:
    try:
        handle = os.open(f"{pid}/task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc)
    except (FileNotFoundError, ProcessLookupError):
        return []
    try:
        return os.listdir(handle)  # noqa: PTH208 a handle, not a path
    except (FileNotFoundError, ProcessLookupError):
        return []
    finally:
        os.close(handle)


def _statm(proc: int, path: str) -> int:
    words = _read(proc, path).split()
    return int(words[1]) if words else 0


def _proportional(proc: int, pid: str) -> int:
    for path in (f"{pid}/smaps_rollup", *(f"{pid}/task/{task}/smaps_rollup" for task in _tasks(proc, pid))):
        for line in _read(proc, path).splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return _resident(proc, pid)


def _sockets(proc: int) -> int:
    """What sockets may hold: the default for each, and what lies in the queues of TCP beyond that."""
    used = next(
        (
            int(line.split()[2])
            for line in _read(proc, "1/net/sockstat").splitlines()
            if line.startswith(b"sockets:")
        ),
        0,
    )
    if used <= _FREE_SOCKETS:
        return 0
    return used * _SOCKET + 2 * sum(_queued(_read(proc, f"1/net/{name}")) for name in ("tcp", "tcp6"))


def _queued(table: bytes) -> int:
    queues = (line.split()[4].split(b":") for line in table.splitlines()[1:])
    return sum(int(sent, 16) + int(received, 16) for sent, received in queues)


def _read(proc: int, path: str) -> bytes:
    """A file of /proc; empty when its process is gone or hides it."""
    try:
        handle = os.open(path, os.O_RDONLY, dir_fd=proc)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
    try:
        with os.fdopen(handle, "rb") as file:
            return file.read()
    except (ProcessLookupError, PermissionError):
        return b""
