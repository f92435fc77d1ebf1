"""Files people bring: all of them arrive, in parts between which others get their turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from engine.commands import StartTask
from engine.engine import IMPORTED_AT_ONCE
from engine.handlers.attachments import ImportedFile, import_files
from engine.llm.scripted import call
from engine.store.core import FILES, REVISIONS
from engine.workspace import GitWorkspace
from tests.contracts.conftest import World


async def test_many_files_come_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of a thousand is lost or doubled, and no part is large enough to hold up the database."""
    parts: list[int] = []
    real = GitWorkspace.put_many

    async def spied(self: GitWorkspace, task_id: int, contents: Sequence[bytes]) -> list[str]:
        parts.append(len(contents))
        return await real(self, task_id, contents)

    monkeypatch.setattr(GitWorkspace, "put_many", spied)
    engine = await world.start(lambda _: call(("finish", {"report": "done"})))
    files = {f"d{n % 7}/f{n}.txt": f"file {n}".encode() for n in range(1_000)}
    task = await engine.handle(StartTask("g", "me", "here", files=files, attended=False))
    assert parts == [IMPORTED_AT_ONCE] * 4
    found = {file.path: file.size for file in await engine.look.files(task)}
    assert found == {path: len(content) for path, content in files.items()}
    some = ("d0/f0.txt", "d5/f999.txt", "d3/f500.txt")
    contents = await asyncio.gather(*(engine.look.read_file(task, path) for path in some))
    assert contents == [files[path] for path in some]


async def test_a_path_that_exists_gets_a_new_revision(world: World) -> None:
    """Beside new ones, in the order in which they were brought."""
    engine = await world.start(lambda _: call(("finish", {"report": "done"})))
    task = await engine.handle(StartTask("g", "me", "here", files={"b.txt": b"old"}, attended=False))
    paths = ("a.txt", "b.txt", "c.txt")
    blobs = await engine._parts.workspace.put_many(task, [path.encode() for path in paths])
    brought = tuple(ImportedFile(path, blob, 5) for path, blob in zip(paths, blobs, strict=True))
    await world.write(lambda c: import_files(c, task, brought, "me", "again", 5.0))
    rows = await world.rows(sa.select(FILES.c.path, FILES.c.revision).where(FILES.c.task_id == task))
    where = REVISIONS.c.step == "again"
    made = await world.rows(sa.select(REVISIONS.c.path, REVISIONS.c.id).where(where).order_by(REVISIONS.c.id))
    assert [row.path for row in made] == ["a.txt", "b.txt", "c.txt"]
    assert sorted((row.path, row.revision) for row in rows) == sorted((row.path, row.id) for row in made)
