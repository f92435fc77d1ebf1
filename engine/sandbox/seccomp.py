"""The system-call filter as classic BPF (seccomp(2)), assembled here.

pyseccomp was considered: it drops names its libseccomp does not know and lets newer calls pass; a fixed table
with a ceiling does neither and needs no library.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator

from engine.errors import NotConfigured
from engine.sandbox.syscalls import ATTRIBUTES, DENIED, MACHINES, NEWEST_REVIEWED, Machine

# linux/bpf_common.h and linux/seccomp.h
_LOAD, _RETURN, _JUMP = 0x20, 0x06, 0x05
_IF_EQUAL, _IF_ABOVE, _IF_AT_LEAST, _IF_ANY_BIT, _AND = 0x15, 0x25, 0x35, 0x45, 0x54
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16

_LONGEST_SKIP = 255

_NAMESPACES = 0x7E020000 | 0x80  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET} and CLONE_NEWTIME
_SET_ID = 0o6000
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6: all inside the private network namespace
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_F_SETPIPE_SZ = 1031
_SHARED_ANONYMOUS = 0x21  # its pages outlive their mapping, where no limit and no watcher sees them

Instruction = tuple[int, int, int, int]


def filter_for(machine: str) -> bytes:
    """Return the filter for `platform.machine()`. Raises NotConfigured for one without a table."""
    known = MACHINES.get(machine)
    if known is None:
        raise NotConfigured(f"Running code needs x86-64 or arm64; this machine is {machine!r}.")
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in _program(known))


def _program(machine: Machine) -> Iterator[Instruction]:
    yield _load(_ARCH_AT)
    yield from _unless_equal(machine.audit, _return(_KILL))
    yield _load(_NUMBER_AT)
    if machine.foreign is not None:
        yield from _when(_IF_AT_LEAST, machine.foreign, _refuse(errno.ENOSYS))
    yield from _when(_IF_ABOVE, NEWEST_REVIEWED, _refuse(errno.ENOSYS))
    yield from _search(_stretches(_rules(machine)))


def _rules(machine: Machine) -> dict[int, list[Instruction]]:
    bodies = {name: [_refuse(errno.EPERM)] for name in DENIED} | _conditions()
    # As of a file system without them, so that sed -i, cp -a and tar do without instead of complaining.
    bodies |= {name: [_refuse(errno.EOPNOTSUPP)] for name in ATTRIBUTES}
    bodies["clone3"] = [_refuse(errno.ENOSYS)]  # its flags lie in memory; programs fall back to clone
    return {machine.numbers[name]: body for name, body in bodies.items() if name in machine.numbers}


def _stretches(rules: dict[int, list[Instruction]]) -> list[tuple[int, list[Instruction]]]:
    """Return the start of each range of numbers with the same rule, and that rule; every number is
    covered."""
    found: list[tuple[int, list[Instruction]]] = []
    for number in range(NEWEST_REVIEWED + 1):
        body = [*rules.get(number, []), _return(_ALLOW)]
        if not found or found[-1][1] != body:
            found.append((number, body))
    return found


def _search(stretches: list[tuple[int, list[Instruction]]]) -> list[Instruction]:
    """Return the rules as a binary search: the kernel runs the filter for each call it cannot cache."""
    if len(stretches) == 1:
        return _reachable(stretches[0][1])
    middle = len(stretches) // 2
    lower, upper = _search(stretches[:middle]), _search(stretches[middle:])
    first = stretches[middle][0]
    if len(lower) <= _LONGEST_SKIP:
        return [(_IF_AT_LEAST, len(lower), 0, first), *lower, *upper]
    return [(_IF_AT_LEAST, 0, 1, first), (_JUMP, 0, 0, len(lower)), *lower, *upper]


def _reachable(body: list[Instruction]) -> list[Instruction]:
    return body[:1] if body[0][0] == _RETURN else body


def _conditions() -> dict[str, list[Instruction]]:
    eperm = _refuse(errno.EPERM)
    return {
        "clone": [_argument(0), *_when(_IF_ANY_BIT, _NAMESPACES, eperm)],
        "mmap": [_argument(3), (_AND, 0, 0, _SHARED_ANONYMOUS), *_when(_IF_EQUAL, _SHARED_ANONYMOUS, eperm)],
        "socket": [
            _argument(0),
            *(_skip_if(family, len(_FAMILIES) - at) for at, family in enumerate(_FAMILIES)),
            _refuse(errno.EAFNOSUPPORT),
            _argument(1),
            (_AND, 0, 0, 0xF),
            *_when(_IF_AT_LEAST, 3, eperm),  # above SOCK_DGRAM: raw, packet and odd types
        ],
        "ioctl": [_argument(1), *_when(_IF_EQUAL, _TIOCSTI, eperm), *_when(_IF_EQUAL, _TIOCLINUX, eperm)],
        "fcntl": [_argument(1), *_when(_IF_EQUAL, _F_SETPIPE_SZ, eperm)],
        "chmod": [_argument(1), *_when(_IF_ANY_BIT, _SET_ID, eperm)],
        "fchmod": [_argument(1), *_when(_IF_ANY_BIT, _SET_ID, eperm)],
        "fchmodat": [_argument(2), *_when(_IF_ANY_BIT, _SET_ID, eperm)],
        "fchmodat2": [_argument(2), *_when(_IF_ANY_BIT, _SET_ID, eperm)],
    }


def _load(offset: int) -> Instruction:
    return (_LOAD, 0, 0, offset)


def _argument(index: int) -> Instruction:
    # The low half: both machines are little-endian, and the kernel reads no more of these arguments.
    return _load(_ARGUMENTS_AT + 8 * index)


def _return(value: int) -> Instruction:
    return (_RETURN, 0, 0, value)


def _refuse(error: int) -> Instruction:
    return _return(_ERRNO | error)


def _when(test: int, value: int, then: Instruction) -> list[Instruction]:
    return [(test, 0, 1, value), then]


def _unless_equal(value: int, then: Instruction) -> list[Instruction]:
    return [(_IF_EQUAL, 1, 0, value), then]


def _skip_if(value: int, count: int) -> Instruction:
    return (_IF_EQUAL, count, 0, value)
