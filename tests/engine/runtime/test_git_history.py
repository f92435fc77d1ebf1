"""The historian brings revisions into git, whatever a killed process left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from engine import open_database
from engine.commands import StartTask
from engine.handlers.tasks import start_task
from engine.ports import Revision
from engine.runtime.git_history import GitHistory
from engine.store.core import REVISIONS
from engine.workspace import GitWorkspace
from tests.fakes.parts import CAPS, make_tables, sqlite_url


async def test_a_branch_lock_left_by_a_killed_process_does_not_stop_the_history(tmp_path: Path) -> None:
    """libgit2 moves no branch whose lock file stands; nobody alive can hold it, so it is taken away."""
    workspace = GitWorkspace(tmp_path)
    blobs = [await workspace.put(1, text) for text in (b"one\n", b"two\n")]
    await workspace.record(1, [Revision(1, 1, "a.txt", blobs[0], "Ada", "1.1", 1.0)])
    (tmp_path / "1.git" / "refs" / "heads" / "main.lock").touch()
    await workspace.record(1, [Revision(2, 1, "a.txt", blobs[1], "Ada", "1.2", 2.0)])
    assert await workspace.recorded(1) == 2


async def test_two_processes_worth_of_writers_record_the_same_revisions_once(tmp_path: Path) -> None:
    """Two workspaces on one folder, as two workers have them, record at once: one commit a revision."""
    first, second = GitWorkspace(tmp_path), GitWorkspace(tmp_path)
    blobs = [await first.put(1, f"text {n}\n".encode()) for n in range(12)]
    revisions = [Revision(n + 1, 1, "a.txt", blob, "Ada", f"1.{n}", 1.0) for n, blob in enumerate(blobs)]
    await asyncio.gather(*(w.record(1, revisions[: n + 1]) for n in range(12) for w in (first, second)))
    assert [one.id for one in await first.history(1, "a.txt")] == list(range(12, 0, -1))


class Counting:
    """A workspace that counts how often the history of each task was looked into."""

    def __init__(self, inner: GitWorkspace) -> None:
        self._inner, self.fails = inner, False
        self.looked: list[int] = []

    async def recorded(self, task_id: int) -> int:
        """Count the look, fail where the test asks for it, and pass it on."""
        self.looked.append(task_id)
        if self.fails:
            raise OSError("no space left")
        return await self._inner.recorded(task_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def test_a_look_notes_once_what_others_wrote(tmp_path: Path) -> None:
    """Revisions of another process are found by the next look; where nothing changed nothing is read."""
    url = sqlite_url(tmp_path)
    make_tables(url)
    db, workspace = open_database(url), Counting(GitWorkspace(tmp_path / "workspaces"))
    git_history = GitHistory(db, workspace)
    start = StartTask("g", "me", "here")
    await db.write(lambda c: [start_task(c, start, CAPS, 1.0) for _ in range(2)])
    for task in (1, 2):
        await db.write(partial(_revision, task=task))
    await git_history.start()
    await _until(lambda: workspace.looked, [1, 1, 2, 2])
    await db.write(lambda c: _revision(c, 2))
    for _ in range(3):
        await git_history.look()
        await asyncio.sleep(0.02)
    await _until(lambda: workspace.looked, [1, 1, 2, 2, 2, 2])
    assert await workspace.recorded(2) == 3
    await _a_failed_task_is_tried_again(git_history, workspace)
    await git_history.stop()
    await db.close()


async def _a_failed_task_is_tried_again(git_history: GitHistory, workspace: Counting) -> None:
    workspace.looked, workspace.fails = [], True
    git_history.note(1)
    await _until(lambda: workspace.looked, [1])
    workspace.fails = False
    await git_history.look()
    await _until(lambda: workspace.looked, [1, 1])


def _revision(connection: Connection, task: int) -> None:
    number = (connection.execute(sa.select(sa.func.max(REVISIONS.c.id))).scalar() or 0) + 1
    values = {"task_id": task, "path": f"f{number}", "blob": None, "agent": "Ada", "step": "1"}
    connection.execute(REVISIONS.insert().values(**values, key=str(number), at=1.0, note="added"))


async def _until(seen: Callable[[], list[int]], expected: list[int]) -> None:
    async with asyncio.timeout(60):
        while sorted(seen()) != expected:  # noqa: ASYNC110 - the historian tells nobody
            await asyncio.sleep(0.02)
