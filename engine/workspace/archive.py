"""What people take home: a zip as a stream, and a git bundle."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pygit2

CHUNK = 256 * 1024


class Drain:
    """A file zipfile can write to but not seek in; `take` empties it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Append."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        """All bytes since last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def zip_entry(archive: zipfile.ZipFile, drain: Drain, path: str, content: bytes) -> Iterator[bytes]:
    """Write one file into `archive` and give what that produced, piece by piece."""
    info = zipfile.ZipInfo(path)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o100644 << 16
    with archive.open(info, "w") as entry:
        for start in range(0, len(content), CHUNK):
            entry.write(content[start : start + CHUNK])
            yield drain.take()
    yield drain.take()


def write_bundle(
    repo: pygit2.Repository, tip: str, commits: Sequence[str], branch: str, target: Path
) -> None:
    """Write a version 2 git bundle (gitformat-bundle(5)) of `commits` with all they hold to `target`."""
    builder = pygit2.PackBuilder(repo)
    builder.set_threads(1)
    for commit in commits:
        builder.add_recur(pygit2.Oid(hex=commit))
    with TemporaryDirectory(dir=target.parent, prefix=".bundle-") as folder:
        builder.write(folder)
        pack = next(Path(folder).glob("*.pack"))
        draft = Path(folder) / "bundle"
        with draft.open("wb") as out, pack.open("rb") as packed:
            out.write(f"# v2 git bundle\n{tip} {branch}\n{tip} HEAD\n\n".encode())
            while piece := packed.read(CHUNK):
                out.write(piece)
        draft.replace(target)
