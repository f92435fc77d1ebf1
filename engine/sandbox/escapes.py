"""Try to escape from the sandbox from inside and print a JSON list of the ways that worked.

Sent into a run as source (standard library only, Python 3.9 or later); argument: what the host planted.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_NEW_USER_NAMESPACE = 0x10000000
_AF_NETLINK = 16
_MORE_THAN_ALLOWED = 1000
_PROCESSES_TRIED = 300


def ways_out(planted: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """Return each escape's name and attempt, which returns something true if it gets out."""
    libc = ctypes.CDLL(None, use_errno=True)
    return {
        "reading a host file": lambda: _reads(planted["canary"]),
        "writing a host file": lambda: _writes(planted["canary"]),
        "writing to the system": lambda: _writes("/usr/x"),
        "writing to the root": lambda: _writes("/x"),
        "writing to the environment": lambda: _writes("/env/x"),
        "a kernel knob": lambda: _writes("/proc/sys/kernel/core_pattern"),
        "the processes of the host": lambda: (
            len([path for path in Path("/proc").iterdir() if path.name.isdigit()]) > 4
        ),
        "the network of the host": lambda: _connects(planted["port"]),
        "a kernel socket": _opens_a_kernel_socket,
        "new namespaces": lambda: libc.unshare(_NEW_USER_NAMESPACE) == 0,
        "mounting": lambda: libc.mount(b"x", b"/tmp", b"tmpfs", 0, None) == 0,
        "tracing": lambda: libc.ptrace(0, 0, 0, 0) == 0,
        "memory no limit sees": lambda: libc.memfd_create(b"x", 0) >= 0,
        "capabilities": _has_capabilities,
        "being root": lambda: os.getuid() == 0,
        "raising a limit": _raises_a_limit,
        "secrets in the environment": lambda: [
            name for name in os.environ if name.endswith(("TOKEN", "KEY"))
        ],
        "open files of the host": _has_foreign_handles,
        "a process outside the filter": _finds_an_unfiltered_process,
        "forking without end": _forks_without_end,
    }


def _reads(path: str) -> bool:
    return bool(Path(path).read_bytes())


def _writes(path: str) -> bool:
    return bool(Path(path).write_text("x"))


def _connects(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _opens_a_kernel_socket() -> bool:
    with socket.socket(_AF_NETLINK, socket.SOCK_RAW, 0):
        return True


def _has_capabilities() -> bool:
    lines = Path("/proc/self/status").read_text().splitlines()
    return any(int(line.split()[1], 16) for line in lines if line.startswith(("CapEff", "CapPrm", "CapBnd")))


def _raises_a_limit() -> bool:
    resource.setrlimit(resource.RLIMIT_NPROC, (_MORE_THAN_ALLOWED, _MORE_THAN_ALLOWED))
    return True


def _has_foreign_handles() -> bool:
    # The one beyond the standard three is the handle that lists them.
    handles = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    return any(handle > 2 and _is_foreign(handle) for handle in handles)


def _is_foreign(handle: int) -> bool:
    """Return True for a handle that this process could not open by itself (libffi keeps its library open)."""
    try:
        held, writes = os.fstat(handle), fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError:
        return False  # it listed the others and is closed
    try:
        return writes or not os.path.samestat(held, Path(f"/proc/self/fd/{handle}").readlink().stat())
    except OSError:
        return True


def _finds_an_unfiltered_process() -> bool:
    states = [path / "status" for path in Path("/proc").iterdir() if path.name.isdigit()]
    return any("\nSeccomp:\t2\n" not in state.read_text() for state in states)


def _forks_without_end() -> bool:
    held, release = os.pipe()
    children: list[int] = []
    try:
        while len(children) < _PROCESSES_TRIED:
            child = os.fork()
            if child == 0:
                os.close(release)
                os.read(held, 1)
                os._exit(0)
            children.append(child)
    finally:
        os.close(release)
        for child in children:
            os.waitpid(child, 0)
    return True


def leads_out(attempt: Callable[[], object]) -> bool:
    """Return True if `attempt` got through; refusals by the system are expected."""
    try:
        return bool(attempt())
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    found = [name for name, attempt in ways_out(json.loads(sys.argv[1])).items() if leads_out(attempt)]
    sys.stdout.write(json.dumps(found) + "\n")
