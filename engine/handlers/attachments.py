"""Store the files that people attach to a goal or a message, and name them to agents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.clean import clean_line
from engine.store.core import (
    FILES,
    REVISIONS,
    hold_order,
)
from engine.workspace import WorkspaceLimits, check_room

NAMED = 30
"""Files that are named one by one; of more, folders are named with the number of their files."""

LEFT_OUT_NAMED, LEFT_OUT_CHARS = 10, 200
"""Of what was left out of archives: entries that are named, and characters of each, which anybody wrote."""


def named_files(files: Collection[str], left_out: Collection[str] = ()) -> str:
    """Return in words the files that a person attached, and what was left out of archives and why."""
    shown = sorted(files)
    if len(shown) > NAMED:
        folders = Counter("/".join(path.split("/")[:-1][:2]) for path in shown)
        shown = [
            f"{folder}/ ({count} files)" if folder else f"{count} files" for folder, count in folders.items()
        ]
    text = ", ".join(shown)
    if left_out:
        some = "; ".join(clean_line(each)[:LEFT_OUT_CHARS] for each in list(left_out)[:LEFT_OUT_NAMED])
        more = f"; and {len(left_out) - LEFT_OUT_NAMED} more" if len(left_out) > LEFT_OUT_NAMED else ""
        text += f"; left out: {some}{more}"
    return text


def check_room_for(
    connection: Connection, task: int, files: Mapping[str, bytes], limits: WorkspaceLimits
) -> None:
    """Raise Invalid if the task has no room for a person's files beside those it holds."""
    held = connection.execute(
        sa.select(FILES.c.path, FILES.c.size).where(FILES.c.task_id == task, FILES.c.blob.is_not(None))
    ).all()
    sizes = {row.path: row.size for row in held} | {path: len(data) for path, data in files.items()}
    check_room(limits, len(sizes), sum(sizes.values()))


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
