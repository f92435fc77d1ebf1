"""Insertion of the engine's messages into agents' inboxes."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.state import About
from engine.store.core import (
    MESSAGES,
)


def add_system_message(
    connection: Connection,
    task_id: int,
    to: int,
    text: str,
    key: str,
    now: float,
    *,
    priority: int = 3,
    wakes: bool = True,
    about: tuple[About, int | None] = ("", None),
) -> None:
    """Insert a message of the engine into an agent's inbox, unless one with this key exists."""
    if connection.execute(sa.select(MESSAGES.c.id).where(MESSAGES.c.key == key)).first():
        return
    connection.execute(
        MESSAGES.insert(),
        {
            "task_id": task_id,
            "to_agent": to,
            "from_kind": "system",
            "from_name": "system",
            "text": text,
            "key": key,
            "wakes": wakes,
            "priority": priority,
            "about": about[0],
            "about_id": about[1],
            "created_at": now,
        },
    )
