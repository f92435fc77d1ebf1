"""Core statements that are compiled once per dialect and run directly on the driver.

Measured: a prebuilt Core statement through SQLAlchemy costs 80-150 us of Python, the same text on the
SQLite driver 5-20 us; a step runs about fifteen. On PostgreSQL they run through wire.py. Values are passed
as the driver accepts them (SQLite: 0 and 1 for booleans); the Database converts driver errors to
SQLAlchemy's.
"""

from __future__ import annotations

import itertools
import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.sql.elements import ClauseElement

SHORT = 4
"""Lists up to this length use a statement that the server keeps prepared; longer ones are rare."""

FetchedRow = Any
"""A row with named fields."""


class _Compiled:
    """A statement compiled for SQLite's driver, with the order of its values."""

    __slots__ = ("_constants", "_order", "row", "text")

    def __init__(self, statement: ClauseElement, dialect: Any, columns: Sequence[str] | None) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
        self.text: str = compiled.string
        self._order: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._constants = {k: v for k, v in compiled.params.items() if v is not None}
        self._constants |= _defaults(statement, compiled.params, columns)
        self.row: Callable[[Sequence[Any]], FetchedRow] = tuple
        if isinstance(statement, sa.Select | sa.CompoundSelect):
            names = [column.key or "" for column in statement.selected_columns]
            self.row = getattr(namedtuple("Fact", names), "_make")  # noqa: B009 - typed loosely

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """Return the statement's values in order."""
        merged = {**self._constants, **given}
        return [merged[name] for name in self._order]

    def run(self, connection: Connection, given: Mapping[str, Any]) -> Any:
        """Execute the statement. Return its cursor."""
        return driver_of(connection).execute(self.text, self.values(given))

    def many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute the statement once per row, in order."""
        driver_of(connection).executemany(self.text, list(map(self.values, rows)))


class _Pipelined(_Compiled):
    """A statement compiled for PostgreSQL, run through wire.py."""

    __slots__ = ("_encoded", "_pipeline_of", "_statement")

    def __init__(
        self, statement: ClauseElement, dialect: Any, columns: Sequence[str] | None, *, lasting: bool
    ) -> None:
        from engine.store.wire import PipelinedStatement, encoded, pipeline_of  # noqa: PLC0415 - its driver takes megabytes

        super().__init__(statement, dialect, columns)
        places: dict[str, int] = {}
        text = _PLACE.sub(lambda found: _numbered(found[1], places), self.text)
        self._order = tuple(places)
        self._statement = PipelinedStatement(f"s{next(_numbers)}".encode(), text.encode(), lasting)
        self._encoded, self._pipeline_of = encoded, pipeline_of

    def values(self, given: Mapping[str, Any]) -> list[bytes | None]:
        """See `_Compiled.values`; encoded as bytes."""
        return list(map(self._encoded, super().values(given)))

    def run(self, connection: Connection, given: Mapping[str, Any]) -> Any:
        """See `_Compiled.run`. The result may still be pending."""
        return self._pipeline_of(connection).run(self._statement, self.values(given))

    def many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """See `_Compiled.many`."""
        with self._pipeline_of(connection).together():
            for row in rows:
                self.run(connection, row)


_PLACE = re.compile(r"%(?:%|\((\w+)\)s)")
_numbers = itertools.count()


def _numbered(name: str | None, places: dict[str, int]) -> str:
    return "%" if name is None else f"${places.setdefault(name, len(places) + 1)}"


def _defaults(
    statement: ClauseElement, params: Mapping[str, Any], given: Sequence[str] | None
) -> dict[str, Any]:
    """Return the Python-side defaults of an insert's columns that were not given."""
    if not isinstance(statement, sa.Insert) or given is None:
        return {}
    columns = [c for c in statement.table.c if c.name in params and c.name not in given]
    return {c.name: getattr(c.default, "arg", None) for c in columns}


class Prepared:
    """One prepared statement; for an insert `columns` names the values of each run.

    Lists of constants (`in_(("a", "b"))`) cannot be compiled in advance: use `or_`, or PreparedLists.
    Unless `lasting`, the server does not keep the statement prepared.
    """

    __slots__ = ("_by_dialect", "_columns", "_lasting", "_statement")

    def __init__(
        self, statement: ClauseElement, columns: Sequence[str] | None = None, *, lasting: bool = True
    ) -> None:
        self._statement, self._columns, self._lasting = statement, columns, lasting
        self._by_dialect: dict[str, _Compiled] = {}

    def run(self, connection: Connection, **values: Any) -> Any:
        """Execute the statement. Return a cursor with `rowcount`, `fetchall()` and `fetchone()`."""
        return self._for(connection).run(connection, values)

    def all(self, connection: Connection, **values: Any) -> list[FetchedRow]:
        """Execute the statement. Return every row."""
        return self.rows(connection, self.run(connection, **values))

    def rows(self, connection: Connection, cursor: Any) -> list[FetchedRow]:
        """Return every row of an earlier `run`."""
        return list(map(self._for(connection).row, cursor.fetchall()))

    def first(self, connection: Connection, **values: Any) -> FetchedRow | None:
        """Execute the statement. Return the first row, None without one."""
        found = self.run(connection, **values).fetchone()
        return None if found is None else self._for(connection).row(found)

    def scalar(self, connection: Connection, **values: Any) -> Any:
        """Execute the statement. Return the first column of the first row, None without one."""
        found = self.run(connection, **values).fetchall()
        return found[0][0] if found else None

    def many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute the statement once per row, in order."""
        self._for(connection).many(connection, rows)

    def _for(self, connection: Connection) -> _Compiled:
        name = connection.dialect.name
        found = self._by_dialect.get(name)
        if found is None:
            found = self._by_dialect[name] = self._compiled(connection.dialect)
        return found

    def _compiled(self, dialect: Any) -> _Compiled:
        if dialect.name == "postgresql":
            return _Pipelined(self._statement, dialect, self._columns, lasting=self._lasting)
        return _Compiled(self._statement, dialect, self._columns)


class PreparedLists:
    """A statement with list parameters: `make` builds it for given lengths; values are `<list><index>`."""

    __slots__ = ("_by_lengths", "_make")

    def __init__(self, make: Callable[..., ClauseElement]) -> None:
        self._make = make
        self._by_lengths: dict[tuple[int, ...], Prepared] = {}

    def of(self, **lists: Sequence[Any]) -> tuple[Prepared, dict[str, Any]]:
        """Return the statement for these lists, and the lists as its values."""
        lengths = tuple(len(items) for items in lists.values())
        found = self._by_lengths.get(lengths)
        if found is None:
            lasting = max(lengths) <= SHORT
            found = self._by_lengths[lengths] = Prepared(self._make(*lengths), lasting=lasting)
        return found, {f"{name}{i}": item for name, items in lists.items() for i, item in enumerate(items)}


def listed(name: str, length: int) -> list[sa.BindParameter[Any]]:
    """Return the parameters `<name>0`, `<name>1`, … for an `in_` of a PreparedLists statement."""
    return [sa.bindparam(f"{name}{i}") for i in range(length)]


def insert_into(target: sa.Table, *columns: str) -> Prepared:
    """Return a statement that inserts a row of `columns`; other columns get their defaults."""
    return Prepared(target.insert(), columns)


def together(connection: Connection) -> AbstractContextManager[Any]:
    """Batch the statements inside on PostgreSQL; read their results after the block."""
    return _batch(connection, commits=False)


def to_the_end(connection: Connection) -> AbstractContextManager[Any]:
    """Batch the statements inside with the transaction's commit, so that locks are held no longer than the
    server works. Nothing may follow. Use `demand` for conditions of the commit. Reading a result afterwards
    may raise `engine.store.fate.ResultLost`."""
    return _batch(connection, commits=True)


def _batch(connection: Connection, *, commits: bool) -> AbstractContextManager[Any]:
    if connection.dialect.name != "postgresql":
        return nullcontext()
    from engine.store.wire import pipeline_of  # noqa: PLC0415 - see _Pipelined

    return pipeline_of(connection).together(commits=commits)


def demand(changed: sa.Update, rows: int) -> sa.Select[tuple[int]]:
    """Return a PostgreSQL update that fails unless it changes exactly `rows` rows; see `denied`."""
    done = changed.cte("done")
    count = sa.select(sa.func.count()).select_from(done).scalar_subquery()
    return sa.select((sa.literal_column("1").op("/")(sa.cast(count == rows, sa.Integer))).label("held"))


def denied(error: Exception) -> bool:
    """Return whether an error is the failure of a `demand` (SQLSTATE of a division by zero)."""
    return getattr(error, "sqlstate", "") == "22012"


def driver_of(connection: Connection) -> Any:
    """Return the driver's connection, inside the same transaction."""
    return connection.connection.driver_connection
