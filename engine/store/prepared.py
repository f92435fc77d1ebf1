"""Core statements compiled once a dialect and run on the driver itself: the turn's path pays no more.

Measured: a prebuilt Core statement through SQLAlchemy costs 80-150 us of Python, the same text on the
driver 5-20 us; a step runs about fifteen. Values pass as the driver takes them (SQLite: 0 and 1 for
booleans); driver errors leave through the Database, which names them as SQLAlchemy does.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.sql.elements import ClauseElement

Fact = Any
"""A row with named fields."""


class _Compiled:
    """A statement as text with the order of its values."""

    __slots__ = ("_constants", "_order", "row", "text")

    def __init__(self, statement: ClauseElement, dialect: Any, columns: Sequence[str] | None) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
        self.text: str = compiled.string
        self._order: tuple[str, ...] | None = tuple(compiled.positiontup) if compiled.positional else None
        self._constants = {k: v for k, v in compiled.params.items() if v is not None}
        self._constants |= _defaults(statement, compiled.params, columns)
        self.row: Callable[[Sequence[Any]], Fact] = tuple
        if isinstance(statement, sa.Select | sa.CompoundSelect):
            names = [column.key or "" for column in statement.selected_columns]
            self.row = getattr(namedtuple("Fact", names), "_make")  # noqa: B009 - typed loosely

    def values(self, given: Mapping[str, Any]) -> Any:
        """The statement's values as the driver's parameter style wants them."""
        merged = {**self._constants, **given}
        return merged if self._order is None else [merged[name] for name in self._order]


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
    """

    __slots__ = ("_by_dialect", "_columns", "_statement")

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self._statement, self._columns = statement, columns
        self._by_dialect: dict[str, _Compiled] = {}

    def run(self, connection: Connection, **values: Any) -> Any:
        """Execute; the driver's cursor, for its `rowcount`."""
        compiled = self._for(connection)
        return driver_of(connection).execute(compiled.text, compiled.values(values))

    def all(self, connection: Connection, **values: Any) -> list[Fact]:
        """Every row."""
        return self.rows(connection, self.run(connection, **values))

    def rows(self, connection: Connection, cursor: Any) -> list[Fact]:
        """Every row of an earlier `run`."""
        return list(map(self._for(connection).row, cursor.fetchall()))

    def first(self, connection: Connection, **values: Any) -> Fact | None:
        """The first row."""
        compiled = self._for(connection)
        found = driver_of(connection).execute(compiled.text, compiled.values(values)).fetchone()
        return None if found is None else compiled.row(found)

    def scalar(self, connection: Connection, **values: Any) -> Any:
        """First column of the first row, None without one. Also what an insert returns."""
        compiled = self._for(connection)
        found = driver_of(connection).execute(compiled.text, compiled.values(values)).fetchall()
        return found[0][0] if found else None

    def many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once a row, in order."""
        compiled = self._for(connection)
        driver_of(connection).cursor().executemany(compiled.text, [compiled.values(row) for row in rows])

    def _for(self, connection: Connection) -> _Compiled:
        name = connection.dialect.name
        found = self._by_dialect.get(name)
        if found is None:
            found = _Compiled(self._statement, connection.dialect, self._columns)
            self._by_dialect[name] = found
        return found


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
            found = self._by_lengths[lengths] = Prepared(self._make(*lengths))
        return found, {f"{name}{i}": item for name, items in lists.items() for i, item in enumerate(items)}


def listed(name: str, length: int) -> list[sa.BindParameter[Any]]:
    """Parameters `<name>0` … for an `in_` of a PreparedLists statement."""
    return [sa.bindparam(f"{name}{i}") for i in range(length)]


def insert_into(target: sa.Table, *columns: str) -> Prepared:
    """Insert a row of `columns`; other columns get their defaults."""
    return Prepared(target.insert(), columns)


def together(connection: Connection) -> AbstractContextManager[Any]:
    """Statements inside are sent as one where the driver can (PostgreSQL); read their results after it."""
    return driver_of(connection).pipeline() if connection.dialect.name == "postgresql" else nullcontext()


@contextmanager
def to_the_end(connection: Connection) -> Iterator[None]:
    """Like `together`, and the transaction's commit goes with them: nothing may follow, nobody waits longer
    for its locks than the server works. What must hold for the commit is said by `demand`."""
    if connection.dialect.name != "postgresql":
        yield
        return
    raw = driver_of(connection)
    with raw.pipeline():
        yield
        raw.commit()


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
