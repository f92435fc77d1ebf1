"""Store the files that people attach to a goal or a message, as revisions of the task."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.store.core import (
    FILES,
    REVISIONS,
    hold_order,
)


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A person's file, its bytes already in the workspace under `blob`."""

    path: str
    blob: str
    size: int


def import_files(
    connection: Connection, task: int, files: tuple[ImportedFile, ...], by: str, key: str, now: float
) -> None:
    """Add a person's files to the task as revisions; an existing path gets a new revision."""
    hold_order(connection)
    made = [
        {
            "task_id": task,
            "path": file.path,
            "blob": file.blob,
            "agent": by,
            "step": key,
            "key": f"{key}.{number}",
            "at": now,
            "note": "brought",
        }
        for number, file in enumerate(files)
    ]
    numbered = REVISIONS.insert().returning(REVISIONS.c.id, sort_by_parameter_order=True)
    revisions = connection.execute(numbered, made).scalars().all()
    mine = FILES.c.task_id == task
    taken = sa.select(FILES.c.path).where(mine, FILES.c.path.in_([file.path for file in files]))
    there = set(connection.execute(taken).scalars())
    rows = [
        {"blob": file.blob, "revision": revision, "size": file.size, "agent": by, "changed_at": now}
        for file, revision in zip(files, revisions, strict=True)
    ]
    fresh = []
    for file, row in zip(files, rows, strict=True):
        if file.path in there:
            connection.execute(FILES.update().where(mine, FILES.c.path == file.path).values(**row))
        else:
            fresh.append({"task_id": task, "path": file.path, **row})
    if fresh:
        connection.execute(FILES.insert(), fresh)
