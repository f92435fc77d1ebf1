"""One statement for "insert or change": a row that two sides write keeps what each of them owns.

An UPDATE that finds nothing, followed by an INSERT, loses one side's columns when both come at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    connection: Connection,
    table: Table,
    key: Mapping[str, Any],
    owned: Mapping[str, Any],
    blank: Mapping[str, Any] | None = None,
) -> None:
    """Set the columns in `owned` of the row with `key`, which is inserted when it is not there.

    `blank` holds values of the other columns for a row that is new; an old row keeps its own.
    """
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    new = make(table).values(**key, **(blank or {}), **owned)
    connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=dict(owned)))


def insert_once(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless one with its key is there; return True when it is new."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    key = next(iter(table.primary_key.columns))
    new = make(table).values(**values).on_conflict_do_nothing().returning(key)
    return connection.execute(new).first() is not None
