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

from engine.workspace.loose import is_damaged, loose_ids, remove_loose, sync_file_system, sync_folder
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
        _check_since(repo, path / "objects", good)
    except _BROKEN:
        objects = path / "objects"
        remove_loose(objects, [oid for oid in loose_ids(objects) if is_damaged(objects, oid)])
        branch = path / BRANCH
        if good is None:
            branch.unlink(missing_ok=True)
        else:
            branch.write_text(good + "\n")


def _check_since(repo: pygit2.Repository, objects: Path, good: str | None) -> None:
    reference = repo.references.get(BRANCH)
    tip = str(reference.target) if reference else None
    while tip is not None and tip != good:
        _demand_whole(objects, tip)
        commit = cast("pygit2.Commit", repo[tip])
        _check_folders(commit, objects)
        tip = str(commit.parent_ids[0]) if commit.parent_ids else None


def _check_folders(commit: pygit2.Commit, objects: Path) -> None:
    """Read the trees that this commit wrote: those on the path to its file."""
    _demand_whole(objects, str(commit.tree_id))
    tree: pygit2.Object = commit.tree
    for name in parse_trailers(commit.message)["Path"].split("/")[:-1]:
        if not isinstance(tree, pygit2.Tree) or name not in tree:
            return
        _demand_whole(objects, str(tree[name].id))
        tree = tree[name]


def _demand_whole(objects: Path, oid: str) -> None:
    if is_damaged(objects, oid):
        raise ValueError(f"object {oid} is damaged")
