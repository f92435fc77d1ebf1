"""A way to PostgreSQL that loses a commit or the answer to it: a Unix socket before the server's own."""

from __future__ import annotations

import socket
import tempfile
import threading
from pathlib import Path
from typing import Literal

_SOCKET = ".s.PGSQL.5432"
_COMMITS = (b"commit\0", b"COMMIT\0")
"""The store's prepared statement, and the driver's own."""
_SIZE = 1 << 16

Loss = Literal["answer", "commit"]


class LossyPath:
    """Passes everything on, but ends the connection at one commit: after the server did it, or before."""

    def __init__(self, server: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lossy-"))
        self.commits, self.lost = 0, 0
        self._server = server
        self._at: tuple[int, Loss] | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._away = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / _SOCKET))
        self._listener.listen(64)
        self._passages: list[_Passage] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def url(self, url: str) -> str:
        """The URL of a database of the server, by this way."""
        return url.replace(str(self._server), str(self.folder))

    def lose(self, number: int, what: Loss, *, stay_away: bool = False) -> None:
        """Lose the commit with this number, counted from now on, or its answer; then, with `stay_away`, let
        nobody in."""
        with self._lock:
            self.commits, self.lost = 0, 0
            self._at, self._stays = (number, what), stay_away

    def come_back(self) -> None:
        """Let connections in again."""
        self._away.clear()

    def close(self) -> None:
        """End every connection and accept no more."""
        self._closed = True
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(self.folder / _SOCKET))
        self._accepting.join()
        self._listener.close()
        for passage in self._passages:
            passage.close()
        (self.folder / _SOCKET).unlink()
        self.folder.rmdir()

    def _accept(self) -> None:
        while not self._closed:
            client, _ = self._listener.accept()
            if self._closed or self._away.is_set():
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server / _SOCKET))
            self._passages.append(_Passage(self, client, server))

    def loses(self, data: bytes) -> Loss | None:
        """What is lost of what a client sends, None for nothing."""
        if not any(words in data for words in _COMMITS):
            return None
        with self._lock:
            self.commits += 1
            if self._at is None or self.commits != self._at[0]:
                return None
            self.lost += 1
            if self._stays:
                self._away.set()
            return self._at[1]


class _Passage:
    """One connection, with a thread for each direction."""

    def __init__(self, way: LossyPath, client: socket.socket, server: socket.socket) -> None:
        self._way, self._client, self._server = way, client, server
        self._mute = threading.Event()
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._ask, self._answer)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the connection on both sides."""
        self._end()
        for thread in self._threads:
            thread.join()
        self._client.close()
        self._server.close()

    def _ask(self) -> None:
        while data := _received(self._client):
            what = self._way.loses(data)
            if what == "answer":
                self._mute.set()
            if what == "commit":
                break
            if not _passed(self._server, data):
                break
        self._end()

    def _answer(self) -> None:
        while data := _received(self._server):
            if self._mute.is_set():
                break
            if not _passed(self._client, data):
                break
        self._end()

    def _end(self) -> None:
        for side in (self._client, self._server):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def _received(side: socket.socket) -> bytes:
    try:
        return side.recv(_SIZE)
    except OSError:
        return b""


def _passed(side: socket.socket, data: bytes) -> bool:
    try:
        side.sendall(data)
    except OSError:
        return False
    return True
