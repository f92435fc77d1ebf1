"""What an attack is, and the words all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from engine.ports import RunResult

PRELUDE = r"""
import ctypes, errno, json, mmap, os, resource, signal, socket, struct, subprocess, sys
import threading, time
libc = ctypes.CDLL(None, use_errno=True)
told = json.load(open("told.json"))
MB = 1 << 20

def breach(what):
    print("BREACH", what, flush=True)

def tries(name, attack):
    # breaching means: no error, and not a refusal of the kind a C function gives
    try:
        got = attack()
    except Exception as error:
        print("contained", name, type(error).__name__, flush=True)
        return None
    if got is False or got == -1 or got is None:
        print("contained", name, flush=True)
    else:
        breach(name)
    return got

def write(path):
    with open(path, "a") as file:
        return file.write("x")
"""


class Host(Protocol):
    """What the host planted and can see."""

    secret: str

    def reached(self) -> list[str]:
        """Listeners of the host that something reached."""

    def canary(self) -> str:
        """Content of the planted file."""

    def alive(self) -> bool:
        """Whether the planted process is alive and running."""


Check = Callable[[RunResult, Host], None]


def no_more(result: RunResult, host: Host) -> None:
    """Nothing beyond what every attack is checked for."""


@dataclass(frozen=True)
class Attack:
    """`body` is Python run inside after PRELUDE; `finishes` when it must reach its own end."""

    name: str
    body: str
    check: Check = no_more
    finishes: bool = True
    ended: tuple[str, ...] = ("exit",)
    timeout_s: float = 6.0
    files: Mapping[str, bytes] = field(default_factory=dict)
    stdin: bytes = b""

    def source(self) -> bytes:
        """The whole program."""
        last = "\nprint('DONE', flush=True)\n" if self.finishes else "\n"
        return (PRELUDE + self.body + last).encode()


def check_contained(attack: Attack, result: RunResult, host: Host) -> None:
    """What holds after every attack: it ran, it got nowhere, and the host is as before."""
    assert "BREACH" not in result.output, result.output
    assert "Traceback" not in result.output or not attack.finishes, result.output
    assert host.secret not in result.output
    assert not any(host.secret.encode() in content for content in result.changed.values())
    assert result.ended in attack.ended, result
    if attack.finishes:
        assert "DONE" in result.output, result
    assert host.reached() == []
    assert host.canary() == host.secret
    assert host.alive()
    attack.check(result, host)


def progress(result: RunResult) -> int:
    """The highest number the program reported as `GOT n`."""
    numbers = [int(line.split()[1]) for line in result.output.splitlines() if line.startswith("GOT ")]
    assert numbers or result.ended == "memory", result.output  # stopped before its first word, perhaps
    return max(numbers, default=0)
