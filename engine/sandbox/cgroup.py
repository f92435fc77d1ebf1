"""A control group (cgroup version 2) of all runs together, so that the kernel itself bounds their memory.

Made only in a group that is this program's alone: one that systemd delegated to it, or a container's own.
Elsewhere runs are watched, as they are here too.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
OURS, RUNS = "megaagent-bot", "megaagent-runs"
_DELEGATED = ("user.delegate", "trusted.delegate")
"""What systemd marks the group of a unit with that has Delegate= set."""

_KILLS = "oom_kill"
"""The line of the counter: in memory.events (version 2) and in memory.oom_control (version 1)."""
_LONGEST = 4096

_log = logging.getLogger(__name__)


class _NoGroup(Exception):
    """There can be no group; the message says why, and what would change that."""


@dataclass(slots=True)
class RunsGroup:
    """The group of all runs; without one (`joins` None) `why` says the reason in words.

    `counter`: a handle of the file that counts the processes which the kernel killed for memory in the group
    that runs are in (this program's own where there is none of theirs); None if there is no such file.
    """

    joins: int | None = None
    most: int = 0
    why: str = ""
    counter: int | None = None
    _failed: bool = field(default=False)

    @property
    def words(self) -> str:
        """Return what bounds the memory of all runs together."""
        if self.joins is None:
            return f"all runs together are watched, with no control group: {self.why}"
        return f"all runs together have {self.most // 2**20} MiB, in a control group"

    def add(self, pid: int) -> None:
        """Put a process, with all that it starts later, into the group; what fails is logged once."""
        if self.joins is None:
            return
        try:
            os.write(self.joins, f"{pid}\n".encode())
        except OSError as error:
            if not self._failed:
                self._failed = True
                _log.warning("a run cannot join its control group, runs are watched only: %s", error)

    def kills(self) -> int:
        """Return how many processes the kernel has killed here because memory ran out; 0 where unknown."""
        try:
            text = os.pread(self.counter, _LONGEST, 0).decode() if self.counter is not None else ""
        except OSError:
            return 0
        lines = (line.partition(" ") for line in text.splitlines())
        return sum(int(number) for name, _, number in lines if name == _KILLS)

    def close(self) -> None:
        """Close the handles; the group stays, and is used again at the next start."""
        for handle in (self.joins, self.counter):
            if handle is not None:
                os.close(handle)
        self.joins = self.counter = None


def runs_group(most: int, mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> RunsGroup:
    """Make the group of all runs, of at most `most` bytes. Blocking; never raises."""
    try:
        base = _ours(mount, membership)
        runs = base / RUNS
        runs.mkdir(exist_ok=True)
        (runs / "memory.max").write_text(str(most))
        with suppress(OSError):  # a machine without swap
            (runs / "memory.swap.max").write_text("0")
        joins = os.open(runs / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        return RunsGroup(joins, most, counter=_opened([runs / "memory.events"]))
    except _NoGroup as reason:
        why = f"{reason}."
    except OSError as error:
        why = f"{error.strerror or error} ({error.filename or mount})."
    return RunsGroup(why=why, counter=_own_counter(mount, membership))


def _own_counter(mount: Path, membership: Path) -> int | None:
    """Return a handle of the file that counts kills for memory in this program's group."""
    places: list[Path] = []
    with suppress(OSError):
        for line in membership.read_text().splitlines():
            _, controllers, own = line.split(":", 2)
            if not controllers:
                places.append(mount / own.lstrip("/") / "memory.events")
            elif "memory" in controllers.split(","):
                # A container sees its own group as the root, whatever it is called outside.
                groups = (mount / "memory" / own.lstrip("/"), mount / "memory")
                places += [group / "memory.oom_control" for group in groups]
    return _opened(places)


def _opened(files: Sequence[Path]) -> int | None:
    """Return a handle of the first that there is (runs are of another user, who may not see the folder)."""
    for file in files:
        with suppress(OSError):
            return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    return None


def _ours(mount: Path, membership: Path) -> Path:
    """Return a group without processes that gives memory to groups below it. Raises _NoGroup, OSError."""
    lines = membership.read_text().splitlines()
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")
    group = mount / own.lstrip("/")
    controllers = group / "cgroup.controllers"
    if not own or not controllers.is_file():
        raise _NoGroup("this machine has none of version 2")
    if "memory" not in controllers.read_text().split():
        raise _NoGroup("memory is not among the controllers of this program's group")
    base = group.parent if group.name == OURS else group
    if "memory" in (base / "cgroup.subtree_control").read_text().split():
        return base
    if not (base / "cgroup.type").is_file() or not (own == "/" or _delegated(base)):
        raise _NoGroup("this program's group is not its own (in a systemd unit: Delegate=yes)")
    # Groups below get controllers only from one that holds no processes itself.
    leaf = base / OURS
    leaf.mkdir(exist_ok=True)
    for pid in (base / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            (leaf / "cgroup.procs").write_text(pid)
    (base / "cgroup.subtree_control").write_text("+memory")
    return base


def _delegated(group: Path) -> bool:
    for name in _DELEGATED:
        with suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    return False
