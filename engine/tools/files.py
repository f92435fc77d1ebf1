"""Tools list_files and write_file, and how tools see and change the task's shared files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Literal

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import Connection

from engine.domain.effects import ChangeFile, CheckRoom, slot_mark
from engine.domain.encodings import Decoded, decode
from engine.domain.outcomes import Slot, ToolResult, Wrote
from engine.errors import Invalid
from engine.store.core import FILES, REVISIONS, AnyRow
from engine.store.prepared import Prepared
from engine.tools.base import EVERYONE, WORKERS, Arguments, FileNow, Tool, ToolContext, ToolRefused, clip
from engine.tools.checkout import Checkout
from engine.tools.path_index import path_index_of
from engine.tools.seen import came_whole, messages_of, seen_revisions
from engine.workspace import check_collision, check_room, normal_path
from engine.workspace.fit import fitting

log = logging.getLogger(__name__)

MAX_READ = 12_000
SMALL_FILE = 4_096
"""Bytes of a file that comes with the refusal to overwrite it unread."""

MAX_NAMES = 5
_PART = 64


_one_file = Prepared(
    sa.select(FILES.c.blob, FILES.c.size, FILES.c.revision, FILES.c.agent).where(
        FILES.c.task_id == sa.bindparam("task"), FILES.c.path == sa.bindparam("file")
    )
)
_one_revision = Prepared(
    sa.select(REVISIONS.c.blob)
    .where(
        REVISIONS.c.task_id == sa.bindparam("task"),
        REVISIONS.c.path == sa.bindparam("file"),
        REVISIONS.c.id <= sa.bindparam("newest"),
    )
    .order_by(REVISIONS.c.id.desc())
    .limit(1)
)


class ListFilesArguments(Arguments):
    """Arguments of list_files."""

    prefix: str = ""


class WriteFileArguments(Arguments):
    """Arguments of write_file."""

    path: str
    content: str
    base_revision: int | None = None
    append: bool = Field(False, description="true: add at the end")


async def list_files(context: ToolContext, arguments: ListFilesArguments) -> ToolResult:
    """List paths with size, revision and last writer."""
    prefix = arguments.prefix.strip().removeprefix("./").lstrip("/")
    prefix = "" if prefix == "." else prefix
    rows = await context.db.read(lambda c: current_files(c, context.task.id))
    lines = [
        f"{row.path} ({row.size} bytes, revision {row.revision}, by {row.agent})"
        for row in rows
        if row.path.startswith(prefix) and row.path not in context.files
    ]
    lines += [
        f"{path} ({file.size} bytes, new)"
        for path, file in sorted(context.files.items())
        if file.blob is not None and path.startswith(prefix)
    ]
    if not lines and (there := len(await files_now(context))):
        return ToolResult(f"No path begins with {prefix}; there are {there} files in all.")
    return ToolResult(clip("\n".join(lines)) if lines else "There are no files yet.")


def current_files(connection: Connection, task_id: int) -> list[AnyRow]:
    """Return the rows of the task's existing files, by path."""
    query = (
        sa.select(FILES).where(FILES.c.task_id == task_id, FILES.c.blob.is_not(None)).order_by(FILES.c.path)
    )
    return list(connection.execute(query))


async def write_file(context: ToolContext, arguments: WriteFileArguments) -> ToolResult:
    """Stage a whole file; merge it when another agent wrote it since. Raises ToolRefused."""
    path = checked_path(arguments.path)
    content = arguments.content.encode("utf-8", "surrogatepass")
    current = await current_file(context, path)
    if arguments.append and current is not None and current.blob is not None:
        before = await context.workspace.get(context.task.id, current.blob)
        known = await has_seen(context, path, current)
        if current.agent not in ("you", context.agent.name) and before and not before.endswith(b"\n"):
            before += b"\n"  # what another wrote is whole; what one wrote oneself may be a part of a line
        return await stage_content(context, path, before + content, current.blob, "changed", whole=known)
    base = await base_of(context, path, arguments.base_revision, current)
    if current is None or current.blob is None:
        await check_new(context, path)
        return await stage_content(context, path, content, None, "added")
    if base == current.blob:
        return await stage_content(context, path, content, current.blob, "changed")
    ours = await _put(context, content)
    merged = await context.workspace.merge(context.task.id, base, ours, current.blob, path=path)
    text = await context.workspace.get(context.task.id, merged.blob)
    if merged.conflict:
        raise _conflict(path, current, text)
    return await stage_content(context, path, text, current.blob, "merged", whole=False)


def _conflict(path: str, current: FileNow, merged: bytes) -> ToolRefused:
    """Show both sides; whoever gets them in full may write the file again."""
    text = merged.decode("utf-8", "replace")
    shown = clip(text, MAX_READ)
    return ToolRefused(
        f"Conflict: {path} was changed by {current.agent} (revision {current.shown}) in the same lines or "
        f"beside them. Nothing is written. Both sides, with markers:\n{shown}\n"
        f"Write the reconciled file with base_revision {current.shown}.",
        "conflict",
        (path, current.revision) if shown == text else ("", None),
    )


def checked_path(text: str) -> str:
    """Return the normal form of a path. Raises ToolRefused."""
    try:
        return normal_path(text)
    except Invalid as error:
        raise ToolRefused(str(error)) from error


async def has_seen(context: ToolContext, path: str, current: FileNow) -> bool:
    """Return whether the agent knows all of the file as it is now."""
    if path in context.known or current.revision in seen_revisions(context.facts.past, path):
        return True
    return await _came_whole(context, path, current)


async def _came_whole(context: ToolContext, path: str, current: FileNow) -> bool:
    """Return whether the file came, as it is now, with work that the agent was given."""
    if current.blob is None or current.size > SMALL_FILE:
        return False
    content = await context.workspace.get(context.task.id, current.blob)
    read = [*context.facts.inbox, *messages_of(context.facts.past)]
    return came_whole(read, path, content.decode("utf-8", "replace"))


async def current_file(context: ToolContext, path: str) -> FileNow | None:
    """Return the path as staged by this step, else as committed; None when it never existed."""
    if path in context.files:
        return context.files[path]
    return await context.db.read(lambda c: _committed(c, context.task.id, path))


def _committed(connection: Connection, task_id: int, path: str) -> FileNow | None:
    row = _one_file.first(connection, task=task_id, file=path)
    return FileNow(row.blob, row.size, row.revision, row.agent) if row else None


async def read_text(context: ToolContext, path: str) -> tuple[str, FileNow]:
    """Return the text of a file in UTF-8 as this step sees it. Raises ToolRefused when it is missing, binary,
    or in another encoding."""
    found, current = await read_decoded(context, path)
    if found.encoding not in ("utf-8", "utf-8-sig"):
        raise ToolRefused(f"{path} is not UTF-8 (it reads as {found.encoding}); use run to change it.")
    return ("\ufeff" if found.encoding == "utf-8-sig" else "") + found.text, current


async def read_decoded(context: ToolContext, path: str) -> tuple[Decoded, FileNow]:
    """Return a file as text, whatever its encoding. Raises ToolRefused when it is missing or binary."""
    current = await current_file(context, path)
    if current is None or current.blob is None:
        raise ToolRefused(await no_such_file(context, path), "missing")
    content = await context.workspace.get(context.task.id, current.blob)
    found = decode(content)
    if found is None:
        raise ToolRefused(f"{path} is a binary file of {len(content)} bytes; use run to work with it.")
    return found, current


async def no_such_file(context: ToolContext, path: str) -> str:
    """Return why a path cannot be used as a file; of a folder with what is in it."""
    inside = await below(context, path)
    if not inside:
        rows = await context.db.read(lambda c: current_files(c, context.task.id))
        name = path.rpartition("/")[2].casefold()
        like = [row.path for row in rows if row.path.rpartition("/")[2].casefold() == name][:MAX_NAMES]
        there = f"There is {', '.join(like)}." if like else "Use list_files to see what there is."
        return f"There is no file {path}. {there}"
    more = ", …" if len(inside) > MAX_NAMES else ""
    return (
        f"{path} is a folder with {len(inside)} files ({', '.join(inside[:MAX_NAMES])}{more}). "
        "Name each file; several calls go in one answer. Or use run."
    )


async def below(context: ToolContext, folder: str) -> list[str]:
    """Return the files in a folder as this step sees them."""
    return sorted(path for path in await files_now(context) if path.startswith(f"{folder}/"))


async def base_of(
    context: ToolContext, path: str, revision: int | None, current: FileNow | None
) -> str | None:
    """Return the blob that a write is based on: named, seen in the agent's past calls, or staged now. Raises
    ToolRefused for a file that it would replace unread."""
    if current is None or current.blob is None:
        return None
    if path in context.files:
        if path not in context.known:
            raise await _unread(context, path, current, "")
        return current.blob
    seen = seen_revisions(context.facts.past, path)
    wanted = revision if revision is not None else seen[-1] if seen else None
    if wanted in (None, current.revision) and await _came_whole(context, path, current):
        return current.blob
    if wanted is None:
        raise await _unread(context, path, current, "")
    asked = [wanted, *seen]
    named, *known = await context.db.read(lambda c: [blob_at(c, context.task.id, path, r) for r in asked])
    if named is None or named not in known:
        raise await _unread(context, path, current, f"You have not read revision {wanted}. ")
    return named


async def _unread(context: ToolContext, path: str, current: FileNow, why: str) -> ToolRefused:
    """Refuse to replace what was not read; a small file comes with the refusal and is read then."""
    assert current.blob is not None
    told = f"{why}{path} exists (revision {current.shown}, by {current.agent})."
    content = await context.workspace.get(context.task.id, current.blob)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return ToolRefused(f"{told} It is binary: replace it with run, or choose another name.", "unread")
    if len(content) > SMALL_FILE or current.revision is None:
        return ToolRefused(f"{told} Read it first.", "unread")
    shown = f"{told} Nothing is changed. It holds:\n{text}\nCall again; keep what is to stay."
    return ToolRefused(shown, "unread", (path, current.revision))


def blob_at(connection: Connection, task_id: int, path: str, revision: int) -> str | None:
    """Return the blob of a path at a revision of the task (its newest revision up to that one)."""
    found: str | None = _one_revision.scalar(connection, task=task_id, file=path, newest=revision)
    return found


async def check_new(context: ToolContext, path: str, leaves: str = "") -> None:
    """Check that a new path can stand beside the others, `leaves` being gone. Raises ToolRefused."""
    path_index = await path_index_of(context.db, context.task.id)
    deleted = {leaves, *(p for p, f in context.files.items() if f.blob is None)}
    staged = context.files.keys() - deleted
    try:
        check_collision(path, {*path_index.neighbours(path), *staged} - deleted)
    except Invalid as error:
        raise ToolRefused(str(error)) from error


async def space_with(context: ToolContext, path: str, size: int) -> tuple[int, int]:
    """Return files and bytes of the task including this step's and `path`. Raises ToolRefused over the
    limits."""
    path_index = await path_index_of(context.db, context.task.id)
    count, total = len(path_index.sizes), path_index.total
    for changed, after in (
        {p: f.size if f.blob else None for p, f in context.files.items()} | {path: size}
    ).items():
        before = path_index.sizes.get(changed)
        count += (after is not None) - (before is not None)
        total += (after or 0) - (before or 0)
    try:
        check_room(context.options.files, count, total)
    except Invalid as error:
        raise ToolRefused(str(error)) from error
    return count, total


async def _put(context: ToolContext, content: bytes) -> str:
    try:
        return await context.workspace.put(context.task.id, content)
    except Invalid as error:
        raise ToolRefused(str(error)) from error


async def stage_content(
    context: ToolContext,
    path: str,
    content: bytes,
    expected: str | None,
    change: Literal["added", "changed", "merged"],
    *,
    whole: bool = True,
) -> ToolResult:
    """Stage a content; `whole`: the agent knows all of it. Raises ToolRefused over the limits."""
    blob = await _put(context, content)
    if blob == expected:
        current = await current_file(context, path)
        held = current.shown if current else "new"
        text = f"{path} already has exactly this content, revision {held}."
        return ToolResult(text, Wrote(path, current.revision if current else None, whole))
    count, total = await space_with(context, path, len(content))
    stage_file(context, path, blob, expected, len(content), change)
    stage_room(context, count, total)
    text = f"{path} {change}, revision {slot_mark('revision', context.slots)}, {len(content)} bytes."
    if whole:
        context.known.add(path)
    return ToolResult(text, Wrote(path, Slot("revision", context.slots), whole))


def stage_file(
    context: ToolContext,
    path: str,
    blob: str | None,
    expected: str | None,
    size: int,
    change: Literal["added", "changed", "merged", "deleted"],
    *,
    by_run: bool = False,
) -> None:
    """Stage the change of `path` from `expected` to `blob`; `by_run`: a program did it."""
    context.stage(ChangeFile(context.slot(), path, blob, expected, size, change, by_run))
    context.files[path] = FileNow(blob, size)
    context.known.discard(path)


def stage_room(context: ToolContext, count: int, total: int) -> None:
    """Stage a check of the file limits at the commit, because others write at the same time.

    Skipped where `count` files of `total` bytes are so far below the limits that other running steps do not
    matter: counting costs time for each file.
    """
    limits = context.options.files
    mine = [file for file in context.files.values() if file.blob is not None]
    few = count < limits.files // 2 and len(mine) < limits.files // _PART
    small = total < limits.total_bytes // 2 and sum(file.size for file in mine) < limits.total_bytes // _PART
    if few and small:
        return
    context.stage_last(CheckRoom(limits.files, limits.total_bytes))


async def checkout(context: ToolContext) -> Checkout:
    """Return every current file as this step sees it. Raises ToolRefused when one cannot be read."""
    found = await _checked_out(context, await files_now(context))
    if found.left_out:
        raise ToolRefused(f"Its content is missing: {found.left_out[0]}. Tell the people.")
    return found


async def checkout_to_run(context: ToolContext) -> Checkout:
    """Return the files for a run: all that are readable, or as many as a run accepts."""
    status = context.sandbox.status()
    held = await files_now(context)
    inside, left_out = fitting({path: size for path, (_, size) in held.items()}, status.files, status.size)
    return await _checked_out(context, {path: held[path] for path in inside}, left_out)


async def files_now(context: ToolContext) -> dict[str, tuple[str, int]]:
    """Return blob and size of every file as this step sees them."""
    rows = await context.db.read(lambda c: current_files(c, context.task.id))
    held = {row.path: (row.blob, row.size) for row in rows if row.path not in context.files}
    staged = {p: (f.blob, f.size) for p, f in context.files.items() if f.blob is not None}
    return held | staged


async def _checked_out(
    context: ToolContext, held: Mapping[str, tuple[str, int]], left_out: Sequence[str] = ()
) -> Checkout:
    found = await context.workspace.get_many(context.task.id, [blob for blob, _ in held.values()])
    content = {path: data for path, data in zip(held, found, strict=True) if data is not None}
    missing = [path for path in held if path not in content]
    if missing:
        log.error("files of task %s have no content: %s", context.task.id, ", ".join(missing[:20]))
    return Checkout(content, {path: held[path][0] for path in content}, (*left_out, *missing))


LIST = Tool("list_files", "List files.", ListFilesArguments, EVERYONE, list_files)
WRITE = Tool("write_file", "Write a whole file.", WriteFileArguments, WORKERS, write_file)
