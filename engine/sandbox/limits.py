"""Limits of one run; the kernel enforces most of them, a watcher the rest."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Limits of a run; sizes in bytes, times in seconds.

    `memory` applies to the whole process tree and to the address space of each process. `work`, `tmp` and
    `shared` are the writable places (memory file systems of fixed size), `files` the number of files in each.
    Half of `work` and of `files` is for a run's input: all that a task's workspace may hold. Of the output,
    `output` bytes are kept (its start and its end); more than `flood` ends the run. A session lives at most
    `session_s`; `parallel` runs at once, more wait.
    """

    memory: int = 512 * _MIB
    work: int = 512 * _MIB
    tmp: int = 64 * _MIB
    shared: int = 64 * _MIB
    files: int = 30_000
    file: int = 32 * _MIB
    processes: int = 32
    open_files: int = 64
    output: int = 64 * 1024
    flood: int = 16 * _MIB
    timeout_s: float = 300.0
    session_s: float = 600.0
    parallel: int = 64
