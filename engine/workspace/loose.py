"""Loose git objects, written without the interpreter lock held and on disk before their id is returned.

Format: gitrepository-layout(5) and "Git Internals - Git Objects": zlib of `<kind> <size>\\0<bytes>`, named by
the SHA-1 of the same. libgit2 writes them too, but holds the interpreter lock while it waits for the disk.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Literal
from uuid import uuid4

Kind = Literal["blob", "tree", "commit"]
_FAST = 1


def write_loose(objects: Path, kind: Kind, data: bytes, durable: bool) -> str:
    """Write an object below `objects` unless it is there whole; return its id.

    With `durable`, file and folder entry are on disk when this returns. Safe from many threads and processes:
    the file appears complete under its name or not at all. A power failure may leave an object that nobody
    waited for empty or cut: it is written again.
    """
    framed = _framed(kind, data)
    name = hashlib.sha1(framed, usedforsecurity=False).hexdigest()
    target = objects / name[:2] / name[2:]
    if not _is_whole(target, framed):
        _place(target, zlib.compress(framed, _FAST), durable)
    elif durable:
        _sync(target)
    return name


def _is_whole(target: Path, framed: bytes) -> bool:
    try:
        return _unpacked(target) == framed
    except Damaged:
        return False


class Damaged(Exception):
    """A loose object is not what its name says: a power failure or the disk damaged it."""


def is_damaged(objects: Path, name: str) -> bool:
    """Return True if there is a loose object of the name and it is damaged.

    libgit2 1.9 reads an object that ends in the middle of its compressed data for ever, with the interpreter
    lock held, so what may be damaged is looked at here first.
    """
    try:
        _read(objects, name)
    except Damaged:
        return True
    return False


def read_blob(objects: Path, name: str) -> bytes | None:
    """Return the bytes of a loose blob, None where no loose blob has the name. Raises Damaged."""
    head, _, content = (_read(objects, name) or b"").partition(b"\0")
    return content if head.startswith(b"blob ") else None


def _read(objects: Path, name: str) -> bytes | None:
    framed = _unpacked(objects / name[:2] / name[2:])
    if framed is not None and hashlib.sha1(framed, usedforsecurity=False).hexdigest() != name:
        raise Damaged
    return framed


def _unpacked(place: Path) -> bytes | None:
    try:
        return zlib.decompress(place.read_bytes())
    except FileNotFoundError:
        return None
    except zlib.error as error:
        raise Damaged from error


def _sync(target: Path) -> None:
    """Flush what another writer placed and may not have flushed yet."""
    with suppress(FileNotFoundError):  # it has moved into a pack, which is on disk
        sync_file(target)
        sync_folder(target.parent)


def loose_ids(objects: Path) -> list[str]:
    """Return the ids of all loose objects."""
    folders = [entry for entry in objects.iterdir() if len(entry.name) == 2]
    return [
        folder.name + file.name for folder in folders for file in folder.iterdir() if len(file.name) == 38
    ]


def remove_loose(objects: Path, ids: list[str]) -> None:
    """Delete loose objects, which are in a pack now."""
    for name in ids:
        (objects / name[:2] / name[2:]).unlink(missing_ok=True)


def _framed(kind: Kind, data: bytes) -> bytes:
    return b"%s %d\0%s" % (kind.encode(), len(data), data)


def _place(target: Path, content: bytes, durable: bool) -> None:
    target.parent.mkdir(exist_ok=True)
    draft = target.with_name(f"tmp_obj_{uuid4().hex}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            file.write(content)
            if durable:
                os.fdatasync(file.fileno())
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)
    if durable:
        sync_folder(target.parent)


def sync_file(path: Path) -> None:
    """Flush a file's content to disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file_system(folder: Path) -> None:
    """Flush the folder's whole file system to disk, with one wait for many objects."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(handle) != 0:
            raise OSError(ctypes.get_errno(), "syncfs failed", str(folder))
    finally:
        os.close(handle)
