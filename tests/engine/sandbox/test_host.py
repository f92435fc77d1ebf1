"""All runs together leave the machine enough."""

from __future__ import annotations

import pytest

from engine.ports import RunRequest, Sandbox
from engine.sandbox import SandboxLimits, host
from engine.sandbox import program as program_module
from engine.sandbox.host import Host, at_once, available_memory, machine_memory

MIB = 1024 * 1024
GIB = 1024 * MIB


class _Run:
    """A run that notes its end."""

    def __init__(self) -> None:
        self.ended = False

    def end_for_memory(self) -> None:
        self.ended = True


def test_runs_at_once_go_by_the_machines_memory() -> None:
    """Their limits together stay within three quarters of it; two go on the smallest machine."""
    limits = SandboxLimits(memory=512 * MIB, parallel=64)
    assert [at_once(limits, memory * GIB) for memory in (1, 4, 16, 1000)] == [2, 6, 24, 64]


def test_this_machine_has_memory_and_some_is_available() -> None:
    """Read from the system."""
    assert 0 < available_memory() <= machine_memory() + GIB


def test_the_largest_run_ends_when_all_hold_too_much() -> None:
    """And it alone; who is over is not asked twice, who is gone does not count."""
    runs = [_Run() for _ in range(4)]
    machine = Host(1000)
    for run, held in zip(runs, (200, 300, 150, 90), strict=True):
        machine.holds(run, held)
    assert [run.ended for run in runs] == [False] * 4
    machine.forget(runs[3])
    machine.holds(runs[2], 260)
    assert [run.ended for run in runs] == [False, True, False, False]
    machine.holds(runs[2], 270)
    assert not runs[2].ended


def test_the_largest_run_ends_when_the_machine_runs_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever took the memory: what programs hold goes first."""
    small, large, machine = _Run(), _Run(), Host(8 * GIB)
    machine.holds(small, 10)
    machine.holds(large, 20)
    monkeypatch.setattr(host, "available_memory", lambda: 300 * MIB)
    monkeypatch.setattr(host, "_FRESH_S", 0.0)
    machine.holds(small, 11)
    assert (small.ended, large.ended) == (False, True)


async def test_a_run_that_the_machine_ends_says_memory(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run itself was far below its own limit."""
    monkeypatch.setattr(host, "available_memory", lambda: 0)
    result = await sandbox.run(RunRequest(("sleep", "10"), {}))
    assert (result.ended, result.exit_code) == ("memory", 137)


async def test_how_a_run_ended_does_not_depend_on_when_it_was_looked_at(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that ends by itself between two looks, its places crowded, ended by its files."""
    monkeypatch.setattr(program_module, "look_again_in", lambda held, limit: 60.0)
    source = "import os\nfor n in range(2500): os.mkdir(f'd{n}')"
    result = await sandbox.run(RunRequest(("python", "-c", source), {}))
    assert (result.ended, result.changed) == ("files", {})
