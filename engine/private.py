"""File permissions of stored data (goals, prompts, files, keys): only this process's user can read it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
FOR_OTHER_USERS = "sandbox-env"
"""The one folder of a data directory that other users may read: it holds nothing secret."""


def keep_private(data_dir: Path, say: Callable[[str], None]) -> None:
    """Make a data directory and its existing content unreadable for other users. Blocking.

    The directory comes first, so that its content is unreachable while the rest is changed.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _close(data_dir)
        for entry in os.scandir(data_dir):
            if entry.name != FOR_OTHER_USERS:
                _close_all(entry)
    except PermissionError as error:
        say(
            f"{error.filename} belongs to another user, so others on this machine may read it. "
            "Give DATA_DIR to the user the bot runs as (chown -R)."
        )


def private_file(path: Path) -> None:
    """Create `path` if missing; make it and its companions (`<name>-*`) private to this user."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
    for file in (path, *path.parent.glob(f"{path.name}-*")):
        if file.stat().st_uid == os.geteuid():
            _close(file)


def _close_all(entry: os.DirEntry[str]) -> None:
    if entry.is_symlink():
        return
    with suppress(FileNotFoundError):  # a worker beside this process may be tidying
        _close(entry)
        if entry.is_dir():
            for inner in os.scandir(entry):
                _close_all(inner)


def _close(path: Path | os.DirEntry[str]) -> None:
    mode = path.stat().st_mode
    if mode & _OTHERS:
        Path(path).chmod(stat.S_IMODE(mode) & ~_OTHERS)
