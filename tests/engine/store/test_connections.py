"""Connections to SQLite that fail during set-up."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.errors import NotConfigured
from engine.store.database import open_database


async def test_a_connection_that_cannot_be_set_up_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is no database is reported to every caller, and each connection to it is closed."""
    path = tmp_path / "megaagent.sqlite3"
    path.write_bytes(b"no database, and long enough for a header of a hundred bytes" * 9)
    opened: list[sqlite3.Connection] = []
    real = sqlite3.dbapi2.connect

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(real(*args, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3.dbapi2, "connect", connect)
    database = open_database(f"sqlite:///{path}")
    with pytest.raises(sa.exc.DatabaseError, match="not a database"):
        await database.read(lambda connection: connection.execute(sa.text("SELECT 1")))
    with pytest.raises(NotConfigured, match="is damaged"):
        await database.write(lambda connection: connection.execute(sa.text("SELECT 1")))
    await database.close()
    assert len(opened) >= 2
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
