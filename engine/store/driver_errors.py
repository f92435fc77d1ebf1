"""Translation of database errors to one sentence with the next step."""

from __future__ import annotations

import errno
import logging
import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

from engine.domain.redact import without_password
from engine.errors import NotConfigured, StorageFull
from engine.secrets import redact

log = logging.getLogger(__name__)

ROOM_AGAIN = "There is space on the disk again: work resumes."
PATIENCE = {"connect_timeout": 10}
"""Connection timeout in seconds; libpq's own is two minutes per address."""

LITTLE, ENOUGH = 1 << 20, 8 << 20
SETTLE_S = 5.0
FULL = (
    "The disk is full: nothing can be stored. Free space on the disk of the data folder; "
    "work then resumes by itself."
)
READ_ONLY = "The database cannot be written: {shown} is read-only. Make it writable, then start again."
NO_ADDRESS = (
    "DATABASE_URL is not the address of a database ({why}). "
    "Use sqlite:///file or postgresql://user:password@host:5432/name, with %40 for @ in a password."
)

NOT_UTF8 = (
    "The PostgreSQL database {name} has the encoding {encoding}. Create one with UTF-8 "
    "(createdb -E UTF8 -T template0 NAME) and name it in DATABASE_URL."
)

_FULL_WORDS = ("disk is full", "no space left", "disk quota exceeded", "could not extend file")
_FULL_STATES = frozenset({"53100"})
_STAYS = ("readonly database", "unable to open", "disk i/o error", "malformed", "not a database")
"""Texts of errors of a database file that do not pass by themselves."""
_READ_ONLY_WORDS = ("readonly database", "read-only file system", "read-only transaction")

# Pattern in the message of the server or its client library, and the text shown; the first match counts.
_POSTGRES: tuple[tuple[str, str], ...] = (
    (
        r"password authentication failed|no password supplied",
        "PostgreSQL at {shown} refuses the password. Check user and password in DATABASE_URL.",
    ),
    (
        r"no pg_hba\.conf entry|authentication failed",
        "PostgreSQL at {shown} does not admit this user or machine. Allow it in pg_hba.conf, "
        "or check DATABASE_URL.",
    ),
    (
        r'role ".*" does not exist',
        "PostgreSQL at {shown} has no such user. Create it (createuser), or check DATABASE_URL.",
    ),
    (
        r'database ".*" does not exist',
        "PostgreSQL at {shown} has no such database. Create it (createdb -E UTF8 -T template0), "
        "or check DATABASE_URL.",
    ),
    (
        r"translate host name|name or service not known|nodename nor servname|name resolution|getaddrinfo",
        "The host of the database is unknown: {shown}. Check the host in DATABASE_URL.",
    ),
    (
        r"invalid port|invalid integer value|port number",
        "The port of the database is not a number from 1 to 65535: {shown}. Check DATABASE_URL.",
    ),
    (
        r"too many (?:connections|clients)|remaining connection slots",
        "PostgreSQL at {shown} has no connection left. Close others, or raise its max_connections.",
    ),
    (
        r"ssl|certificate",
        "The secure connection to PostgreSQL at {shown} fails. Check sslmode in DATABASE_URL.",
    ),
    (
        r"invalid (?:connection option|uri|sslmode)|missing \"=\"",
        "PostgreSQL cannot read the address {shown}. Check DATABASE_URL.",
    ),
    (
        r"permission denied",
        "PostgreSQL at {shown} denies this user a permission. Grant it the right to create tables there.",
    ),
    (
        r"connection refused|timeout|timed out|no route to host|unreachable|connection (?:failed|reset)|"
        r"server closed|starting up|shutting down|no such file",
        "PostgreSQL does not answer at {shown}. Start it, or check host and port in DATABASE_URL.",
    ),
)
_SQLITE: tuple[tuple[str, str], ...] = (
    (
        r"not a database|malformed|corrupt|disk i/o error",
        "The database file {shown} is damaged. Stop the bot, move the file away and put a backup in its "
        "place; without a backup the bot starts with an empty database.",
    ),
    (
        r"database is locked|table is locked",
        "The database file {shown} is locked by another program. Close that one, then start again.",
    ),
    (
        r"unable to open",
        "The database file {shown} cannot be opened. Check that the folder exists and belongs to you.",
    ),
)


class DiskSpace:
    """Tracks whether there is disk space for commits; `trouble` is an error text, "" when there is.

    A database reports each of its writes, from any thread. A small write that succeeds does not end the
    trouble: `folder` must have space again, or without a folder no write may fail for a while. The end is
    logged once.
    """

    def __init__(self, folder: Path | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self.trouble = ""
        self._folder, self._now, self._failed_at = folder, now, 0.0

    def failed(self, error: BaseException) -> None:
        """Record that a write failed."""
        if isinstance(error, StorageFull):
            self._failed_at = self._now()
            self.trouble = str(error)

    def succeeded(self) -> None:
        """Record that a write reached the disk."""
        if self.trouble and self._has_room():
            self.trouble = ""
            log.warning(ROOM_AGAIN)

    def _has_room(self) -> bool:
        if self._folder is None or not self._folder.exists():
            return self._now() - self._failed_at >= SETTLE_S
        return shutil.disk_usage(self._folder).free >= ENOUGH


def check_address(url: str) -> None:
    """Check that `url` is the URL of a supported database. Raises NotConfigured."""
    scheme = url.partition(":")[0].split("+")[0]
    if scheme not in ("sqlite", "postgresql", "postgres"):
        raise NotConfigured(
            f"DATABASE_URL begins with {scheme[:20]!r}. Use sqlite:///file or postgresql://user@host/name."
        )
    try:
        port = sa.make_url(url).port
    except (ArgumentError, ValueError) as error:
        raise NotConfigured(NO_ADDRESS.format(why="it cannot be read")) from error
    if port is not None and not 0 < port < 65536:
        raise NotConfigured(NO_ADDRESS.format(why=f"{port} is no port"))


def cannot_open(error: OSError, path: str) -> NotConfigured:
    """Return the error for a database file that cannot be created or read."""
    if is_full(error):
        return StorageFull(FULL)
    why = (error.strerror or "it cannot be read").lower()
    return NotConfigured(
        f"The database file {path} cannot be opened ({why}). Check that the folder exists and belongs to you."
    )


def is_full(error: BaseException) -> bool:
    """Return whether an error of a database or of writing a file means that the disk is full."""
    if isinstance(error, StorageFull) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return True
    text = str(error).lower()
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return state in _FULL_STATES or any(words in text for words in _FULL_WORDS)


def plain_error(error: Exception, url: str) -> Exception:
    """Return the error for callers: operator errors as NotConfigured, integrity errors as SQLAlchemy's."""
    if isinstance(error, sqlite3.IntegrityError):
        return IntegrityError("a prepared statement", None, error)
    if not _of_database(error):
        return error
    text = str(error).lower()
    if is_full(error) or (url.startswith("sqlite") and any(words in text for words in _STAYS)):
        report = operator_error(error, url)
        if report is not None:
            report.__cause__ = error
            return report
    return error


def operator_error(error: BaseException, url: str) -> NotConfigured | None:
    """Return a database error as a sentence for the operator; None for other errors."""
    if not _of_database(error):
        return None
    if is_full(error) or _no_room(error, url):
        return StorageFull(FULL)
    shown, text = without_password(url).replace("sqlite:///", ""), str(error).lower()
    if any(words in text for words in _READ_ONLY_WORDS):
        return NotConfigured(READ_ONLY.format(shown=shown))
    for pattern, words in _SQLITE if url.startswith("sqlite") else _POSTGRES:
        if re.search(pattern, text):
            return NotConfigured(words.format(shown=shown))
    first = redact(str(getattr(error, "orig", error))).strip().partition("\n")[0][:200]
    return NotConfigured(f"The database at {shown} does not work ({first}). Check it, then start again.")


def _no_room(error: BaseException, url: str) -> bool:
    """Return whether SQLite's I/O error means a full disk: its shared-memory file could not grow."""
    path = sa.make_url(url).database if url.startswith("sqlite") else None
    if "disk i/o error" not in str(error).lower() or not path:
        return False
    folder = Path(path).parent
    return folder.exists() and shutil.disk_usage(folder).free < LITTLE


def is_disconnect(error: BaseException) -> bool:
    """Return whether PostgreSQL could not be reached, or ended the connection: the same may work later.

    psycopg raises OperationalError with an SQLSTATE of class 08 or 57P, or without one.
    """
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_disconnect(error.orig))
    kind = next((kind for kind in type(error).__mro__ if kind.__module__.startswith("psycopg")), None)
    if kind is None or not any(each.__name__ == "OperationalError" for each in type(error).__mro__):
        return False
    state = getattr(error, "sqlstate", None)
    return state is None or state.startswith(("08", "57P"))


def _of_database(error: BaseException) -> bool:
    driver = type(error).__module__.partition(".")[0]
    return isinstance(error, sqlite3.Error | DBAPIError | SQLAlchemyError) or driver == "psycopg"
