"""The Workspace port on bare git repositories, one per task, through libgit2 in this process."""

from __future__ import annotations

import asyncio
import shutil
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

from engine.errors import NotFound
from engine.ports import BlameLine, Merge, Revision
from engine.workspace.archive import write_bundle
from engine.workspace.limits import WorkspaceLimits, check_file
from engine.workspace.repository import TaskRepository
from engine.workspace.settle import BRANCH

T = TypeVar("T")

_THREADS = 8
_KEPT_OPEN = 64
_SETTLE_EVERY_S = 1.0


class GitWorkspace:
    """Files of tasks below `root` as `<task id>.git`, created on first use. The port is the contract."""

    def __init__(self, root: Path, limits: WorkspaceLimits | None = None) -> None:
        self.root = root.resolve()
        self.limits = limits or WorkspaceLimits()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="workspace")
        # Weak, so that one task never has two: whoever works on one keeps it alive; `recent` keeps it warm.
        self._open: WeakValueDictionary[int, TaskRepository] = WeakValueDictionary()
        self._recent: deque[TaskRepository] = deque(maxlen=_KEPT_OPEN)
        self._opening = asyncio.Lock()
        self._care: dict[int, asyncio.Task[None]] = {}

    async def put(self, task_id: int, content: bytes) -> str:
        """Store bytes and return the blob id (hex). Raises Invalid over the size limit."""
        check_file(self.limits, len(content))
        return await self._run(task_id, lambda repo: repo.put(content))

    async def put_many(self, task_id: int, contents: Sequence[bytes]) -> list[str]:
        """Store several blobs with one wait for the disk; return their ids in order. Raises Invalid."""
        for content in contents:
            check_file(self.limits, len(content))
        return await self._run(task_id, lambda repo: repo.put_many(contents))

    async def get(self, task_id: int, blob: str) -> bytes:
        """Return the bytes of a blob. Raises NotFound."""
        return await self._run(task_id, lambda repo: repo.get(blob))

    async def get_many(self, task_id: int, blobs: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of each blob in order, None for one that is not stored or damaged."""
        return await self._run(task_id, lambda repo: [_found(repo, blob) for blob in blobs])

    async def merge(self, task_id: int, base: str | None, ours: str, theirs: str, *, path: str = "") -> Merge:
        """Return the three-way merge of blobs; markers name `ours` and `theirs`."""
        return await self._run(task_id, lambda repo: repo.merge(base, ours, theirs, path))

    async def record(self, task_id: int, revisions: Sequence[Revision]) -> None:
        """Append committed revisions to the git history; ids already there are skipped."""
        await self._run(task_id, lambda repo: repo.record(revisions))
        self._take_care(task_id)

    async def recorded(self, task_id: int) -> int:
        """Return the highest revision id in the git history, 0 for none."""
        return await self._run(task_id, lambda repo: repo.recorded())

    async def history(self, task_id: int, path: str, limit: int = 50) -> list[Revision]:
        """Return the revisions of one file, newest first. Raises NotFound."""
        return await self._run(task_id, lambda repo: repo.history(path, limit))

    async def blame(self, task_id: int, path: str) -> list[BlameLine]:
        """Return the blame of the newest recorded text. Raises NotFound, Invalid for binary files."""
        return await self._run(task_id, lambda repo: repo.blame(path))

    async def export_bundle(self, task_id: int, target: Path) -> None:
        """Write a git bundle of the history to `target`. Raises NotFound if nothing is recorded."""
        await self._run(task_id, lambda repo: _bundle(repo, target))

    async def drop(self, task_id: int) -> None:
        """Delete the task's repository."""
        care = self._care.pop(task_id, None)
        if care is not None:
            await asyncio.wait([care])
        self._open.pop(task_id, None)
        self._recent = deque((repo for repo in self._recent if repo.path != self._path(task_id)), _KEPT_OPEN)
        await self._in_thread(lambda: shutil.rmtree(self._path(task_id), ignore_errors=True))

    # ------------------------------------------------------------ inside

    def _path(self, task_id: int) -> Path:
        return self.root / f"{int(task_id)}.git"

    async def _run(self, task_id: int, work: Callable[[TaskRepository], T]) -> T:
        repo = self._open.get(task_id) or await self._newly_opened(task_id)
        return await self._in_thread(lambda: work(repo))

    async def _newly_opened(self, task_id: int) -> TaskRepository:
        async with self._opening:
            if repo := self._open.get(task_id):
                return repo
            return await self._in_thread(lambda: self._opened(task_id))

    def _opened(self, task_id: int) -> TaskRepository:
        repo = TaskRepository(self._path(task_id))
        self._open[task_id] = repo
        self._recent.append(repo)
        return repo

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _take_care(self, task_id: int) -> None:
        """Schedule syncing the history to disk and packing it, in parallel with writers."""
        repo = self._open.get(task_id)
        if repo is None or task_id in self._care:
            return
        care = asyncio.ensure_future(self._settle_and_pack(repo))
        self._care[task_id] = care
        care.add_done_callback(lambda done: self._cared(task_id, done))

    async def _settle_and_pack(self, repo: TaskRepository) -> None:
        while repo.unsettled():
            await asyncio.to_thread(repo.settle)
            if repo.pack_due():
                await asyncio.to_thread(repo.pack)
            await asyncio.sleep(_SETTLE_EVERY_S)

    def _cared(self, task_id: int, done: asyncio.Future[None]) -> None:
        self._care.pop(task_id, None)
        if not done.cancelled() and (error := done.exception()):
            asyncio.get_running_loop().call_exception_handler(
                {
                    "message": f"settling or packing the repository of task {task_id} failed",
                    "exception": error,
                }
            )


def _found(repo: TaskRepository, blob: str) -> bytes | None:
    try:
        return repo.get(blob)
    except NotFound:
        return None


def _bundle(repo: TaskRepository, target: Path) -> None:
    tip = repo.tip()
    if tip is None:
        raise NotFound("Nothing is recorded for this task yet.", "Export again once a file was written.")
    write_bundle(repo.handle(), tip, BRANCH, target)
