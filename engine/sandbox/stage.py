"""Copying files into a run before its program starts and out of it after every process has ended.

Both use a directory handle opened while only our own shell was inside, names relative to it, and never links,
so no path of the host is ever resolved on the program's behalf.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.errors import Invalid
from engine.sandbox.limits import SandboxLimits
from engine.workspace.paths import PathIndex, check_set, normal_path

_FOLLOW_NOTHING = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_SHOWN = 60
_COMPILED = "__pycache__"


@dataclass(slots=True)
class Haul:
    """Results of a run: files changed or added, deleted paths, and refused paths with the reason."""

    changed: dict[str, bytes] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    refused: list[str] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    seen: int = 0
    total: int = 0

    def refuse(self, name: str, reason: str) -> None:
        """Add a refused path; there are no more of them than entries that are looked at."""
        self.refused.append(f"{ascii(name)[1:-1][:_SHOWN]}: {reason}")

    def leave(self, path: str, reason: str, before: Mapping[str, bytes]) -> None:
        """Add a path that could not be read: the files sent there count as kept, not as deleted."""
        self.refuse(path, reason)
        self.keep(path, before)

    def keep(self, path: str, before: Mapping[str, bytes]) -> None:
        """Keep what was sent at `path` or below it from counting as deleted."""
        self.kept.update(sent for sent in before if sent == path or sent.startswith(path + "/"))


def check_files(files: Mapping[str, bytes], limits: SandboxLimits) -> None:
    """Raise Invalid when the files cannot be put into a run."""
    for path in files:
        if normal_path(path) != path:
            raise Invalid(f"{path!r} is not in its normal spelling.", f"Use {normal_path(path)!r}.")
    check_set(files)
    total = sum(map(len, files.values()))
    if total > limits.work // 2 or len(files) > limits.files // 2:
        raise Invalid(
            f"{len(files):,} files of {total:,} bytes do not fit into a run "
            f"({limits.files // 2:,} files, {limits.work // 2:,} bytes).",
            "Run with fewer files.",
        )


def put_in(folder: int, files: Mapping[str, bytes]) -> None:
    """Write `files` below the handle `folder`, in which nothing untrusted runs yet."""
    made: set[str] = set()
    for path, content in files.items():
        parts = path.split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            if parent not in made:
                os.mkdir(parent, 0o755, dir_fd=folder)
                made.add(parent)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FOLLOW_NOTHING, 0o644, dir_fd=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(content)


def take_out(folder: int, before: Mapping[str, bytes], limits: SandboxLimits) -> Haul:
    """Return what changed below `folder` against `before`. Every process inside must have ended."""
    haul = Haul()
    _walk(folder, "", before, limits, haul)
    left = {path for path in before if path not in haul.kept}
    haul.deleted = tuple(sorted(left)) if haul.seen <= limits.files else ()
    _drop_collisions(before, haul)
    return haul


def _drop_collisions(before: Mapping[str, bytes], haul: Haul) -> None:
    """Of names that differ only by case, keep the one that was sent, unless the program removed it."""
    index = PathIndex()
    for path in sorted(haul.kept & before.keys()):
        index.add(path)
    for path in sorted(haul.changed.keys() - before.keys()):
        try:
            index.add(path)
        except Invalid as error:
            haul.refuse(path, str(error))
            del haul.changed[path]


def _walk(folder: int, prefix: str, before: Mapping[str, bytes], limits: SandboxLimits, haul: Haul) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            haul.seen += 1
            if haul.seen > limits.files:
                haul.refuse(prefix, f"more than {limits.files:,} entries, the rest was not looked at")
                return
            _take(folder, prefix, entry, before, limits, haul)


def _take(
    folder: int,
    prefix: str,
    entry: os.DirEntry[str],
    before: Mapping[str, bytes],
    limits: SandboxLimits,
    haul: Haul,
) -> None:
    if entry.name == _COMPILED or entry.name.endswith(".pyc"):
        haul.keep(prefix + entry.name, before)
        return  # compiled code would run instead of the source people see
    try:
        path = normal_path(prefix + entry.name)
    except Invalid as error:
        haul.refuse(prefix + entry.name, str(error))
        return
    if path != prefix + entry.name:
        haul.refuse(prefix + entry.name, "the name is not in its normal spelling")
        return
    try:
        kind = entry.stat(follow_symlinks=False).st_mode
    except PermissionError:
        haul.leave(path, "its folder may not be searched", before)
        return
    if stat.S_ISDIR(kind):
        _descend(folder, path, entry.name, before, limits, haul)
    elif stat.S_ISREG(kind):
        _take_file(folder, path, entry.name, before, limits, haul)
    else:
        haul.leave(path, "only files and folders are kept, no links, pipes, sockets or devices", before)


def _descend(
    folder: int, path: str, name: str, before: Mapping[str, bytes], limits: SandboxLimits, haul: Haul
) -> None:
    try:
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _FOLLOW_NOTHING, dir_fd=folder)
    except PermissionError:
        haul.leave(path, "the folder may not be read", before)
        return
    try:
        _walk(inner, path + "/", before, limits, haul)
    finally:
        os.close(inner)


def _take_file(
    folder: int, path: str, name: str, before: Mapping[str, bytes], limits: SandboxLimits, haul: Haul
) -> None:
    haul.kept.add(path)
    try:
        handle = os.open(name, os.O_RDONLY | _FOLLOW_NOTHING, dir_fd=folder)
    except PermissionError:
        haul.leave(path, "the file may not be read", before)
        return
    with os.fdopen(handle, "rb") as file:
        size, sent = os.fstat(handle).st_size, before.get(path)
        same_size = sent is not None and len(sent) == size
        if size > limits.file:
            haul.refuse(path, f"larger than {limits.file:,} bytes")
        elif haul.total + size > limits.work and not same_size:
            # Holes and hard links show far more bytes than the place holds.
            haul.refuse(path, f"more than {limits.work:,} bytes in all")
        elif (content := file.read(size)) != sent:
            haul.total += len(content)
            haul.changed[path] = content
