"""How much of the history is surely on disk, and recovery if a power failure lost the rest.

Writers do not wait for trees and commits to reach the disk: they follow from the store's revisions and can be
recorded again. A file beside the objects names the newest commit known to be complete on disk.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import cast

import pygit2

from engine.workspace.loose import loose_ids, remove_loose, sync_file_system, sync_folder
from engine.workspace.message import parse_trailers

BRANCH = "refs/heads/main"
_NAME = "settled"
_BROKEN = (KeyError, ValueError, OSError, pygit2.GitError)


def settled(path: Path) -> str | None:
    """Return the newest commit known to be on disk with all its objects, None if none is."""
    name = path / _NAME
    text = name.read_text().strip() if name.exists() else ""
    return text or None


def settle(path: Path, tip: str) -> None:
    """Flush everything up to `tip` to disk and record that. Blocking, as long as the disk takes."""
    sync_file_system(path)
    # Workers on one machine, and threads of one, may settle the same history.
    draft = path / f"{_NAME}.{os.getpid()}.{threading.get_ident()}.new"
    with draft.open("w") as file:
        file.write(tip + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path / _NAME)
    sync_folder(path)


def heal(repo: pygit2.Repository, path: Path) -> None:
    """Check what was written after the settled commit; if any of it is broken, go back to that commit.

    Broken objects are deleted, so that recording writes them again.
    """
    good = settled(path)
    try:
        _check_since(repo, good)
    except _BROKEN:
        remove_loose(path / "objects", [oid for oid in loose_ids(path / "objects") if not _sound(repo, oid)])
        branch = path / BRANCH
        if good is None:
            branch.unlink(missing_ok=True)
        else:
            branch.write_text(good + "\n")


def _check_since(repo: pygit2.Repository, good: str | None) -> None:
    reference = repo.references.get(BRANCH)
    tip = str(reference.target) if reference else None
    while tip is not None and tip != good:
        commit = cast("pygit2.Commit", repo[tip])
        _check_folders(commit)
        tip = str(commit.parent_ids[0]) if commit.parent_ids else None


def _check_folders(commit: pygit2.Commit) -> None:
    """Read the trees that this commit wrote: those on the path to its file."""
    tree: pygit2.Object = commit.tree
    for name in parse_trailers(commit.message)["Path"].split("/")[:-1]:
        if not isinstance(tree, pygit2.Tree) or name not in tree:
            return
        tree = tree[name]


def _sound(repo: pygit2.Repository, oid: str) -> bool:
    try:
        repo.odb.read(pygit2.Oid(hex=oid))
    except _BROKEN:
        return False
    return True
