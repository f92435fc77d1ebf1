"""A task's newest git tree in memory, so that a revision writes only the folders that change."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable

Writer = Callable[[bytes], str]
Reader = Callable[[str], bytes]

_FILE = b"100644"
_FOLDER = b"40000"


class Folder:
    """One folder: git's sort keys, the entry bytes of each, and the subfolders opened so far."""

    def __init__(self, data: bytes = b"") -> None:
        self._keys: list[bytes] = []
        self._entries: dict[bytes, bytes] = {}
        self._opened: dict[bytes, Folder] = {}
        for mode, name, oid in parse_tree(data):
            self._set(name, mode, oid)

    @property
    def empty(self) -> bool:
        """Return True if the folder has no entries left (git keeps no empty folders)."""
        return not self._keys

    def change(self, path: list[bytes], blob: bytes | None, read: Reader, write: Writer) -> str:
        """Set the file at `path` (None: remove it), write the trees above it and return this folder's id.

        A file where a folder is needed (or the reverse) is replaced: the later revision wins.
        """
        name, rest = path[0], path[1:]
        if not rest:
            self._put_file(name, blob)
        else:
            self._change_below(name, rest, blob, read, write)
        return write(b"".join(map(self._entries.__getitem__, self._keys)))

    def _put_file(self, name: bytes, blob: bytes | None) -> None:
        if blob is None:
            self._drop(name)
        else:
            self._drop(name + b"/")
            self._set(name, _FILE, blob)

    def _change_below(
        self, name: bytes, rest: list[bytes], blob: bytes | None, read: Reader, write: Writer
    ) -> None:
        folder = self._open(name, read)
        oid = folder.change(rest, blob, read, write)
        if folder.empty:
            self._drop(name + b"/")
        else:
            self._drop(name)
            self._opened[name] = folder
            self._set(name, _FOLDER, bytes.fromhex(oid))

    def _open(self, name: bytes, read: Reader) -> Folder:
        if name in self._opened:
            return self._opened[name]
        entry = self._entries.get(name + b"/")
        return Folder(read(entry[-20:].hex())) if entry else Folder()

    def _set(self, name: bytes, mode: bytes, oid: bytes) -> None:
        key = name + b"/" if mode == _FOLDER else name
        if key not in self._entries:
            insort(self._keys, key)
        self._entries[key] = mode + b" " + name + b"\0" + oid

    def _drop(self, key: bytes) -> None:
        if self._entries.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]
        if key.endswith(b"/"):
            self._opened.pop(key[:-1], None)


def parse_tree(data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Return (mode, name, raw id) of each entry of a git tree object."""
    entries, at = [], 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        entries.append((data[at:space], data[space + 1 : end], data[end + 1 : end + 21]))
        at = end + 21
    return entries
