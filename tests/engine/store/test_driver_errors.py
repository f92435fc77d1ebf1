"""What is wrong with a database is said in one sentence that ends with what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import DatabaseError

from engine.errors import NotConfigured, StorageFull
from engine.store.database import open_database, sync_engine
from engine.store.driver_errors import ROOM_AGAIN, is_full, operator_error
from tests.fakes.postgres import Cluster

SERVER = "postgresql://anna:pass-canary@db.example:5433/x"


class _Psycopg(Exception):
    """An error as the driver raises it."""


_Psycopg.__module__ = "psycopg.errors"

SAID = {
    'FATAL:  password authentication failed for user "anna"': "refuses the password",
    "fe_sendauth: no password supplied": "refuses the password",
    'no pg_hba.conf entry for host "1.2.3.4"': "pg_hba.conf",
    'FATAL:  role "anna" does not exist': "createuser",
    'FATAL:  database "x" does not exist': "createdb",
    'could not translate host name "db.example" to address': "Check the host",
    "connection failed: [Errno -2] Name or service not known": "Check the host",
    'invalid port number: "99999"': "Check DATABASE_URL",
    "connection to server at 127.0.0.1, port 5433 failed: Connection refused": "Start it",
    "connection timeout expired": "Start it",
    "FATAL:  sorry, too many clients already": "max_connections",
    "permission denied for schema public": "right to create tables",
    'invalid connection option "passwrd"': "Check DATABASE_URL",
    'could not extend file "base/1": No space left on device': "The disk is full",
    "something nobody foresaw\nand more of it": "does not work (something nobody foresaw)",
}


@pytest.mark.parametrize("said", SAID)
def test_what_a_server_says_becomes_a_next_step(said: str) -> None:
    """No traceback, no password, one line."""
    told = operator_error(_Psycopg(said), SERVER)
    assert told is not None
    text = str(told)
    assert SAID[said] in text and text.endswith(".") and "\n" not in text
    assert "pass-canary" not in text


def test_errors_of_others_are_left_alone() -> None:
    """A fault of our own keeps its traceback."""
    assert operator_error(ValueError("x"), SERVER) is None
    assert not is_full(ValueError("x"))


@pytest.mark.parametrize("url", ["mysql://u@h/d", "oracle://h", "mongodb://h/x", "nonsense"])
def test_other_databases_are_refused_everywhere(url: str) -> None:
    """Also by the migrations and doctor, which took mysql:// for PostgreSQL on port 5432."""
    for opens in (open_database, sync_engine):
        with pytest.raises(NotConfigured, match=r"sqlite:///file or postgresql://"):
            opens(url)


@pytest.mark.parametrize("port", ["abc", "99999", "0", "5432x"])
def test_an_odd_port_is_said(port: str) -> None:
    """And the password in the address is not."""
    with pytest.raises(NotConfigured) as caught:
        sync_engine(f"postgresql://anna:pass-canary@localhost:{port}/x")
    assert "DATABASE_URL is not the address" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """With what to put in its place."""
    path = tmp_path / "x.db"
    path.write_bytes(b"no database at all " * 300)
    url = f"sqlite:///{path}"
    engine = sync_engine(url)
    with pytest.raises(DatabaseError) as caught:
        engine.connect()
    told = operator_error(caught.value, url)
    assert str(told).startswith(f"The database file {path} is damaged. Stop the bot")


def test_a_full_disk_is_told_apart() -> None:
    """By SQLite's words, PostgreSQL's code and the system's number."""
    assert is_full(sqlite3.OperationalError("database or disk is full"))
    assert is_full(OSError(28, "No space left on device"))
    assert isinstance(
        operator_error(sqlite3.OperationalError("database or disk is full"), "sqlite:///x"), StorageFull
    )


async def test_a_database_says_when_there_is_no_room_and_when_there_is_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was written before stays, work goes on by itself, and that is said once."""
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    await database.write(lambda c: c.exec_driver_sql("CREATE TABLE t (x BLOB)"))
    pages = await database.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
    await database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))
    for _ in range(3):
        with pytest.raises(StorageFull, match="Free space"):
            await database.write(lambda c: c.exec_driver_sql("INSERT INTO t VALUES (zeroblob(100000))"))
    assert "disk is full" in database.trouble
    assert await database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM t").scalar()) == 0
    assert "disk is full" in database.trouble
    for _ in range(2):
        await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 100000"))
    assert database.trouble == ""
    await database.close()
    assert caplog.messages == [ROOM_AGAIN]


def test_a_server_that_takes_only_bytes_is_refused() -> None:
    """SQL_ASCII: text would come back as bytes, and goals in other scripts broken."""
    cluster = Cluster()
    try:
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
            connection.execute(
                "CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
            )
        engine = sync_engine(cluster.url("bytes"))
        with pytest.raises(NotConfigured, match=r"bytes has the encoding SQL_ASCII.*createdb -E UTF8"):
            engine.connect()
        engine.dispose()
    finally:
        cluster.stop()
