"""Memory and files held by a run, read from outside (proc(5)).

The process list is the sandbox's own /proc, held as a handle, so exactly its processes are counted. No kernel
limit covers the whole tree without control groups, which an ordinary user may not have.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SOCKET = 212_992  # net.core.wmem_default: what a socket may hold without growing
_FREE_SOCKETS = 8
_INODE = 1200  # of a memory file system, with its name
_LOCK = 216  # a range that a process locked
_MOST_LOCKS = 16_384
_FILL_RATE = 2e9 * (os.cpu_count() or 1)  # bytes a second, every core zeroing pages
_SHORTEST_S, _LONGEST_S = 0.02, 0.25


@dataclass(frozen=True, slots=True)
class Handles:
    """Open directory handles of a run: its /proc and its writable places, which held `given` bytes at the
    start."""

    proc: int
    places: tuple[int, ...]
    given: int = 0


def memory_held(handles: Handles, limit: int) -> int:
    """Return the bytes of the tree: processes, files in memory beyond `given`, and kernel memory for it.

    A quick upper estimate first; exact (shared pages once) if that is over `limit`.
    """
    proc = handles.proc
    pids = [name for name in os.listdir(proc) if name.isdigit()]  # noqa: PTH208 a handle, not a path
    rest = _sockets(proc) + _locks(proc, limit) + max(0, stored(handles.places) - handles.given)
    quick = rest + sum(_resident(proc, pid) for pid in pids)
    if quick <= limit:
        return quick
    return rest + sum(_proportional(proc, pid) for pid in pids)


def stored(places: Sequence[int]) -> int:
    """Return the bytes of the files in memory file systems, with the kernel's memory for each."""
    found = [os.fstatvfs(place) for place in places]
    return sum(
        (usage.f_blocks - usage.f_bfree) * usage.f_frsize + (usage.f_files - usage.f_ffree) * _INODE
        for usage in found
    )


def look_again_in(held: int, limit: int) -> float:
    """Return the seconds in which a program could at the earliest grow from `held` to `limit`."""
    return min(_LONGEST_S, max(_SHORTEST_S, (limit - held) / _FILL_RATE))


def entries_held(place: int) -> int:
    """Return the number of files, folders and links in a memory file system."""
    usage = os.fstatvfs(place)
    return usage.f_files - usage.f_ffree


def _resident(proc: int, pid: str) -> int:
    pages = _statm(proc, f"{pid}/statm")
    if pages:
        return pages * _PAGE
    # A main thread that ended shows nothing while its other threads continue to hold everything.
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
    """Return the bytes that sockets may hold: the default for each, and what TCP queues hold beyond that."""
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


def _locks(proc: int, limit: int) -> int:
    """Return the bytes of locked ranges of files; over `limit` if there are more than any program needs.

    It is not read to the end then: the kernel walks its list from the beginning for every page of it.
    """
    handle = os.open("locks", os.O_RDONLY, dir_fd=proc)
    try:
        count = 0
        while data := os.read(handle, 65536):
            count += data.count(b"\n")
            if count > _MOST_LOCKS:
                return limit + 1
        return count * _LOCK
    finally:
        os.close(handle)


def _queued(table: bytes) -> int:
    queues = (line.split()[4].split(b":") for line in table.splitlines()[1:])
    return sum(int(sent, 16) + int(received, 16) for sent, received in queues)


def _read(proc: int, path: str) -> bytes:
    """Return a file of /proc; empty if its process ended or hides it."""
    try:
        handle = os.open(path, os.O_RDONLY, dir_fd=proc)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
    try:
        with os.fdopen(handle, "rb") as file:
            return file.read()
    except (ProcessLookupError, PermissionError):
        return b""
