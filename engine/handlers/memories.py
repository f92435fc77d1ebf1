"""Handlers of commands about the memories of a server."""

from __future__ import annotations

from sqlalchemy import Connection

from engine.commands import (
    ForgetMemory,
)
from engine.errors import NotFound
from engine.handlers.result import HandlerResult
from engine.store.core import (
    MEMORIES,
)


def forget_memory(connection: Connection, command: ForgetMemory, now: float) -> HandlerResult:
    """Delete a memory that was kept for later tasks. Raises NotFound."""
    deleted = connection.execute(
        MEMORIES.delete().where(MEMORIES.c.id == command.memory_id, MEMORIES.c.space.is_not(None))
    )
    if deleted.rowcount != 1:
        raise NotFound(f"There is no kept memory {command.memory_id}.", "Use /memory list.")
    return HandlerResult(command.memory_id)
