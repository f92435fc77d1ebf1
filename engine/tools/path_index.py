"""Index of a task's paths in memory, updated from new revisions, so that a new file is checked only against
paths that could collide with it, however many files there are."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.ports import Database
from engine.store.core import FILES, REVISIONS
from engine.store.prepared import FetchedRow, Prepared

KEPT = 64
"""Tasks whose index is kept, per database; others are read again when needed."""

_since = Prepared(
    sa.select(REVISIONS.c.id, FILES.c.path, FILES.c.blob, FILES.c.size)
    .join(FILES, sa.and_(FILES.c.task_id == REVISIONS.c.task_id, FILES.c.path == REVISIONS.c.path))
    .where(REVISIONS.c.task_id == sa.bindparam("task"), REVISIONS.c.id > sa.bindparam("last"))
    .order_by(REVISIONS.c.id)
)


@dataclass(slots=True)
class TaskPathIndex:
    """Current paths with their sizes, as of revision `last`.

    `asked` counts requests for an update; requests up to `served` are fulfilled.
    """

    last: int = 0
    asked: int = 0
    served: int = 0
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    total: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    beside: dict[str, set[str]] = field(default_factory=dict)

    def put(self, row: FetchedRow) -> None:
        """Update a path from its current row; idempotent."""
        self.last = max(self.last, row.id)
        self.total -= self.sizes.pop(row.path, 0)
        neighbours = self.beside.setdefault(first_part(row.path), set())
        if row.blob is None:
            neighbours.discard(row.path)
            return
        self.sizes[row.path] = row.size
        self.total += row.size
        neighbours.add(row.path)

    def neighbours(self, path: str) -> set[str]:
        """Return all paths that could collide with `path`."""
        return self.beside.get(first_part(path), set())


def first_part(path: str) -> str:
    """Return the first part of a path, case-folded; only paths with the same one can collide."""
    return path.split("/", 1)[0].casefold()


_indexes: WeakKeyDictionary[Database, OrderedDict[int, TaskPathIndex]] = WeakKeyDictionary()


async def path_index_of(db: Database, task_id: int) -> TaskPathIndex:
    """Return the task's index, up to date with everything committed before the call.

    One read serves all callers that waited for it: otherwise thousands of concurrent writers would each read
    all revisions of the others.
    """
    kept = _indexes.setdefault(db, OrderedDict())
    path_index = kept.setdefault(task_id, TaskPathIndex())
    kept.move_to_end(task_id)
    while len(kept) > KEPT:
        kept.popitem(last=False)
    path_index.asked += 1
    mine = path_index.asked
    async with path_index.reading:
        if path_index.served < mine:
            await _refresh(db, task_id, path_index)
    return path_index


async def _refresh(db: Database, task_id: int, path_index: TaskPathIndex) -> None:
    covered, last = path_index.asked, path_index.last
    for row in await db.read(lambda c: _changed(c, task_id, last)):
        path_index.put(row)
    path_index.served = covered


def _changed(connection: Connection, task_id: int, last: int) -> list[FetchedRow]:
    return _since.all(connection, task=task_id, last=last)
