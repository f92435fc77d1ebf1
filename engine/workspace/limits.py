"""How large a task's workspace may grow, and the checks that say so in words a model can act on."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import Invalid

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WorkspaceLimits:
    """Bounds of one task: bytes of a file, bytes and number of all current files, folders in a path."""

    file_bytes: int = 16 * _MIB
    total_bytes: int = 256 * _MIB
    files: int = 10_000
    path_depth: int = 16


def check_file(limits: WorkspaceLimits, size: int) -> None:
    """Raise Invalid when one file of `size` bytes is over the limit."""
    if size > limits.file_bytes:
        raise Invalid(
            f"The content is {size:,} bytes and a file may have {limits.file_bytes:,}. "
            "Split it into several files or write less."
        )


def check_room(limits: WorkspaceLimits, files: int, total: int) -> None:
    """Raise Invalid when a task that would hold `files` files of `total` bytes is over its limits."""
    if files > limits.files:
        raise Invalid(
            f"A task may hold {limits.files:,} files. Delete files that are no longer needed first."
        )
    if total > limits.total_bytes:
        raise Invalid(
            f"The task's files would come to {total:,} bytes and may have {limits.total_bytes:,}. "
            "Delete or shorten files first."
        )
