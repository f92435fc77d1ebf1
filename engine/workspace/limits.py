"""Size limits of a task's workspace, and checks whose error texts a model can act on."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import Invalid

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WorkspaceLimits:
    """Limits of one task: bytes per file, bytes and number of all current files, folders in a path."""

    file_bytes: int = 16 * _MIB
    total_bytes: int = 256 * _MIB
    files: int = 10_000
    path_depth: int = 16


def check_file(limits: WorkspaceLimits, size: int) -> None:
    """Raise Invalid if a file of `size` bytes is over the limit."""
    if size > limits.file_bytes:
        raise Invalid(
            f"The content is {size:,} bytes and a file may have {limits.file_bytes:,}.",
            "Split it into several files or write less.",
        )


def check_room(limits: WorkspaceLimits, files: int, total: int) -> None:
    """Raise Invalid if a task with `files` files of `total` bytes would be over its limits."""
    if files > limits.files:
        raise Invalid(
            f"A task may hold {limits.files:,} files.", "Delete files that are no longer needed first."
        )
    if total > limits.total_bytes:
        raise Invalid(
            f"The task's files would come to {total:,} bytes and may have {limits.total_bytes:,}.",
            "Delete or shorten files first.",
        )
