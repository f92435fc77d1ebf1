"""A control group (cgroup version 2) of all runs together, so that the kernel itself bounds their memory.

Made only in a group that is this program's alone: one that systemd delegated to it, or a container's own.
Elsewhere runs are watched, as they are here too.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
OURS, RUNS = "megaagent-bot", "megaagent-runs"
_DELEGATED = ("user.delegate", "trusted.delegate")
"""What systemd marks the group of a unit with that has Delegate= set."""

_log = logging.getLogger(__name__)


class _NoGroup(Exception):
    """There can be no group; the message says why, and what would change that."""


@dataclass(slots=True)
class RunsGroup:
    """The group of all runs; without one (`joins` None) `why` says the reason in words."""

    joins: int | None = None
    most: int = 0
    why: str = ""
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

    def close(self) -> None:
        """Close the handle; the group stays, and is used again at the next start."""
        if self.joins is not None:
            os.close(self.joins)
            self.joins = None


def runs_group(most: int, mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> RunsGroup:
    """Make the group of all runs, of at most `most` bytes. Blocking; never raises."""
    try:
        base = _ours(mount, membership)
        runs = base / RUNS
        runs.mkdir(exist_ok=True)
        (runs / "memory.max").write_text(str(most))
        with suppress(OSError):  # a machine without swap
            (runs / "memory.swap.max").write_text("0")
        return RunsGroup(os.open(runs / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC), most)
    except _NoGroup as why:
        return RunsGroup(why=f"{why}.")
    except OSError as error:
        return RunsGroup(why=f"{error.strerror or error} ({error.filename or mount}).")


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
