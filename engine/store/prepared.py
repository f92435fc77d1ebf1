"""Core statements compiled once a dialect and run on the driver itself: the turn's path pays no more.

Measured: a prebuilt Core statement through SQLAlchemy costs 80-150 us of Python, the same text on the
driver of SQLite 5-20 us; a step runs about fifteen. PostgreSQL's go over a wire of our own (wire.py). Values
pass as the driver takes them (SQLite: 0 and 1 for booleans); driver errors leave through the Database, which
names them as SQLAlchemy does.
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
"""Lists up to this length have a statement that the server keeps: there are few of those."""

FetchedRow = Any
"""A row with named fields."""


class _Compiled:
    """A statement as text with the order of its values, for SQLite's driver."""

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
        """The statement's values in its order."""
        merged = {**self._constants, **given}
        return [merged[name] for name in self._order]

    def run(self, connection: Connection, given: Mapping[str, Any]) -> Any:
        """A cursor."""
        return driver_of(connection).execute(self.text, self.values(given))

    def many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Once a row, in order."""
        driver_of(connection).executemany(self.text, list(map(self.values, rows)))


class _OnWire(_Compiled):
    """The same for PostgreSQL, on its wire."""

    __slots__ = ("_encoded", "_statement", "_wire_of")

    def __init__(
        self, statement: ClauseElement, dialect: Any, columns: Sequence[str] | None, *, lasting: bool
    ) -> None:
        from engine.store.wire import Order, encoded, wire_of  # noqa: PLC0415 - its driver takes megabytes

        super().__init__(statement, dialect, columns)
        places: dict[str, int] = {}
        text = _PLACE.sub(lambda found: _numbered(found[1], places), self.text)
        self._order = tuple(places)
        self._statement = Order(f"s{next(_numbers)}".encode(), text.encode(), lasting)
        self._encoded, self._wire_of = encoded, wire_of

    def values(self, given: Mapping[str, Any]) -> list[bytes | None]:
        """See `_Compiled.values`, as bytes."""
        return list(map(self._encoded, super().values(given)))

    def run(self, connection: Connection, given: Mapping[str, Any]) -> Any:
        """See `_Compiled.run`: an answer, which may be on its way."""
        return self._wire_of(connection).run(self._statement, self.values(given))

    def many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """See `_Compiled.many`."""
        with self._wire_of(connection).together():
            for row in rows:
                self.run(connection, row)


_PLACE = re.compile(r"%(?:%|\((\w+)\)s)")
_numbers = itertools.count()


def _numbered(name: str | None, places: dict[str, int]) -> str:
    return "%" if name is None else f"${places.setdefault(name, len(places) + 1)}"


def _defaults(
    statement: ClauseElement, params: Mapping[str, Any], given: Sequence[str] | None
) -> dict[str, Any]:
    """Of an insert, the Python-side defaults of columns that were not given."""
    if not isinstance(statement, sa.Insert) or given is None:
        return {}
    columns = [c for c in statement.table.c if c.name in params and c.name not in given]
    return {c.name: getattr(c.default, "arg", None) for c in columns}


class Prepared:
    """One statement; for an insert `columns` names the values that each run gives.

    Lists of constants (`in_(("a", "b"))`) do not compile ahead of their run: write `or_`, or PreparedLists.
    One that is not `lasting` is not kept by the server.
    """

    __slots__ = ("_by_dialect", "_columns", "_lasting", "_statement")

    def __init__(
        self, statement: ClauseElement, columns: Sequence[str] | None = None, *, lasting: bool = True
    ) -> None:
        self._statement, self._columns, self._lasting = statement, columns, lasting
        self._by_dialect: dict[str, _Compiled] = {}

    def run(self, connection: Connection, **values: Any) -> Any:
        """Execute -> `rowcount`, `fetchall()` and `fetchone()`."""
        return self._for(connection).run(connection, values)

    def all(self, connection: Connection, **values: Any) -> list[FetchedRow]:
        """Every row."""
        return self.rows(connection, self.run(connection, **values))

    def rows(self, connection: Connection, cursor: Any) -> list[FetchedRow]:
        """Every row of an earlier `run`."""
        return list(map(self._for(connection).row, cursor.fetchall()))

    def first(self, connection: Connection, **values: Any) -> FetchedRow | None:
        """The first row."""
        found = self.run(connection, **values).fetchone()
        return None if found is None else self._for(connection).row(found)

    def scalar(self, connection: Connection, **values: Any) -> Any:
        """First column of the first row, None without one. Also what an insert returns."""
        found = self.run(connection, **values).fetchall()
        return found[0][0] if found else None

    def many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once a row, in order."""
        self._for(connection).many(connection, rows)

    def _for(self, connection: Connection) -> _Compiled:
        name = connection.dialect.name
        found = self._by_dialect.get(name)
        if found is None:
            found = self._by_dialect[name] = self._compiled(connection.dialect)
        return found

    def _compiled(self, dialect: Any) -> _Compiled:
        if dialect.name == "postgresql":
            return _OnWire(self._statement, dialect, self._columns, lasting=self._lasting)
        return _Compiled(self._statement, dialect, self._columns)


class PreparedLists:
    """A statement over lists: `make` builds it for lengths; values are named `<list><index>`."""

    __slots__ = ("_by_lengths", "_make")

    def __init__(self, make: Callable[..., ClauseElement]) -> None:
        self._make = make
        self._by_lengths: dict[tuple[int, ...], Prepared] = {}

    def of(self, **lists: Sequence[Any]) -> tuple[Prepared, dict[str, Any]]:
        """The statement for these lists, and the lists as its values."""
        lengths = tuple(len(items) for items in lists.values())
        found = self._by_lengths.get(lengths)
        if found is None:
            lasting = max(lengths) <= SHORT
            found = self._by_lengths[lengths] = Prepared(self._make(*lengths), lasting=lasting)
        return found, {f"{name}{i}": item for name, items in lists.items() for i, item in enumerate(items)}


def listed(name: str, length: int) -> list[sa.BindParameter[Any]]:
    """Parameters `<name>0` … for an `in_` of a PreparedLists statement."""
    return [sa.bindparam(f"{name}{i}") for i in range(length)]


def insert_into(target: sa.Table, *columns: str) -> Prepared:
    """Insert a row of `columns`; other columns get their defaults."""
    return Prepared(target.insert(), columns)


def together(connection: Connection) -> AbstractContextManager[Any]:
    """Statements inside are sent as one where the driver can (PostgreSQL); read their results after it."""
    return _batch(connection, commits=False)


def to_the_end(connection: Connection) -> AbstractContextManager[Any]:
    """Like `together`, and the transaction's commit goes with them: nothing may follow, nobody waits longer
    for its locks than the server works. What must hold for the commit is said by `demand`."""
    return _batch(connection, commits=True)


def _batch(connection: Connection, *, commits: bool) -> AbstractContextManager[Any]:
    if connection.dialect.name != "postgresql":
        return nullcontext()
    from engine.store.wire import wire_of  # noqa: PLC0415 - see _OnWire

    return wire_of(connection).together(commits=commits)


def demand(changed: sa.Update, rows: int) -> sa.Select[tuple[int]]:
    """The update (of PostgreSQL), which fails when it does not change exactly `rows` rows: see `denied`."""
    done = changed.cte("done")
    count = sa.select(sa.func.count()).select_from(done).scalar_subquery()
    return sa.select((sa.literal_column("1").op("/")(sa.cast(count == rows, sa.Integer))).label("held"))


def denied(error: Exception) -> bool:
    """Whether this is the failure of a `demand` (SQLSTATE of a division by zero)."""
    return getattr(error, "sqlstate", "") == "22012"


def driver_of(connection: Connection) -> Any:
    """The driver's connection, inside the same transaction."""
    return connection.connection.driver_connection
