"""Set some columns of a row in one statement, so that two who change different ones both keep theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def set_columns(
    connection: Connection,
    table: Table,
    key: Mapping[str, Any],
    owned: Mapping[str, Any],
    blank: Mapping[str, Any],
) -> None:
    """Set the columns `owned` of the row with `key`; a new row gets the others from `blank`."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    new = make(table).values(**{**blank, **owned, **key})
    connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=dict(owned)))
