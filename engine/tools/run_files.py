"""Files that a run left: each is staged, or refused with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

from engine.errors import Invalid
from engine.ports import RunResult
from engine.tools.base import FileNow, ToolContext
from engine.tools.checkout import Checkout
from engine.tools.files import current_files, stage_file, stage_room
from engine.workspace import check_file, check_room
from engine.workspace.paths import PathIndex

SHOWN = 20
_JUNK = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"})


async def keep_run_files(context: ToolContext, result: RunResult, given: Checkout) -> str:
    """Stage what the run changed and deleted. Return lines for the model: what was kept, and what was not.

    Files of an auditor's runs are never kept. A file that another agent wrote since the run started is
    merged; on a conflict the other version stays.
    """
    left_out = _names("not in the run, it takes no more", given.left_out)
    if context.agent.role == "auditor":
        return left_out
    run_files = await _RunFiles.of(context, given.blobs)
    deleted = [path for path in result.deleted if run_files.delete(path)]
    changed = {path: data for path, data in sorted(result.changed.items()) if not _is_junk(path)}
    written = await run_files.write_all(changed)
    if written:
        stage_room(context, *run_files.held)
    return (
        _names("files written", written)
        + _names("files deleted", deleted)
        + _names("not kept", [*result.refused, *run_files.refused])
        + left_out
    )


class _RunFiles:
    """The task's files as this step sees them, while the files of a run are added."""

    def __init__(self, context: ToolContext, given: Mapping[str, str], now: dict[str, FileNow]) -> None:
        self._context = context
        self._given = given
        self._now = now
        self._total = sum(file.size for file in now.values())
        self._index: PathIndex | None = None
        self.refused: list[str] = []

    @classmethod
    async def of(cls, context: ToolContext, given: Mapping[str, str]) -> _RunFiles:
        """Read the current files."""
        rows = await context.db.read(lambda c: current_files(c, context.task.id))
        now = {row.path: FileNow(row.blob, row.size, row.revision, row.agent) for row in rows}
        now |= context.files
        return cls(context, given, {path: file for path, file in now.items() if file.blob is not None})

    @property
    def held(self) -> tuple[int, int]:
        """Return files and bytes of the task including staged changes."""
        return len(self._now), self._total

    def delete(self, path: str) -> bool:
        """Stage a deletion. Return False when the file is missing or another agent wrote it meanwhile."""
        now = self._now.get(path)
        if now is None:
            return False
        if now.blob != self._given.get(path):
            self.refused.append(f"{path}: not deleted, {now.agent} wrote it meanwhile")
            return False
        stage_file(self._context, path, None, now.blob, 0, "deleted", by_run=True)
        self._total -= now.size
        del self._now[path]
        return True

    async def write_all(self, files: Mapping[str, bytes]) -> list[str]:
        """Stage these contents, stored with one wait for the disk. Return the paths that changed; what is
        refused is never stored."""
        fitting = self._fitting(files)
        stored = await self._context.workspace.put_many(
            self._context.task.id, [files[path] for path in fitting]
        )
        return [
            path
            for path, blob in zip(fitting, stored, strict=True)
            if await self._write(path, files[path], blob)
        ]

    def _fitting(self, files: Mapping[str, bytes]) -> list[str]:
        """Return the paths whose contents the limits allow, one after another; the others are refused."""
        limits, fitting = self._context.options.files, list[str]()
        count, total = self.held
        for path, data in files.items():
            now = self._now.get(path)
            more, size = count + (now is None), total - (now.size if now else 0) + len(data)
            try:
                check_file(limits, len(data))
                check_room(limits, more, size)
                self._paths().add(path)
            except Invalid as error:
                self.refused.append(f"{path}: {error}")
                continue
            count, total = more, size
            fitting.append(path)
        return fitting

    async def _write(self, path: str, data: bytes, blob: str) -> bool:
        """Stage a stored content. Return False when it is unchanged, or does not go with what another agent
        wrote meanwhile."""
        context, now = self._context, self._now.get(path)
        before = now.blob if now else None
        change: Literal["added", "changed", "merged"] = "changed" if now else "added"
        if now is not None and before not in (blob, self._given.get(path)):
            try:
                blob, data = await self._merged(path, now, blob)
            except Invalid as error:
                self.refused.append(f"{path}: {error}")
                return False
            change = "merged"
        if blob == before:
            return False
        stage_file(context, path, blob, before, len(data), change, by_run=True)
        self._total += len(data) - (now.size if now else 0)
        self._now[path] = FileNow(blob, len(data))
        return True

    async def _merged(self, path: str, now: FileNow, ours: str) -> tuple[str, bytes]:
        task, workspace = self._context.task.id, self._context.workspace
        assert now.blob is not None
        merged = await workspace.merge(task, self._given.get(path), ours, now.blob, path=path)
        if merged.conflict:
            raise Invalid(
                f"{now.agent} changed the same lines or some beside them meanwhile; theirs stays.",
                "Read the file again.",
            )
        return merged.blob, await workspace.get(task, merged.blob)

    def _paths(self) -> PathIndex:
        """Build the index after the deletions, so that a file may replace a deleted one."""
        if self._index is None:
            self._index = PathIndex()
            for path in self._now:
                with suppress(Invalid):  # stored under older rules
                    self._index.add(path)
        return self._index


def _names(what: str, names: list[str] | tuple[str, ...]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    between = "; " if what == "not kept" else ", "
    return f"\n{what}: {between.join(names[:SHOWN])}{more}"


def _is_junk(path: str) -> bool:
    return bool(_JUNK & set(path.split("/"))) or path.endswith(".pyc")
