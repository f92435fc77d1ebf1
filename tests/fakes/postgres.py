"""A throw-away PostgreSQL cluster: initdb in a temporary folder, a Unix socket, removed at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/usr/local/pgsql/bin",
)
_START_S = 30.0
_UNSAFE = tuple(
    word
    for option in ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off")
    for word in ("-c", option)
)

_LARGE = 8_000_000
"""Bytes of tables and indexes above which a database is not emptied but made again."""

_END_OTHERS = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_SHAPE = """
    SELECT md5(string_agg(concat_ws(' ', relname, relkind, attname, atttypid, attnotnull), ','
        ORDER BY relname, attnum)),
        (SELECT md5(string_agg(concat_ws(' ', conname, contype), ',' ORDER BY oid)) FROM pg_constraint),
        (SELECT md5(string_agg(concat_ws(' ', proname, prosrc), ',' ORDER BY oid)) FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace),
        (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_')
    FROM pg_class LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0
    WHERE relnamespace = 'public'::regnamespace
"""
_SIZE = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
_TABLES = "SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public'"
_USED = """
    SELECT format('%I', relname) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
"""
_RESTART = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"


def find_binaries() -> Path:
    """Folder with `initdb` and `postgres`. Raises FileNotFoundError that says what to install."""
    asked = shutil.which("pg_config")
    folders = []
    if asked:
        configured = subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=True)
        folders.append(Path(configured.stdout.strip()))
    for pattern in _PLACES:
        folders += sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise FileNotFoundError("PostgreSQL's server is not installed: run `make setup` (package postgresql).")


@dataclass
class _Template:
    """A database to copy, and copies that nobody uses. `shape`: its tables, columns and the like."""

    name: str
    shape: object
    returned: list[str] = field(default_factory=list)


class Cluster:
    """A running server; `durable` keeps fsync on (benches), else it is off (tests)."""

    def __init__(self, durable: bool = False) -> None:
        binaries = find_binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._user = _server_user()
        if self._user:
            shutil.chown(self.folder, self._user)
        self._run([binaries / "initdb", "-D", self.folder / "data", "-U", "megaagent", "-A", "trust", "-N"])
        options = () if durable else _UNSAFE
        command = [binaries / "postgres", "-D", self.folder / "data", "-k", self.folder, "-h", "", *options]
        command += ["-c", "max_connections=200"]
        self._command = [str(part) for part in command]
        self._log = (self.folder / "log").open("w")
        self._server = self._begin()
        self._databases = 0
        self._templates: dict[Callable[[str], None], _Template] = {}
        self._lent: dict[str, _Template] = {}
        self._await()

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._server.pid

    def url(self, name: str) -> str:
        """SQLAlchemy (and libpq) URL of a database."""
        return f"postgresql://megaagent@/{name}?host={self.folder}"

    def new_database(self, prepare: Callable[[str], None] | None = None) -> str:
        """Return the URL of a new database: empty, or with the tables that `prepare` has made once."""
        if prepare is None:
            return self._copy("template1")
        template = self._template(prepare)
        while template.returned:
            url = template.returned.pop()
            if self._emptied(url, template.shape):
                break
            self._administer(f"DROP DATABASE {_name_of(url)} WITH (FORCE)")
        else:
            url = self._copy(template.name)
        self._lent[url] = template
        return url

    def give_back(self, url: str) -> None:
        """Take back a database for the next that asks for one of its kind: to make one and to delete it takes
        the server a fifth of a second."""
        template = self._lent.pop(url)
        template.returned.append(url)

    def _copy(self, template: str) -> str:
        self._databases += 1
        name = f"db{self._databases}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def _emptied(self, url: str, shape: object) -> bool:
        """Return whether a database is as new now; one that was changed in shape, or has grown, is not."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_END_OTHERS)
            small = connection.execute(f"SELECT ({_SIZE}) < {_LARGE}").fetchone() == (True,)
            same = small and connection.execute(_SHAPE).fetchone() == shape
            if same:
                _empty(connection)
            return same

    def _template(self, prepare: Callable[[str], None]) -> _Template:
        if prepare not in self._templates:
            name = f"template_{len(self._templates) + 2}"
            self._administer(f"CREATE DATABASE {name}")
            prepare(self.url(name))
            with psycopg.connect(self.url(name)) as connection:
                for (table,) in connection.execute(_TABLES).fetchall():
                    assert connection.execute(f"SELECT FROM {table} LIMIT 1").fetchone() is None, table
                self._templates[prepare] = _Template(name, connection.execute(_SHAPE).fetchone())
        return self._templates[prepare]

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _begin(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdout=self._log, stderr=self._log, user=self._user, cwd="/")

    def restart(self) -> None:
        """Kill the server and start it again on the same files; only a durable one keeps everything."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(30)
        self._server = self._begin()
        self._await()

    def sessions(self, url: str) -> list[int]:
        """Return the process ids of the sessions in a database."""
        with psycopg.connect(self.url("postgres")) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
            return [row[0] for row in connection.execute(query, [_name_of(url)])]

    def stop(self) -> None:
        """Kill the server, delete its files."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(30)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command: list[object]) -> None:
        subprocess.run(
            [str(part) for part in command], check=True, capture_output=True, user=self._user, cwd="/"
        )

    def _await(self) -> None:
        end = time.monotonic() + _START_S
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > end or self._server.poll() is not None:
                    said = (self.folder / "log").read_text()[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start:\n{said}") from error
                time.sleep(0.05)
            else:
                return


def _empty(connection: psycopg.Connection[Any]) -> None:
    """Delete all rows, without triggers and foreign keys, then what is left of them. TRUNCATE makes new files
    for each table and index: for tables of a few rows it takes the server four times as long."""
    used = [name for (name,) in connection.execute(_USED).fetchall()]
    deletes = "".join(f"DELETE FROM {name};" for name in used)
    connection.execute(f"SET session_replication_role = replica; {deletes} {_RESTART}".encode())
    if used:
        connection.execute(f"VACUUM (INDEX_CLEANUP ON) {', '.join(used)}".encode())


def _name_of(url: str) -> str:
    return url.split("@/")[1].split("?", maxsplit=1)[0]


def _server_user() -> str | None:
    """Return the user to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
