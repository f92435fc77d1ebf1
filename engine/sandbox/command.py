"""The bubblewrap command line (pure). The order matters: later mounts cover earlier ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.sandbox.environment import DEVICES, PACKAGES, SYSTEM_FOLDERS, WORK, Environment
from engine.sandbox.limits import SandboxLimits

INNER_UID = 1000
TMP, SHM = "/tmp", "/dev/shm"  # noqa: S108 places inside the sandbox, made for each run
_OWN = ("user", "pid", "net", "ipc", "uts", "cgroup")

_VARIABLES = {
    "PATH": "/env/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": TMP,
    "TMPDIR": TMP,
    "USER": "sandbox",
    "LOGNAME": "sandbox",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTEST_ADDOPTS": "-p no:cacheprovider",
}
# Nothing of the checkout comes before Python's own modules: see `_append_checkout` in environment.py.
_GUARD = {"PYTHONSAFEPATH": "1", "PYTEST_ADDOPTS": "-p no:cacheprovider --import-mode=append"}


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """The bubblewrap program and the features of its version."""

    program: str
    can_disable_userns: bool


def settings(bwrap: Bubblewrap, environment: Environment, limits: SandboxLimits) -> list[str]:
    """Return the arguments that are the same for every run."""
    return [
        bwrap.program,
        *_namespaces(bwrap),
        *_environment_variables(_VARIABLES),
        *("--ro-bind", str(environment.root), "/"),
        *_system(),
        *_covered(environment),
        *_proc_and_dev(limits),
        *_writable(limits),
        *("--remount-ro", "/proc"),  # else a program could make itself the last to go when memory runs out
        *("--chdir", WORK),
    ]


def command(
    settings: Sequence[str],
    filter_fd: int,
    info_fd: int,
    go_fd: int,
    argv: Sequence[str],
    guarded: bool = False,
    packages: Path | None = None,
) -> list[str]:
    """Return the whole command line. Once everything is set up, a byte on `go_fd` starts the program."""
    more = ["--ro-bind", str(packages), PACKAGES] if packages else []
    handles = ("--seccomp", str(filter_fd), "--info-fd", str(info_fd), "--block-fd", str(go_fd))
    guard = _environment_variables(_GUARD) if guarded else []
    return [*settings, *more, *handles, *guard, "--", *argv]


def _namespaces(bwrap: Bubblewrap) -> list[str]:
    words = [f"--unshare-{kind}" for kind in _OWN]
    words += ["--disable-userns"] if bwrap.can_disable_userns else []
    words += ["--uid", str(INNER_UID), "--gid", str(INNER_UID), "--hostname", "sandbox"]
    return [*words, "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]


def _environment_variables(variables: Mapping[str, str]) -> list[str]:
    return [word for name, value in variables.items() for word in ("--setenv", name, value)]


def _system() -> list[str]:
    words = ["--ro-bind", "/usr", "/usr"]
    for name in SYSTEM_FOLDERS:
        root = Path("/") / name
        if root.is_dir() and not root.is_symlink():
            words += ["--ro-bind", str(root), str(root)]
    return words


def _covered(environment: Environment) -> list[str]:
    """Return arguments that show the host's own packages as empty folders, unless they are empty already."""
    words = []
    for hidden in environment.hidden:
        if Path(hidden).is_dir() and any(Path(hidden).iterdir()):
            words += ["--ro-bind", str(environment.empty), hidden]
    return words


def _proc_and_dev(limits: SandboxLimits) -> list[str]:
    words = ["--proc", "/proc"]
    for device in DEVICES:
        words += ["--dev-bind", device, device]
    return [*words, *_tmpfs(SHM, limits.shared, "1777")]


def _writable(limits: SandboxLimits) -> list[str]:
    return [*_tmpfs(TMP, limits.tmp, "1777"), *_tmpfs(WORK, limits.work, "0755")]


def _tmpfs(path: str, size: int, mode: str) -> list[str]:
    return ["--perms", mode, "--size", str(size), "--tmpfs", path]
