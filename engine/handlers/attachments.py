"""Store the files that people attach to a goal or a message."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.store.core import (
    FILES,
    REVISIONS,
    hold_order,
    new_id,
)


@dataclass(frozen=True, slots=True)
class BroughtFile:
    """A person's file, its bytes already in the workspace under `blob`."""

    path: str
    blob: str
    size: int


def bring_files(
    connection: Connection, task: int, files: tuple[BroughtFile, ...], by: str, key: str, now: float
) -> None:
    """A person's files become revisions of the task; a path that exists gets a new revision."""
    hold_order(connection)
    for number, file in enumerate(files):
        revision = {
            "task_id": task,
            "path": file.path,
            "blob": file.blob,
            "agent": by,
            "step": key,
            "key": f"{key}.{number}",
            "at": now,
            "note": "brought",
        }
        current = {
            "blob": file.blob,
            "revision": new_id(connection, REVISIONS, revision),
            "size": file.size,
            "agent": by,
            "changed_at": now,
        }
        here = sa.and_(FILES.c.task_id == task, FILES.c.path == file.path)
        if connection.execute(FILES.update().where(here).values(**current)).rowcount == 0:
            connection.execute(FILES.insert().values(task_id=task, path=file.path, **current))
