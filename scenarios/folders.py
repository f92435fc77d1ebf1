"""Works of several files with hidden tests, each given as a folder.

Own form: `goal.md`, what agents get in `start/`, what they never see in `tests/`, and optionally `work.json`
with the command that judges, such as `{"command": ["python", "-m", "pytest", "-q", "tests"]}` (that is the
default). Also read as it is: an exercise of Exercism's tracks as Aider's polyglot benchmark has them, with
`.docs/instructions.md` and `.meta/config.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import EngineError, Invalid
from engine.ports import RunRequest, Sandbox

MARK_S = 60.0
COMMAND = ("python", "-m", "pytest", "-q", "tests")
MOST_BYTES = 5_000_000
_DOCS = ("introduction.md", "instructions.md", "instructions.append.md")


@dataclass(frozen=True, slots=True)
class FolderWork:
    """A work: its goal, the files it starts with, and the tests that judge it by `command`."""

    name: str
    goal: str
    hidden: Mapping[str, bytes]
    start: Mapping[str, bytes] = field(default_factory=dict)
    command: tuple[str, ...] = COMMAND


def load_folders(root: Path) -> list[FolderWork]:
    """Return the works below a folder, by name. Raises Invalid when there is none or one cannot be read."""
    found = [root] if _is_work(root) else sorted(path for path in root.rglob("*") if _is_work(path))
    if not found:
        raise Invalid(f"{root} holds no work.", "Name a folder with goal.md and tests/, or an exercise.")
    try:
        return [_own(path, root) if (path / "goal.md").exists() else _exercise(path, root) for path in found]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid(f"A work below {root} cannot be read ({error}).", "Correct it.") from error


def _is_work(path: Path) -> bool:
    own = (path / "goal.md").is_file() and (path / "tests").is_dir()
    return own or ((path / ".docs/instructions.md").is_file() and (path / ".meta/config.json").is_file())


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path != root else path.name


def _own(path: Path, root: Path) -> FolderWork:
    told: Any = json.loads((path / "work.json").read_text("utf-8")) if (path / "work.json").exists() else {}
    command = told.get("command", list(COMMAND))
    if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
        raise ValueError(f"{path.name}/work.json: command is a list of words")
    start = _files(path / "start") if (path / "start").is_dir() else {}
    hidden = {f"tests/{name}": content for name, content in _files(path / "tests").items()}
    return FolderWork(_name(path, root), (path / "goal.md").read_text("utf-8"), hidden, start, tuple(command))


def _exercise(path: Path, root: Path) -> FolderWork:
    files = json.loads((path / ".meta/config.json").read_text("utf-8"))["files"]
    docs = [path / ".docs" / name for name in _DOCS]
    text = "\n\n".join(doc.read_text("utf-8") for doc in docs if doc.exists())
    start = {name: _inside(path, name) for name in (*files["solution"], *files.get("editor", []))}
    hidden = {name: _inside(path, name) for name in files["test"]}
    named = ", ".join(files["solution"])
    goal = f"{text}\n\nComplete {named}. Keep the names that are there: hidden tests use them."
    command = ("python", "-m", "pytest", "-q", *files["test"])
    return FolderWork(_name(path, root), goal, hidden, start, command)


def _inside(path: Path, name: str) -> bytes:
    """Return a file of an exercise. Raises ValueError for one that lies elsewhere."""
    found = (path / name).resolve()
    if not found.is_relative_to(path.resolve()):
        raise ValueError(f"{name} lies outside {path.name}")
    return found.read_bytes()


def _files(folder: Path) -> dict[str, bytes]:
    made = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts
    }
    if sum(map(len, made.values())) > MOST_BYTES:
        raise ValueError(f"{folder} has more than {MOST_BYTES:,} bytes")
    return made


async def mark_folder(work: FolderWork, files: Mapping[str, bytes], sandbox: Sandbox) -> tuple[bool, str]:
    """Return whether the hidden tests pass on the files as they are in the end, and what was seen."""
    inside = {**files, **work.hidden}
    try:
        result = await sandbox.run(RunRequest(work.command, inside, timeout_s=MARK_S, guarded=True))
    except EngineError as error:
        return False, str(error)
    well = result.exit_code == 0 and result.ended == "exit"
    if result.tests is not None:
        passed = f"{result.tests.passed} of {result.tests.collected} tests passed"
        return well and result.tests.passed > 0, passed
    return well, _last(result.output.splitlines()) if not well else "passed"


def _last(lines: Sequence[str]) -> str:
    return next((line.strip()[:100] for line in reversed(lines) if line.strip()), "no output")
