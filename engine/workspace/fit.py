"""Selection of a task's files for a run: all, or those that fit; pure."""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import Invalid
from engine.workspace.paths import PathIndex, normal_path


def fitting(sizes: Mapping[str, int], most: int, total: int) -> tuple[list[str], list[str]]:
    """Return the paths that fit into `most` entries and `total` bytes, and those left out.

    Small files first, so that few are left out. A path that today's rules refuse (an older version allowed
    it) is left out too, so that it does not keep all the others from being used.
    """
    index, folders = PathIndex(), set[str]()
    inside: list[str] = []
    left: list[str] = []
    held = 0
    for path, size in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
        above = {path[:at] for at, char in enumerate(path) if char == "/"} - folders
        entries = len(inside) + len(folders) + len(above) + 1
        if entries > most or held + size > total or not _stands(path, index):
            left.append(path)
            continue
        folders |= above
        held += size
        inside.append(path)
    return sorted(inside), sorted(left)


def _stands(path: str, index: PathIndex) -> bool:
    try:
        if normal_path(path) != path:
            return False
        index.add(path)
    except Invalid:
        return False
    return True
