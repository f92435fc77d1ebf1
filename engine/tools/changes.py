"""What happened to files, read from their revisions: for the evidence and the list of a submission."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.changes import FileChange, change_of
from engine.domain.evidence import History, Touch
from engine.domain.state import AssignmentFacts
from engine.lifecycle.agents import subtree
from engine.store.core import ASSIGNMENTS, REVISIONS
from engine.tools.base import ToolContext
from engine.tools.diff import content_of, revision_at
from engine.tools.files import blob_at, current_file

MOST = 60
"""Files whose changes are listed with their lines."""

_BATCH = 500


async def paths_ever(context: ToolContext) -> set[str]:
    """Return all paths that the task has or had, as this step sees them."""
    query = sa.select(REVISIONS.c.path).where(REVISIONS.c.task_id == context.task.id).distinct()
    return set(await context.db.read(lambda c: c.execute(query).scalars().all())) | context.files.keys()


async def history_of(context: ToolContext, paths: Sequence[str]) -> History:
    """Return all changes of these files, oldest first; what this step staged comes last."""
    found = await context.db.read(lambda c: _touches(c, context.task.id, paths))
    for path in paths:
        if path in context.files:
            staged = Touch(None, context.agent.name, context.files[path].blob)
            found[path] = [*found.get(path, []), staged]
    return found


def _touches(connection: Connection, task_id: int, paths: Sequence[str]) -> dict[str, list[Touch]]:
    found: dict[str, list[Touch]] = {}
    for start in range(0, len(paths), _BATCH):
        query = sa.select(REVISIONS.c.path, REVISIONS.c.id, REVISIONS.c.agent, REVISIONS.c.blob).where(
            REVISIONS.c.task_id == task_id, REVISIONS.c.path.in_(paths[start : start + _BATCH])
        )
        for row in connection.execute(query.order_by(REVISIONS.c.id)):
            found.setdefault(row.path, []).append(Touch(row.id, row.agent, row.blob))
    return found


async def since_assignment(
    context: ToolContext, work: AssignmentFacts, listed: Collection[str]
) -> tuple[FileChange, ...]:
    """Return what its assignee and all below it changed since an assignment was given, and what became of
    the files `listed` in its submission."""
    start = await context.db.read(lambda c: given_at(c, work.id))
    writers = await context.db.read(lambda c: _writers(c, context.task.id, start))
    for path in context.files:
        writers[path] = list(dict.fromkeys([*writers.get(path, []), context.agent.name]))
    below = await context.db.read(lambda c: subtree(c, context.agent.id, dismissed=True))
    team = {context.agent.name, *(row.name for row in below)}
    mine = [path for path, names in writers.items() if team & set(names)]
    paths = sorted({*mine, *listed}, key=lambda path: (path not in listed, path))
    changes = [await _change(context, path, start, writers.get(path, [])) for path in paths[:MOST]]
    changes += [FileChange(path, "changed", tuple(writers.get(path, []))) for path in paths[MOST:]]
    return tuple(each for each in changes if each.how != "unchanged" or each.path in listed)


def given_at(connection: Connection, assignment_id: int) -> int:
    """Return the newest revision when an assignment was given."""
    query = sa.select(ASSIGNMENTS.c.task_id, ASSIGNMENTS.c.created_at).where(
        ASSIGNMENTS.c.id == assignment_id
    )
    row = connection.execute(query).one()
    return revision_at(connection, row.task_id, row.created_at)


def _writers(connection: Connection, task_id: int, start: int) -> dict[str, list[str]]:
    """Return who changed each path after a revision, in order."""
    query = sa.select(REVISIONS.c.path, REVISIONS.c.agent).where(
        REVISIONS.c.task_id == task_id, REVISIONS.c.id > start
    )
    found: dict[str, list[str]] = {}
    for row in connection.execute(query.order_by(REVISIONS.c.id)):
        names = found.setdefault(row.path, [])
        if row.agent not in names:
            names.append(row.agent)
    return found


async def _change(context: ToolContext, path: str, start: int, by: Sequence[str]) -> FileChange:
    current = await current_file(context, path)
    base = await context.db.read(lambda c: blob_at(c, context.task.id, path, start))
    now = current.blob if current else None
    if base == now:
        return FileChange(path, "unchanged")
    before, after = await content_of(context, base), await content_of(context, now)
    return await asyncio.to_thread(change_of, path, before, after, by)
