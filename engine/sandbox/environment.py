"""The read-only Python for programs in the sandbox: an interpreter, the allowed packages, nothing else."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from engine.errors import NotConfigured
from engine.sandbox.interpreter import OLDEST, Inside, Say, call, place_interpreter
from engine.sandbox.testimony import MODULE

ROOT_FOLDER = Path("/var/lib/megaagent")
COPIED_FROM_THE_HOST = (Path("/etc/ld.so.cache"), Path("/etc/alternatives"))
WORK = "/task"  # where the checkout lies inside
PACKAGES = "/packages"  # where a task's own packages lie inside
_LAYOUT = 7
SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib64")
_INSIDE = Inside(
    mounted=("/usr", *(f"/{name}" for name in SYSTEM_FOLDERS)),
    covered=("/tmp", "/dev", "/proc", WORK, PACKAGES),  # noqa: S108 folders inside, other ones than the host's
)
DEVICES = ("/dev/null", "/dev/urandom")  # no zero: see seccomp.py on shared pages
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "random": "urandom",
}
_ETC = {
    "passwd": "root:x:0:0:root:/:/bin/false\nsandbox:x:1000:1000:sandbox:/tmp:/bin/sh\n",
    "group": "root:x:0:\nsandbox:x:1000:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}

_REFEREE = Path(__file__).with_name("referee.py")
_SITECUSTOMIZE = """\
import sys

if getattr(sys.flags, "safe_path", False):
    import os

    script = next((word for word in sys.orig_argv[1:] if not word.startswith("-")), "")
    beside = [os.path.dirname(os.path.abspath(script))] if os.path.isfile(script) else []
    sys.path += [folder for folder in (*beside, os.getcwd()) if folder not in sys.path]
"""


class _Record(TypedDict):
    layout: int
    python: str
    packages: list[str]
    hidden: list[str]


@dataclass(frozen=True, slots=True)
class Environment:
    """A prepared folder: `root` becomes /, with the interpreter in /env; `hidden` folders show as empty."""

    folder: Path
    python: str
    packages: tuple[str, ...]
    hidden: tuple[str, ...]

    @property
    def root(self) -> Path:
        """Return the folder that becomes /: small files, and the mount points of everything else."""
        return self.folder / "root"

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the packages, without versions and folders."""
        return tuple(_named(requirement) for requirement in self.packages)

    @property
    def tree(self) -> Path:
        """Return the folder of the interpreter and its packages."""
        return self.root / "env"

    @property
    def empty(self) -> Path:
        """Return a folder with nothing in it."""
        return self.folder / "empty"


def _named(requirement: str) -> str:
    """Return the package name: numpy for `numpy>=2` and `/some/where/numpy-2.0-py3-none-any.whl`."""
    name = requirement.rpartition("/")[2]
    return name.partition("-")[0] if name.endswith(".whl") else re.split(r"[^\w.-]", name, maxsplit=1)[0]


def environment_folder(data_dir: Path, packages: Sequence[str]) -> Path:
    """Return where the environment with `packages` belongs: under the data directory.

    When this process is root and a dropped user could not get there (a home directory, say), it is in
    `ROOT_FOLDER`, which every data directory of this machine shares: there each list of packages has its own.
    """
    folder = (data_dir / "sandbox-env").resolve()
    if os.geteuid() != 0 or all(_passable(parent) for parent in folder.parents):
        return folder
    key = hashlib.sha256(json.dumps(sorted(set(packages))).encode()).hexdigest()[:8]
    return ROOT_FOLDER / f"sandbox-env-{key}"


def _passable(folder: Path) -> bool:
    return not folder.exists() or bool(folder.stat().st_mode & 0o001)


def load_environment(folder: Path) -> Environment:
    """Return the environment prepared in `folder`. Raises NotConfigured if there is none."""
    record = _read_record(folder)
    if record is None:
        raise NotConfigured(
            f"The sandbox has no Python yet: {folder} is not prepared. Run the set-up (`make setup`) again."
        )
    return Environment(folder, record["python"], tuple(record["packages"]), tuple(record["hidden"]))


def prepare_environment(target: Path, packages: Sequence[str], say: Say = lambda _: None) -> Environment:
    """Prepare the environment in `target` with exactly `packages` (pip requirements), once.

    Blocking; takes seconds the first time and nothing afterwards. `say` receives one sentence per step.
    Raises NotConfigured on another system than Linux, if no interpreter can be used inside, or if a package
    cannot be installed.
    """
    require_linux()
    _make_passable(target)
    wanted = sorted(set(packages))
    with _only_one(target / "prepare.lock"):
        if not _is_current(target, wanted):
            _build(target, wanted, say)
        else:
            say(f"The sandbox's Python is ready ({', '.join(wanted) or 'no packages'}).")
        _take_over(target / "root" / "etc")
        _append_checkout(target / "root" / "env")
    return load_environment(target)


def _make_passable(target: Path) -> None:
    """Create the folder and missing parents, readable for dropped users whatever this process's umask."""
    missing = [folder for folder in (target, *target.parents) if not folder.exists()]
    target.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        folder.chmod(0o755)


def _is_current(target: Path, wanted: list[str]) -> bool:
    """Return True if the existing environment can stay: a system upgrade replaces the Python it is based
    on."""
    record = _read_record(target)
    if record is None or record["packages"] != wanted:
        return False
    try:
        return _version(target / "root" / "env") == record["python"]
    except (NotConfigured, OSError):
        return False


def require_linux() -> None:
    """Raise NotConfigured on a system where nothing can contain programs."""
    if sys.platform != "linux":
        raise NotConfigured(
            f"Containing code needs bubblewrap, which exists on Linux only; this is {platform.system()}. "
            "Run the bot on Linux, a virtual machine will do."
        )


def _build(target: Path, packages: list[str], say: Say) -> None:
    """Build beside the existing environment, which stays if this fails (a mistyped package, for example)."""
    fresh = target / "new"
    shutil.rmtree(fresh, ignore_errors=True)
    tree = fresh / "env"
    fresh.mkdir()
    hidden = place_interpreter(tree, _INSIDE, say)
    _install(tree, packages, say)
    _place_small_files(tree)
    _place_mount_points(fresh)
    (target / "empty").mkdir(exist_ok=True)
    _open_to_all(target)
    record: _Record = {"layout": _LAYOUT, "python": _version(tree), "packages": packages, "hidden": hidden}
    (target / "ready.json").unlink(missing_ok=True)
    shutil.rmtree(target / "root", ignore_errors=True)
    fresh.rename(target / "root")
    (target / "ready.json").write_text(json.dumps(record))
    (target / "ready.json").chmod(0o644)


def _read_record(folder: Path) -> _Record | None:
    path = folder / "ready.json"
    if not path.exists():
        return None
    record: _Record = json.loads(path.read_text())
    recent = tuple(int(part) for part in record["python"].split(".")[:2]) >= OLDEST
    return record if record["layout"] == _LAYOUT and recent else None


def _install(tree: Path, packages: list[str], say: Say) -> None:
    if not packages:
        return
    say(f"Installing {', '.join(packages)} for the sandbox.")
    pip = [sys.executable, "-I", "-m", "pip", "--python", str(tree / "bin" / "python"), "install"]
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    call([*pip, *quiet, *packages], f"install {', '.join(packages)} (RUN_PACKAGES)")
    for script in (tree / "bin").iterdir():
        _point_inside(script, tree)


def _point_inside(script: Path, tree: Path) -> None:
    outside = f"#!{tree}/bin/".encode()
    if script.is_file() and not script.is_symlink() and (content := script.read_bytes()).startswith(outside):
        script.write_bytes(b"#!/env/bin/" + content.removeprefix(outside))


def _place_small_files(tree: Path) -> None:
    etc = tree.parent / "etc"
    etc.mkdir()
    for name, text in _ETC.items():
        (etc / name).write_text(text)
    # Last on the path: packages of the task, then modules in the root of the checkout, are found, and can
    # shadow nothing. Files in a folder named here are imported, but none is run as Python starts.
    for packages in (tree / "lib").glob("python*/site-packages"):
        (packages / "checkout.pth").write_text(f"{PACKAGES}\n{WORK}\n")
        # Found before a file of that name in the checkout, which every Python would run as it starts.
        (packages / "usercustomize.py").touch()


def _append_checkout(tree: Path) -> None:
    """Let guarded runs find modules beside a script or in the working folder last, not first or never.

    The referee of test runners lies among the packages.
    """
    wanted = {"sitecustomize": _SITECUSTOMIZE.encode(), MODULE: _REFEREE.read_bytes()}
    for packages in (tree / "lib").glob("python*/site-packages"):
        for name, source in wanted.items():
            if _replace_file(packages / f"{name}.py", source):
                compiling = "import py_compile, sys; py_compile.compile(sys.argv[1], doraise=True)"
                python = [str(tree / "bin" / "python"), "-I", "-c", compiling]
                call([*python, str(packages / f"{name}.py")], "compile what it starts with")
                _open_to_all(packages / "__pycache__")


def _take_over(etc: Path) -> None:
    """Copy what programs in /usr need of the host's /etc (to mount it cost each run more).

    Done at each start, whatever changed on the host meanwhile.
    """
    for path in COPIED_FROM_THE_HOST:
        if path.is_dir():
            links = {link.name: str(link.readlink()) for link in path.iterdir() if link.is_symlink()}
            _replace_links(etc / path.name, links)
        elif path.is_file():
            _replace_file(etc / path.name, path.read_bytes())


def _replace_links(folder: Path, wanted: Mapping[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    present = {link.name: str(link.readlink()) for link in folder.iterdir()}
    for name in present.keys() - wanted.keys():
        (folder / name).unlink()
    for name, leads_to in wanted.items():
        if present.get(name) != leads_to:
            new = folder.parent / "new"
            new.symlink_to(leads_to)
            new.replace(folder / name)


def _replace_file(path: Path, content: bytes) -> bool:
    """Replace a file atomically, since runs may be reading it; return True if its content changed."""
    if path.exists() and path.read_bytes() == content:
        return False
    new = path.parent / "new"
    new.write_bytes(content)
    new.chmod(0o444)
    new.replace(path)
    return True


def _place_mount_points(root: Path) -> None:
    """Create all mount points and links of runs once, so that no run has to."""
    for folder in ("usr", "proc", "dev/shm", "tmp", WORK.lstrip("/"), PACKAGES.lstrip("/")):
        (root / folder).mkdir(parents=True)
    for name in SYSTEM_FOLDERS:
        outside = Path("/") / name
        if outside.is_symlink():
            (root / name).symlink_to(f"usr/{name}")
        elif outside.is_dir():
            (root / name).mkdir()
    for device in DEVICES:
        (root / device.lstrip("/")).touch()
    for name, inside in _DEVICE_LINKS.items():
        (root / "dev" / name).symlink_to(inside)


def _open_to_all(target: Path) -> None:
    for folder, folders, files in os.walk(target):
        for name in (".", *folders, *files):
            path = Path(folder, name)
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))


def _version(tree: Path) -> str:
    return call(
        [str(tree / "bin" / "python"), "-I", "-c", "print(__import__('sys').version)"], "start"
    ).strip()


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
