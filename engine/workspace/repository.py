"""One task's bare repository: objects and one branch, without anything that git would execute."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from uuid import uuid4

import pygit2
from pygit2.enums import ConfigLevel, FileMode, RepositoryOpenFlag

from engine.errors import Invalid, NotFound
from engine.ports import BlameLine, Merge, Revision
from engine.workspace.blame import reattribute, split_lines
from engine.workspace.hunks import Hunk, hunks_between
from engine.workspace.loose import (
    Damaged,
    is_damaged,
    loose_ids,
    read_blob,
    remove_loose,
    sync_file,
    sync_file_system,
    sync_folder,
    write_loose,
)
from engine.workspace.message import author_line, commit_message, parse_trailers
from engine.workspace.rows import merged_rows, of_records
from engine.workspace.settle import BRANCH, heal, settle, settled
from engine.workspace.tree import Folder

PACK_AT = 3000  # loose objects; more make every look-up slower
MAX_PACKS = 24
_UNSURE = "a batch is under way or broke off"

# Everything libgit2 and git read here is fixed: no hooks, monitors, filters, signatures or maintenance.
_CONFIG = """[core]
\trepositoryformatversion = 0
\tfilemode = false
\tbare = true
\tfsmonitor = false
\thooksPath = /dev/null
\tattributesFile = /dev/null
\texcludesFile = /dev/null
\tlogAllRefUpdates = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[pack]
\tthreads = 1
"""


def _ignore_outer_config() -> None:
    for level in (ConfigLevel.PROGRAMDATA, ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
        pygit2.settings.search_path[level] = ""


_ignore_outer_config()


def create_bare(path: Path) -> None:
    """Create an empty bare repository by hand: libgit2's template would bring a hooks folder.

    Workers whose agents write a task's first files may do so at the same time: each creates all of it.
    """
    for folder in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    for name, text in (("config", _CONFIG), ("HEAD", f"ref: {BRANCH}\n")):
        new = path / f"{name}.{uuid4().hex}"
        new.write_text(text)
        new.rename(path / name)
    sync_folder(path)


class TaskRepository:
    """Blocking operations on one repository; safe from many threads, and `record` from many processes."""

    def __init__(self, path: Path) -> None:
        if not (path / "HEAD").exists():
            create_bare(path)
        self.path = path
        self.objects = path / "objects"
        self._repo = _open_bare(path)
        heal(self._repo, path)
        self._settled = settled(path)
        self._reading = threading.RLock()
        self._recording = threading.Lock()
        self._tip: str | None = None
        self._root = Folder()
        self._loose = len(loose_ids(self.objects))

    def handle(self) -> pygit2.Repository:
        """Return a separate libgit2 handle for long work that must not block readers."""
        return _open_bare(self.path)

    # ------------------------------------------------------------ bytes

    def put(self, content: bytes) -> str:
        """Store bytes durably and return their id."""
        blob = write_loose(self.objects, "blob", content, durable=True)
        self._loose += 1
        return blob

    def put_many(self, contents: Sequence[bytes]) -> list[str]:
        """Store several blobs durably, with one wait for the disk; return their ids in order."""
        blobs = [write_loose(self.objects, "blob", content, durable=False) for content in contents]
        self._loose += len(blobs)
        sync_file_system(self.objects)
        return blobs

    def get(self, blob: str) -> bytes:
        """Return the bytes of a blob. Raises NotFound."""
        known = len(blob) == 40 and _is_hex(blob)
        try:
            content = read_blob(self.objects, blob) if known else None
        except Damaged as error:
            raise NotFound(
                f"The content {blob!r} is damaged on the disk.", "Write the file again, or restore a backup."
            ) from error
        if content is not None:
            return content
        with self._reading:
            found = self._repo.get(blob) if known else None
            if not isinstance(found, pygit2.Blob):
                raise NotFound(f"No content {blob!r} is stored.", "List the files to see which exist.")
            return bytes(found.data)

    def _read_tree(self, oid: str) -> bytes:
        with self._reading:
            return bytes(self._repo[oid].read_raw())

    # ------------------------------------------------------------ merging

    def merge(self, base: str | None, ours: str, theirs: str, path: str = "") -> Merge:
        """Return the three-way merge of blobs; see the port."""
        if theirs in {ours, base}:
            return Merge(ours, conflict=False)
        if ours == base:
            return Merge(theirs, conflict=False)
        if not all(is_text(self.get(blob)) for blob in (base, ours, theirs) if blob):
            return Merge(ours, conflict=True)
        merged = self._merge_text(base, ours, theirs)
        if not merged.conflict or base is None or not of_records(path):
            return merged
        rows = merged_rows(*(self.get(blob) for blob in (base, ours, theirs)))
        return merged if rows is None else Merge(self.put(rows), conflict=False)

    def _merge_text(self, base: str | None, ours: str, theirs: str) -> Merge:
        with self._reading:
            result = self._repo.merge_file_from_index(
                _entry("base", base) if base else None, _entry("ours", ours), _entry("theirs", theirs)
            )
        return Merge(self.put(result.contents.encode()), conflict=not result.automergeable)

    # ------------------------------------------------------------ history

    def tip(self) -> str | None:
        """Return the id of the newest commit, None before the first."""
        with self._reading:
            reference = self._repo.references.get(BRANCH)
            return str(reference.target) if reference else None

    def recorded(self) -> int:
        """Return the highest revision id in the history, 0 for none."""
        tip = self.tip()
        with self._reading:
            return _revision_id(_commit_of(self._repo, tip)) if tip else 0

    def record(self, revisions: Sequence[Revision]) -> None:
        """Append revisions in the order of their ids; those at or below `recorded()` are skipped."""
        with self._recording, _locked(self.path / "record.lock"):
            tip, self._tip = self._reload(), _UNSURE
            known = self.recorded()
            for revision in sorted(revisions, key=lambda each: each.id):
                if revision.id > known:
                    tip, known = self._commit(tip, revision), revision.id
            if tip is not None and tip != self.tip():
                self._move_branch(tip)
            self._tip = tip

    def _reload(self) -> str | None:
        tip = self.tip()
        if tip != self._tip or tip is None:
            self._root = Folder(self._read_tree(self._tree_of(tip))) if tip else Folder()
        return tip

    def _tree_of(self, commit: str) -> str:
        with self._reading:
            return str(_commit_of(self._repo, commit).tree_id)

    def _commit(self, parent: str | None, revision: Revision) -> str:
        raw = None if revision.blob is None else bytes.fromhex(self._existing(revision.blob))
        names = [name.encode() for name in revision.path.split("/")]
        tree = self._root.change(names, raw, self._read_tree, lambda data: self._write("tree", data))
        author = author_line(revision.agent, revision.at)
        lines = [f"tree {tree}", *([f"parent {parent}"] if parent else [])]
        lines += [f"author {author}", f"committer {author}", "", commit_message(revision)]
        return self._write("commit", "\n".join(lines).encode())

    def _existing(self, blob: str) -> str:
        if (self.objects / blob[:2] / blob[2:]).exists():
            return blob
        with self._reading:
            if blob not in self._repo:
                raise NotFound(f"Revision content {blob!r} was never stored.", "Put it before recording it.")
        return blob

    def _write(self, kind: str, data: bytes) -> str:
        self._loose += 1
        return write_loose(self.objects, "tree" if kind == "tree" else "commit", data, durable=False)

    def _move_branch(self, tip: str) -> None:
        # The record lock is held: a lock file here is left from a process killed while it moved the branch.
        (self.path / f"{BRANCH}.lock").unlink(missing_ok=True)
        with self._reading:
            self._repo.references.create(BRANCH, tip, force=True)

    def commits(self) -> Iterator[pygit2.Commit]:
        """Yield commits from the newest back. Make no other repository call while iterating."""
        tip = self.tip()
        while tip is not None:
            with self._reading:
                commit = _commit_of(self._repo, tip)
            yield commit
            tip = str(commit.parent_ids[0]) if commit.parent_ids else None

    def history(self, path: str, limit: int) -> list[Revision]:
        """Return the revisions of one file, newest first. Raises NotFound."""
        found: list[Revision] = []
        for commit in self.commits():
            trailers = parse_trailers(commit.message)
            if trailers.get("Path") == path:
                found.append(self._revision(commit, trailers))
            if len(found) >= limit:
                break
        if not found:
            raise NotFound(f"{path!r} has no history in this task.", "List the files to see which exist.")
        return found

    def _revision(self, commit: pygit2.Commit, trailers: dict[str, str]) -> Revision:
        path = trailers["Path"]
        with self._reading:
            blob = _blob_at(commit.tree, path)
        task = int(self.path.name.removesuffix(".git"))
        note = commit.message.split("\n", 1)[0]
        return Revision(
            id=int(trailers["Revision"]),
            task_id=task,
            path=path,
            blob=blob,
            agent=commit.author.name,
            step=trailers.get("Step", ""),
            at=float(commit.commit_time),
            note="" if note in {f"Write {path}", f"Delete {path}"} else note,
        )

    # ------------------------------------------------------------ blame

    def blame(self, path: str) -> list[BlameLine]:
        """Return the blame of the newest text. Raises NotFound, Invalid for binary files."""
        revisions = self.history(path, limit=2**31)
        newest = revisions[0]
        if newest.blob is None:
            raise NotFound(f"{path!r} was deleted by {newest.agent}.", "Look at its history instead.")
        content = self.get(newest.blob)
        if not is_text(content):
            raise Invalid(
                f"{path!r} is not text, so it has no lines to blame.", "Look at its history instead."
            )
        owners = self._owners(list(reversed(revisions)))
        return [
            BlameLine(number, owner.agent, owner.step, owner.id, text)
            for number, (owner, text) in enumerate(
                zip(owners, split_lines(content.decode()), strict=True), start=1
            )
        ]

    def _owners(self, revisions: Sequence[Revision]) -> list[Revision]:
        owners: list[Revision] = []
        before: str | None = None
        for revision in revisions:
            owners = reattribute(owners, self._hunks(before, revision.blob), revision)
            before = revision.blob
        return owners

    def _hunks(self, old: str | None, new: str | None) -> list[Hunk]:
        return hunks_between(self._text_or_nothing(old), self._text_or_nothing(new))

    def _text_or_nothing(self, blob: str | None) -> bytes:
        content = self.get(blob) if blob else b""
        return content if is_text(content) else b""

    # ------------------------------------------------------------ care

    def unsettled(self) -> bool:
        """Return True if part of the history may not be on disk yet."""
        return self.tip() != self._settled

    def settle(self) -> None:
        """Flush the history to disk; before that, a power failure may lose its end, which is recorded
        again."""
        tip = self.tip()
        if tip is not None:
            settle(self.path, tip)
        self._settled = tip

    def pack_due(self) -> bool:
        """Return True if enough loose objects have accumulated."""
        return self._loose >= PACK_AT

    def pack(self) -> None:
        """Move loose objects into a pack and merge many packs into one. Writers and readers continue
        meanwhile."""
        with _locked(self.path / "pack.lock"):
            self._loose = 0
            repo = self.handle()
            packs = sorted((self.objects / "pack").glob("*.pack"))
            damaged = {oid for oid in loose_ids(self.objects) if is_damaged(self.objects, oid)}
            loose = [oid for oid in loose_ids(self.objects) if oid not in damaged]
            merge_all = len(packs) >= MAX_PACKS
            every = [oid for oid in map(str, repo.odb) if oid not in damaged] if merge_all else loose
            fresh = _write_pack(repo, every)
            for stem in fresh:
                sync_file(self.objects / "pack" / f"{stem}.pack")
                sync_file(self.objects / "pack" / f"{stem}.idx")
            sync_folder(self.objects / "pack")
            remove_loose(self.objects, loose)
            if merge_all:
                _remove_packs([pack for pack in packs if pack.stem not in fresh])


def is_text(content: bytes) -> bool:
    """Return True if `content` is UTF-8 without NUL, so that it can be shown, merged and blamed by line."""
    if b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _write_pack(repo: pygit2.Repository, ids: Sequence[str]) -> set[str]:
    folder = Path(repo.path) / "objects" / "pack"
    before = {pack.stem for pack in folder.glob("*.pack")}
    builder = pygit2.PackBuilder(repo)
    builder.set_threads(1)
    for oid in ids:
        builder.add(pygit2.Oid(hex=oid))
    builder.write(str(folder))
    return {pack.stem for pack in folder.glob("*.pack")} - before


def _remove_packs(packs: Sequence[Path]) -> None:
    for pack in packs:
        # The index goes last: a reader that still knows it finds the pack gone and looks again.
        pack.unlink(missing_ok=True)
        pack.with_suffix(".idx").unlink(missing_ok=True)


def _entry(label: str, blob: str) -> pygit2.IndexEntry:
    return pygit2.IndexEntry(label, pygit2.Oid(hex=blob), FileMode.BLOB)


def _blob_at(tree: pygit2.Tree, path: str) -> str | None:
    try:
        return str(tree[path].id)
    except KeyError:
        return None


def _commit_of(repo: pygit2.Repository, oid: str) -> pygit2.Commit:
    return cast("pygit2.Commit", repo[oid])


def _revision_id(commit: pygit2.Commit) -> int:
    return int(parse_trailers(commit.message)["Revision"])


def _is_hex(text: str) -> bool:
    return all(char in "0123456789abcdef" for char in text)


def _open_bare(path: Path) -> pygit2.Repository:
    return pygit2.Repository(str(path), RepositoryOpenFlag.NO_SEARCH | RepositoryOpenFlag.BARE)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file against other processes."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
