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
from pathlib import Path

import psycopg

_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/usr/local/pgsql/bin",
)
_START_S = 30.0
_UNSAFE = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")


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
        self._templates: dict[Callable[[str], None], str] = {}
        self._await()

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._server.pid

    def url(self, name: str) -> str:
        """SQLAlchemy (and libpq) URL of a database."""
        return f"postgresql://megaagent@/{name}?host={self.folder}"

    def new_database(self, prepare: Callable[[str], None] | None = None) -> str:
        """Return the URL of a new database: empty, or a copy of one that `prepare` has filled once."""
        template = "template1" if prepare is None else self._template(prepare)
        self._databases += 1
        name = f"db{self._databases}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Delete a database whoever is connected, so that the end of the session has little to delete."""
        name = url.split("@/")[1].split("?", maxsplit=1)[0]
        self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def _template(self, prepare: Callable[[str], None]) -> str:
        if prepare not in self._templates:
            name = f"template_{len(self._templates) + 2}"
            self._administer(f"CREATE DATABASE {name}")
            prepare(self.url(name))
            self._templates[prepare] = name
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
        name = url.split("@/")[1].split("?", maxsplit=1)[0]
        with psycopg.connect(self.url("postgres")) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
            return [row[0] for row in connection.execute(query, [name])]

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


def _server_user() -> str | None:
    """Return the user to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
