"""Insert or update a row in one statement, so that two writers of a row keep their own columns.

An UPDATE without a match followed by an INSERT loses one writer's columns if both run concurrently.
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
    """Set the columns in `owned` of the row with `key`; insert the row if it does not exist.

    `blank` holds the other columns' values for a new row; an existing row keeps its values.
    """
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    new = make(table).values(**key, **(blank or {}), **owned)
    connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=dict(owned)))


def insert_once(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless its key exists; return True if it was inserted."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    key = next(iter(table.primary_key.columns))
    new = make(table).values(**values).on_conflict_do_nothing().returning(key)
    return connection.execute(new).first() is not None
