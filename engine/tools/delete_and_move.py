"""Tools delete_file and move_file."""

from __future__ import annotations

from engine.domain.effects import slot_mark
from engine.domain.outcomes import Slot, ToolResult, Wrote
from engine.tools.base import WORKERS, Arguments, FileNow, Tool, ToolContext, ToolRefused
from engine.tools.files import (
    base_of,
    check_new,
    checked_path,
    current_file,
    has_seen,
    no_such_file,
    stage_file,
)


class DeleteFileArguments(Arguments):
    """Arguments of delete_file."""

    path: str


class MoveFileArguments(Arguments):
    """Arguments of move_file."""

    path: str
    to: str


async def delete_file(context: ToolContext, arguments: DeleteFileArguments) -> ToolResult:
    """Stage the deletion of a file that the agent knows as it is now. Raises ToolRefused."""
    path = checked_path(arguments.path)
    current = await _existing(context, path)
    base = await base_of(context, path, None, current)
    if base != current.blob:
        raise ToolRefused(
            f"{path} was changed by {current.agent} (revision {current.shown}) since you read it. "
            "Nothing is deleted. Read it, then delete it if it still is not needed.",
            "unread",
        )
    stage_file(context, path, None, current.blob, 0, "deleted")
    return ToolResult(f"{path} deleted.")


async def move_file(context: ToolContext, arguments: MoveFileArguments) -> ToolResult:
    """Stage a file under a new path, which must be free. Raises ToolRefused."""
    path, to = checked_path(arguments.path), checked_path(arguments.to)
    current = await _existing(context, path)
    there = await current_file(context, to)
    if there is not None and there.blob is not None:
        raise ToolRefused(
            f"{to} exists (revision {there.shown}, by {there.agent}). Nothing is moved. Choose another path, "
            "or delete it first."
        )
    await check_new(context, to, leaves=path)
    known = await has_seen(context, path, current)
    stage_file(context, path, None, current.blob, 0, "deleted")
    stage_file(context, to, current.blob, None, current.size, "added")
    if known:
        context.known.add(to)
    slot = Slot("revision", context.slots)
    text = f"{path} is {to} now, revision {slot_mark('revision', slot.number)}."
    return ToolResult(text, Wrote(to, slot, known))


async def _existing(context: ToolContext, path: str) -> FileNow:
    """Return a file. Raises ToolRefused when it is none; the refusal of a folder names what is in it."""
    current = await current_file(context, path)
    if current is not None and current.blob is not None:
        return current
    raise ToolRefused(await no_such_file(context, path), "missing")


DELETE = Tool("delete_file", "Delete a file.", DeleteFileArguments, WORKERS, delete_file)
MOVE = Tool("move_file", "Move or rename a file.", MoveFileArguments, WORKERS, move_file)
