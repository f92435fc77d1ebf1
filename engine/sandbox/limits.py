"""Bounds of one run; the kernel enforces most of them, a watcher the rest."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Sizes in bytes, times in seconds.

    `memory` holds for the whole tree of processes and as address space of each. `work`, `tmp` and
    `shared` are the writable places (memory file systems of fixed size), `files` what may lie in each.
    Half of `work` and of `files` is for what a run is given: all that a task's workspace may hold.
    Of the output `output` is kept (its beginning and its end); more than `flood` ends the run.
    A session lives `session_s` at most; `parallel` runs are inside at once, more wait.
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
