"""The bubblewrap command line (pure). The order matters: what is mounted later covers what is below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.sandbox.environment import LENT_BY_THE_HOST, WORK, Environment
from engine.sandbox.limits import SandboxLimits

INNER_UID = 1000
TMP, SHM = "/tmp", "/dev/shm"  # noqa: S108 places inside the sandbox, made for each run
_OWN = ("user", "pid", "net", "ipc", "uts", "cgroup")
_SIGNS_OF_LIFE = 'echo; IFS= read -r go || exit 125; exec "$@"'

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
_DEVICES = ("/dev/null", "/dev/urandom")  # no zero: see seccomp.py on shared pages


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """The program and what this version of it can do."""

    program: str
    can_disable_userns: bool


def command(
    bwrap: Bubblewrap,
    environment: Environment,
    limits: SandboxLimits,
    filter_fd: int,
    info_fd: int,
    argv: Sequence[str],
) -> list[str]:
    """Everything up to the program itself.

    Inside, a shell says an empty line once all is set up and waits for one before it becomes `argv`.
    """
    return [
        bwrap.program,
        *_namespaces(bwrap),
        *_environment_variables(),
        *_system(),
        *_interpreter(environment),
        *_proc_and_dev(limits),
        *_writable(limits),
        *("--chdir", WORK, "--remount-ro", "/"),
        *("--seccomp", str(filter_fd), "--info-fd", str(info_fd)),
        *("--", "/bin/sh", "-c", _SIGNS_OF_LIFE, "sh", *argv),
    ]


def _namespaces(bwrap: Bubblewrap) -> list[str]:
    words = [f"--unshare-{kind}" for kind in _OWN]
    words += ["--disable-userns"] if bwrap.can_disable_userns else []
    words += ["--uid", str(INNER_UID), "--gid", str(INNER_UID), "--hostname", "sandbox"]
    return [*words, "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]


def _environment_variables() -> list[str]:
    return [word for name, value in _VARIABLES.items() for word in ("--setenv", name, value)]


def _system() -> list[str]:
    words = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        root = Path("/") / name
        if root.is_symlink():
            words += ["--symlink", f"usr/{name}", f"/{name}"]
        elif root.is_dir():
            words += ["--ro-bind", str(root), str(root)]
    return words


def _interpreter(environment: Environment) -> list[str]:
    words = ["--ro-bind", str(environment.tree), "/env"]
    for hidden in environment.hidden:
        words += ["--ro-bind", str(environment.empty), hidden]
    words += ["--ro-bind", str(environment.etc), "/etc"]
    for path in LENT_BY_THE_HOST:
        words += ["--ro-bind-try", path, path]
    return words


def _proc_and_dev(limits: SandboxLimits) -> list[str]:
    words = ["--proc", "/proc", "--size", "65536", "--tmpfs", "/dev"]
    for device in _DEVICES:
        words += ["--dev-bind", device, device]
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        words += ["--symlink", f"/proc/self/fd{target}", f"/dev/{name}"]
    words += ["--symlink", "urandom", "/dev/random"]
    return [*words, *_tmpfs(SHM, limits.shared, "1777"), "--remount-ro", "/dev"]


def _writable(limits: SandboxLimits) -> list[str]:
    return [*_tmpfs(TMP, limits.tmp, "1777"), *_tmpfs(WORK, limits.work, "0755")]


def _tmpfs(path: str, size: int, mode: str) -> list[str]:
    return ["--perms", mode, "--size", str(size), "--tmpfs", path]
