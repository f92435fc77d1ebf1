"""The system-call filter on both machines, run by a small interpreter of classic BPF."""

from __future__ import annotations

import errno
import struct

import pytest

from engine.errors import NotConfigured
from engine.sandbox.seccomp import filter_for
from engine.sandbox.syscalls import ATTRIBUTES, DENIED, MACHINES, NEWEST_REVIEWED

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def verdict(machine: str, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the kernel would decide for a call."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<iIQ6Q", number, audit or MACHINES[machine].audit, 0, *padded)
    code = filter_for(machine)
    program = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    at, accumulator = 0, 0
    while True:
        operation, when, unless, value = program[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x54:
                accumulator &= value
            case 0x05:
                at += value
            case 0x06:
                return int(value)
            case _:
                holds = {
                    0x15: accumulator == value,
                    0x25: accumulator > value,
                    0x35: accumulator >= value,
                    0x45: bool(accumulator & value),
                }[operation]
                at += when if holds else unless


@pytest.mark.parametrize("machine", MACHINES)
def test_denied_calls_are_denied(machine: str) -> None:
    """Every name in the table that exists on the machine is answered EPERM."""
    for name in DENIED:
        if (number := MACHINES[machine].numbers.get(name)) is not None:
            assert verdict(machine, number) == ERRNO | errno.EPERM, name
    for name in ATTRIBUTES:
        assert verdict(machine, MACHINES[machine].numbers[name]) == ERRNO | errno.EOPNOTSUPP, name


@pytest.mark.parametrize("machine", MACHINES)
def test_everything_else_passes(machine: str) -> None:
    """A call that no rule names passes; those above the table are unknown."""
    ruled = set(MACHINES[machine].numbers.values())
    for number in range(NEWEST_REVIEWED + 1):
        assert number in ruled or verdict(machine, number) == ALLOW
    for number in (NEWEST_REVIEWED + 1, 999, 0x40000000, 0x40000027, 0x7FFFFFFF):
        assert verdict(machine, number) == ERRNO | errno.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_a_foreign_machine_is_killed(machine: str) -> None:
    """Calls in another ABI, whose numbers mean other things, never pass."""
    assert verdict(machine, 1, audit=0x40000003) == KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_decide(machine: str) -> None:
    """Namespaces by clone, odd sockets, shared anonymous pages, set-id modes and pipe sizes are refused."""
    numbers = MACHINES[machine].numbers
    eperm = ERRNO | errno.EPERM
    assert verdict(machine, numbers["clone"], 17) == ALLOW
    assert verdict(machine, numbers["clone"], 0x10000000 | 17) == eperm
    assert verdict(machine, numbers["clone3"]) == ERRNO | errno.ENOSYS
    for family, kind, expected in [
        (1, 1, ALLOW),
        (2, 2, ALLOW),
        (10, 0x80801, ALLOW),
        (2, 3, eperm),
        (16, 1, ERRNO | errno.EAFNOSUPPORT),
        (40, 1, ERRNO | errno.EAFNOSUPPORT),
        (0x1_0000_0002, 1, ALLOW),
    ]:
        assert verdict(machine, numbers["socket"], family, kind) == expected
    assert verdict(machine, numbers["mmap"], 0, 9, 3, 0x22) == ALLOW
    assert verdict(machine, numbers["mmap"], 0, 9, 3, 0x01) == ALLOW
    assert verdict(machine, numbers["mmap"], 0, 9, 3, 0x21) == eperm
    assert verdict(machine, numbers["fchmodat"], 0, 0, 0o755) == ALLOW
    assert verdict(machine, numbers["fchmodat"], 0, 0, 0o4755) == eperm
    assert verdict(machine, numbers["fcntl"], 1, 3) == ALLOW
    assert verdict(machine, numbers["fcntl"], 1, 1031) == eperm
    assert verdict(machine, numbers["ioctl"], 0, 0x5401) == ALLOW
    assert verdict(machine, numbers["ioctl"], 0, 0xFFFFFFFF_00005412) == eperm


def test_an_unknown_machine_is_refused() -> None:
    """No table, no filter, no run."""
    with pytest.raises(NotConfigured, match="riscv64"):
        filter_for("riscv64")
