"""Python interpreters for the sandbox: the system's, or a copy of this process's own with its libraries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import NotConfigured

Say = Callable[[str], None]

SYSTEM_PYTHONS = (Path("/usr/bin/python3"), Path("/usr/local/bin/python3"))
OLDEST = (3, 11)  # the first with PYTHONSAFEPATH, which puts its own modules first
_NOT_COPIED = shutil.ignore_patterns(
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "lib2to3",
    "site-packages",
    "config-*",
    "*.a",
)


@dataclass(frozen=True, slots=True)
class Inside:
    """The host folders visible inside: the `mounted` ones, except that `covered` ones are different there."""

    mounted: Sequence[str]
    covered: Sequence[str]

    def has(self, path: Path) -> bool:
        """Return True if the host's `path` is the same inside."""
        return any(path.is_relative_to(folder) for folder in self.mounted)

    def covers(self, path: Path) -> bool:
        """Return True if nothing can be placed at `path`."""
        return any(path.is_relative_to(folder) for folder in self.covered)


def place_interpreter(tree: Path, inside: Inside, say: Say) -> list[str]:
    """Put an interpreter into `tree`; return the host's package folders that must show as empty.

    `tree` will be /env. Raise NotConfigured when no interpreter of this machine can start inside.
    """
    for python in system_pythons(inside):
        try:
            hidden = _inspect(python, inside)
            say(f"Basing the sandbox's Python on {python}.")
            call([str(python), "-I", "-m", "venv", "--without-pip", str(tree)], "make a virtual environment")
        except NotConfigured as refused:
            say(f"{python} is not used for the sandbox. {refused}")
            shutil.rmtree(tree, ignore_errors=True)
        else:
            return hidden
    say(f"Copying the Python of {sys.base_prefix} for the sandbox.")
    _copy_interpreter(tree, inside)
    return []


def system_pythons(inside: Inside) -> list[Path]:
    """Return interpreters that may lie in a mounted folder, this process's own last."""
    return [
        python
        for python in (*SYSTEM_PYTHONS, _own_executable())
        if python.exists() and inside.has(python.resolve())
    ]


def _own_executable() -> Path:
    """Return the interpreter of this process, not the link to it in a virtual environment."""
    executable: str = getattr(sys, "_base_executable", None) or sys.executable
    return Path(executable).resolve()


_QUESTIONS = """\
import json, os, site, sys
executable = os.path.realpath(sys.executable)
print(json.dumps([sys.version_info[:2], executable, os.__file__, site.getsitepackages()]))
"""


def _inspect(python: Path, inside: Inside) -> list[str]:
    """Return the interpreter's own package folders. Raise NotConfigured when it cannot be used inside."""
    asked = call([str(python), "-I", "-c", _QUESTIONS], "ask Python for its version")
    version, executable, library, folders = json.loads(asked)
    if tuple(version) < OLDEST:
        raise NotConfigured(f"It is older than {'.'.join(map(str, OLDEST))}.")
    needed = [Path(executable), Path(library).resolve(), *find_libraries(Path(executable), [])]
    if outside := [path for path in needed if not inside.has(path)]:
        raise NotConfigured(f"It needs {outside[0]}, which programs inside do not see.")
    return [folder for folder in folders if folder.startswith("/usr/") and Path(folder).is_dir()]


def _copy_interpreter(tree: Path, inside: Inside) -> None:
    """Copy this process's Python with every library of its own.

    A library is looked up relative to the program or at the absolute path that was set when it was built,
    so the inside has it at both: in /env and, by a link or a copy, at its path on the host.
    """
    base = Path(sys.base_prefix).resolve()
    executable = _own_executable()
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    standard = Path(sysconfig.get_path("stdlib"))
    (tree / "bin").mkdir(parents=True)
    shutil.copy2(executable, tree / "bin" / name)
    for alias in ("python", "python3"):
        (tree / "bin" / alias).symlink_to(name)
    copied = tree / "lib" / standard.name
    shutil.copytree(standard, copied, ignore=_NOT_COPIED)
    extensions = base / sys.platlibdir / standard.name / "lib-dynload"
    if not (copied / "lib-dynload").exists() and extensions.is_dir():
        shutil.copytree(extensions, tree / sys.platlibdir / standard.name / "lib-dynload")
    (copied / "site-packages").mkdir(exist_ok=True)
    for library in find_libraries(executable, [*extensions.glob("*.so")]):
        if not inside.has(library):
            _place_library(library, base, tree)
    _check_copy(tree / "bin" / name, tree, inside)


def _place_library(library: Path, base: Path, tree: Path) -> None:
    """Put one shared library at its own path inside, and into `tree` too when it belongs to `base`."""
    there = tree.parent / library.relative_to("/")
    there.parent.mkdir(parents=True, exist_ok=True)
    if library.is_relative_to(base):
        own = library.relative_to(base)
        (tree / own).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, tree / own)
        if not there.exists():
            there.symlink_to(Path("/env") / own)
    else:
        shutil.copy2(library, there)


def _check_copy(program: Path, tree: Path, inside: Inside) -> None:
    for library in find_libraries(program, []):
        if inside.covers(library) and not library.is_relative_to(tree):
            raise NotConfigured(
                f"The Python of {sys.base_prefix} needs {library}, and inside the sandbox another folder "
                "covers that. Install a Python elsewhere (Debian, Ubuntu: apt install python3), then run the "
                "set-up again."
            )


def find_libraries(program: Path, extensions: Sequence[Path]) -> list[Path]:
    """Return the shared libraries that a Python needs, as the loader of this system finds them by itself.

    Raise NotConfigured when `program` lacks one. An extension module that lacks one is an optional module
    that does not work outside either.
    """
    found = _ask_loader([program])
    for name, path in found:
        if path is None:
            raise NotConfigured(
                f"{program} needs {name}, which is found through LD_LIBRARY_PATH only, or not at all. "
                "Install another Python (Debian, Ubuntu: apt install python3), then run the set-up again."
            )
    found += _ask_loader(extensions) if extensions else []
    return list(dict.fromkeys(path for _, path in found if path is not None))


def _ask_loader(files: Sequence[Path]) -> list[tuple[str, Path | None]]:
    """Return the libraries of `files` and where they are, without LD_LIBRARY_PATH: inside there is none."""
    ldd = shutil.which("ldd")
    if ldd is None:
        raise NotConfigured("The program ldd is missing. Install it (Debian, Ubuntu: apt install libc-bin).")
    words = [ldd, *map(str, files)]
    done = subprocess.run(words, env={"LC_ALL": "C"}, capture_output=True, text=True, check=False)  # noqa: S603
    found: list[tuple[str, Path | None]] = []
    for line in done.stdout.splitlines():
        # "libm.so.6 => /lib/libm.so.6 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)" or "libx.so.1 => not found"
        name, _, rest = line.strip().partition(" => ")
        path = (rest or name).partition(" (0x")[0]
        if path.startswith("/") and not path.endswith(":"):
            found.append((name, Path(os.path.normpath(path))))
        elif path == "not found":
            found.append((name, None))
    return found


def call(words: list[str], doing: str) -> str:
    """Return a program's output. Raises NotConfigured with its last line if it fails."""
    done = subprocess.run(words, cwd="/", capture_output=True, text=True, check=False)  # noqa: S603 our words only
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise NotConfigured(
            f"The sandbox's Python could not {doing}: {lines[-1]}. Fix that and run the set-up again."
        )
    return done.stdout
