"""The historian brings revisions into git, whatever a killed process left behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

from engine.ports import Revision
from engine.workspace import GitWorkspace


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
