"""The model hub, played by a loopback server: an interrupted download resumes where it stopped."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

DATA = random.Random(5).randbytes(24_000_000)
FIRST = 15_000_000
"""More than one of the pieces in which its client writes to the disk (10 MiB)."""
PATIENCE_S = 60.0

FETCH = """
import sys
from pathlib import Path
from engine.llm.local.process.sources import from_hub
from engine.llm.local.process.catalog import Weights

class Heard:
    def at(self, done, total):
        print(done, total, flush=True)
    def say(self, text):
        print(text, flush=True)

weights = Weights("m", "m.gguf", {size}, "{digest}", (), ("some/model", "m.gguf"))
print("GOT", from_hub(weights, Path(sys.argv[1]), Heard()), flush=True)
"""


@dataclass
class Hub:
    """What it was asked, and whether it stops in the middle of the file."""

    url: str = ""
    stalls: bool = True
    ranges: list[int] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


def handler_of(hub: Hub) -> type[BaseHTTPRequestHandler]:
    """The part of the hub's HTTP that its client uses for one file."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _begin(self) -> int:
            start = int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0] or 0)
            self.send_response(206 if start else 200)
            self.send_header("ETag", f'"{hashlib.sha256(DATA).hexdigest()}"')
            self.send_header("X-Repo-Commit", "a" * 40)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(DATA) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
            self.end_headers()
            return start

        def do_HEAD(self) -> None:
            """What the file is."""
            self._begin()

        def do_GET(self) -> None:
            """The file, or its first bytes and then silence."""
            start = self._begin()
            hub.ranges.append(start)
            self.wfile.write(DATA[start:FIRST] if hub.stalls else DATA[start:])
            self.wfile.flush()
            if hub.stalls:
                hub.closing.wait(PATIENCE_S)

    return Handler


class Quiet(ThreadingHTTPServer):
    """Says nothing of a client that was killed."""

    def handle_error(self, request: object, client_address: object) -> None:
        """It is what the test does."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub on loopback."""
    made = Hub()
    server = Quiet(("127.0.0.1", 0), handler_of(made))
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


def fetching(hub: Hub, folder: Path) -> subprocess.Popen[str]:
    """A process that fetches the file, as the product does."""
    script = FETCH.format(size=len(DATA), digest=hashlib.sha256(DATA).hexdigest())
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", script, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def test_a_killed_download_from_the_hub_resumes(hub: Hub, tmp_path: Path) -> None:
    """Killed in the middle, the next one asks for the rest alone, and the file is whole."""
    with fetching(hub, tmp_path) as first:
        until = time.monotonic() + PATIENCE_S
        while not any(path.stat().st_size for path in tmp_path.glob("m.gguf*")):
            assert first.poll() is None and time.monotonic() < until, first.stdout and first.stdout.read()
            time.sleep(0.05)
        first.kill()
    hub.stalls = False
    with fetching(hub, tmp_path) as second:
        out, _ = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 0, out
    assert hub.ranges[0] == 0 and hub.ranges[-1] > 0
    got = Path(out.rpartition("GOT ")[2].strip())
    assert hashlib.sha256(got.read_bytes()).digest() == hashlib.sha256(DATA).digest()
    heard = [int(line.split()[0]) for line in out.splitlines() if line[:1].isdigit()]
    assert heard and min(heard) >= hub.ranges[-1] and max(heard) == len(DATA)
