"""Projection of committed revisions into each task's git history, asynchronously after the commits."""

from __future__ import annotations

import asyncio
import logging

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.ports import Database, Revision, Workspace
from engine.store.core import REVISIONS, AnyRow

log = logging.getLogger(__name__)

GATHER_S = 0.1

BATCH = 500


class GitHistory:
    """Writes the git history of tasks. After a late start or a crash it resumes from the last revision
    recorded."""

    def __init__(self, db: Database, workspace: Workspace) -> None:
        self._db, self._workspace = db, workspace
        self._due: set[int] = set()
        self._behind: set[int] = set()
        self._seen = 0
        self._work_due = asyncio.Event()
        self._locks: dict[int, asyncio.Lock] = {}
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Record the missing revisions of every task, then follow new ones."""
        await self.look()
        self._work_due.set()
        self._loop = asyncio.create_task(self._follow(), name="git-history")

    def note(self, task_id: int) -> None:
        """Mark a task as having new revisions."""
        self._due.add(task_id)
        self._work_due.set()

    async def look(self) -> None:
        """Mark the tasks with revisions since the last call (other processes write some too) and those whose
        history could not be written."""
        found, self._seen = await self._db.read(lambda c: _changed_since(c, self._seen))
        behind, self._behind = self._behind, set()
        for task_id in {*found, *behind}:
            self.note(task_id)

    async def catch_up(self, task_id: int) -> None:
        """Return once every revision committed so far is in the task's history."""
        lock = self._locks.setdefault(task_id, asyncio.Lock())
        async with lock:
            while True:
                after = await self._workspace.recorded(task_id)
                rows = await self._db.read(lambda c, after=after: _after(c, task_id, after))  # type: ignore[misc]
                if not rows:
                    return
                await self._workspace.record(task_id, [_revision(row) for row in rows])

    async def stop(self) -> None:
        """Record what is due, then stop."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        for task_id in sorted(self._due):
            await self.catch_up(task_id)

    async def _follow(self) -> None:
        while True:
            await self._work_due.wait()
            # Gather many files into one pass; a reader of the history calls `catch_up` itself.
            await asyncio.sleep(GATHER_S)
            self._work_due.clear()
            while self._due:
                task_id = self._due.pop()
                try:
                    await self.catch_up(task_id)
                except asyncio.CancelledError:
                    self._due.add(task_id)
                    raise
                except Exception:
                    self._behind.add(task_id)
                    log.exception("git history of task %s is behind; retrying", task_id)


def _changed_since(connection: Connection, seen: int) -> tuple[list[int], int]:
    """Return tasks with revisions above `seen`, and the newest revision; ids follow the order of commits."""
    newest = connection.execute(sa.select(sa.func.max(REVISIONS.c.id))).scalar() or 0
    if newest <= seen:
        return [], seen
    query = sa.select(REVISIONS.c.task_id).where(REVISIONS.c.id > seen, REVISIONS.c.id <= newest).distinct()
    return list(connection.execute(query).scalars()), newest


def _after(connection: Connection, task_id: int, after: int) -> list[AnyRow]:
    query = (
        sa.select(REVISIONS)
        .where(REVISIONS.c.task_id == task_id, REVISIONS.c.id > after)
        .order_by(REVISIONS.c.id)
        .limit(BATCH)
    )
    return list(connection.execute(query))


def _revision(row: AnyRow) -> Revision:
    return Revision(row.id, row.task_id, row.path, row.blob, row.agent, row.step, row.at, row.note)
