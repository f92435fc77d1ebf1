"""Export of a task's history as a git bundle."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pygit2
from pygit2.errors import check_error
from pygit2.ffi import C, ffi

from engine.workspace.message import parse_trailers

CHUNK = 256 * 1024


def write_bundle(repo: pygit2.Repository, tip: str, branch: str, target: Path) -> None:
    """Write a version 2 git bundle (gitformat-bundle(5)) of the history that ends in `tip` to `target`."""
    builder = pygit2.PackBuilder(repo)
    builder.set_threads(1)
    for oid, name in _history(repo, tip):
        _add(builder, oid, name)
    with TemporaryDirectory(dir=target.parent, prefix=".bundle-") as folder:
        builder.write(folder)
        pack = next(Path(folder).glob("*.pack"))
        draft = Path(folder) / "bundle"
        with draft.open("wb") as out, pack.open("rb") as packed:
            out.write(f"# v2 git bundle\n{tip} {branch}\n{tip} HEAD\n\n".encode())
            shutil.copyfileobj(packed, out, CHUNK)
        draft.replace(target)


def _add(builder: pygit2.PackBuilder, oid: pygit2.Oid, name: str) -> None:
    # PackBuilder.add tells no name, and without names libgit2 finds few deltas: packs four times as large.
    raw: Any = ffi.new("git_oid *")
    ffi.buffer(raw)[:] = oid.raw
    check_error(C.git_packbuilder_insert(builder._packbuilder, raw, ffi.new("char[]", name.encode())))


def _history(repo: pygit2.Repository, tip: str) -> Iterator[tuple[pygit2.Oid, str]]:
    """Yield every commit with the objects it introduced: the folders on the path to its file, and the file.

    A commit records one revision, so everything else in its tree came with an earlier one; walking whole
    trees for each commit (as libgit2 does) takes time in files times revisions.
    """
    given: set[pygit2.Oid] = set()
    commit: pygit2.Commit | None = cast("pygit2.Commit", repo[tip])
    while commit is not None:
        yield commit.id, ""
        for oid, name in _way(commit.tree, parse_trailers(commit.message)["Path"]):
            if oid not in given:
                given.add(oid)
                yield oid, name
        commit = commit.parents[0] if commit.parent_ids else None


def _way(tree: pygit2.Object, path: str) -> Iterator[tuple[pygit2.Oid, str]]:
    yield tree.id, ""
    passed = ""
    for name in path.split("/"):
        if not isinstance(tree, pygit2.Tree) or name not in tree:
            return
        tree, passed = tree[name], f"{passed}{name}/"
        yield tree.id, passed
