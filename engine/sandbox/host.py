"""The machine shared by runs: how many run at once, and which one ends when memory runs short."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Protocol

from engine.sandbox.limits import SandboxLimits

_MIB = 1024 * 1024
_SHARE = 0.75
"""Of the machine's memory, what all runs together may hold; the rest is the bot's and the database's."""
_LEAST = 0.05
_LEAST_BYTES = 256 * _MIB
_FRESH_S = 0.05
_CGROUP = Path("/sys/fs/cgroup/memory.max")  # of a container's own cgroup (version 2)


class Holder(Protocol):
    """A run that can be ended."""

    def end_for_memory(self) -> None:
        """End soon, as a run that used too much memory. Callable from any thread."""


def machine_memory() -> int:
    """Return the bytes this machine, or the container this process is in, has."""
    total = _meminfo("MemTotal")
    try:
        text = _CGROUP.read_text().strip()
    except OSError:
        return total
    return min(total, int(text)) if text.isdigit() else total


def available_memory() -> int:
    """Return the bytes that can be had without anything being swapped or killed (proc(5), MemAvailable)."""
    return _meminfo("MemAvailable")


def _meminfo(name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/meminfo does not tell {name}")


def share_of(memory: int) -> int:
    """Return the bytes that all runs together may hold on a machine with so much memory."""
    return int(memory * _SHARE)


def at_once(limits: SandboxLimits, memory: int) -> int:
    """Return how many runs may go at once, so that all of them at their limits stay within their share."""
    return max(2, min(limits.parallel, share_of(memory) // limits.memory))


class Host:
    """Memory of all runs of this process.

    Their limits add up to no more than their share of the machine (`at_once`); if others take the rest of the
    machine's memory, the largest run ends before the kernel has to choose.
    """

    def __init__(self, memory: int) -> None:
        self._most = share_of(memory)
        self._least = max(_LEAST_BYTES, int(memory * _LEAST))
        self._held: dict[Holder, int] = {}
        self._lock = threading.Lock()
        self._looked_at = 0.0
        self._available = memory

    def holds(self, run: Holder, held: int) -> None:
        """Register a run's current memory; the largest run ends when the machine runs short."""
        with self._lock:
            self._held[run] = held
            if sum(self._held.values()) <= self._most and not self._short():
                return
            largest = max(self._held, key=self._held.__getitem__)
            del self._held[largest]
        largest.end_for_memory()

    def forget(self, run: Holder) -> None:
        """Remove a finished run."""
        with self._lock:
            self._held.pop(run, None)

    def _short(self) -> bool:
        now = time.monotonic()
        if now - self._looked_at > _FRESH_S:
            self._looked_at, self._available = now, available_memory()
        return self._available < self._least
