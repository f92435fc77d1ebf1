"""MCP servers that send without a bound, as real programs and over HTTP: none fills this process's memory."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from engine.connectors.mcp import bounds
from engine.connectors.mcp.keeper import pass_on
from engine.connectors.mcp.servers import McpServers
from engine.errors import Unanswered
from tests.engine.connectors.test_servers import PATIENCE_S, named, running

PROGRAM = str(Path(__file__).with_name("unbounded_server.py"))


async def _down(servers: McpServers) -> str:
    """Wait until the server is down, and return why."""
    async with asyncio.timeout(PATIENCE_S):
        while (state := servers.states()[0]).condition != "down":  # noqa: ASYNC110 - another program
            await asyncio.sleep(0.005)
    return state.detail


@pytest.mark.parametrize(
    ("tool", "why"), [("line", "without the end of a line"), ("stray", "lines that are no messages")]
)
async def test_a_program_that_writes_without_a_bound_is_stopped_and_said_to_be_at_fault(
    tmp_path: Path, tool: str, why: str
) -> None:
    """It got rid of few bytes of its gibibyte; a large answer is no fault; it comes back."""
    count = tmp_path / "count"
    entry = {"command": sys.executable, "args": [PROGRAM, str(count)]}
    async with running(tmp_path, wild=entry) as servers:
        tools = named(servers)
        assert len((await servers.call(tools["wild__large"], {})).text) > 100_000
        with pytest.raises(Unanswered) as told:
            await servers.call(tools[f"wild__{tool}"], {})
        assert told.value.foreign
        assert why in await _down(servers)
        if tool == "line":
            assert int(count.read_text()) < bounds.LONGEST + 2**20
        async with asyncio.timeout(PATIENCE_S):
            while servers.states()[0].condition != "ready":  # noqa: ASYNC110 - another program
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("sizes", "whole"),
    [
        ([99_999] * 3, True),
        ([100_000] * 2, True),
        ([100_001], False),
        ([1, 170_000], False),
        ([170_000], False),
        ([5] * 90_000, True),
    ],
)
def test_a_line_is_passed_on_up_to_its_bound(tmp_path: Path, sizes: list[int], whole: bool) -> None:
    """What is within the bound arrives as it was; of what is not, nothing is kept."""
    text = b"".join(b"x" * size + b"\n" for size in sizes)
    (tmp_path / "from").write_bytes(text)
    with (tmp_path / "from").open("rb") as source, (tmp_path / "to").open("wb") as target:
        assert pass_on(source.fileno(), target.fileno(), 100_000) is whole
    assert ((tmp_path / "to").read_bytes() == text) is whole


class _Far(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sent = 0

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "id" not in asked:
            self._plain(202, b"")
        elif asked["method"] == "initialize":
            version = asked["params"]["protocolVersion"]
            about = {"serverInfo": {"name": "far", "version": "1"}, "capabilities": {"tools": {}}}
            self._result(asked, {"protocolVersion": version, **about})
        elif asked["method"] == "tools/list":
            names = ("endless", "packed")
            self._result(asked, {"tools": [{"name": n, "inputSchema": {"type": "object"}} for n in names]})
        elif asked["method"] == "tools/call" and asked["params"]["name"] == "packed":
            text = {"content": [{"type": "text", "text": "x" * 100_000_000}]}
            body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": text}).encode()
            self._plain(200, gzip.compress(body, 1), **{"Content-Encoding": "gzip"})
        elif asked["method"] == "tools/call":
            self._endless()
        else:
            self._plain(404, b"")

    def _result(self, asked: dict[str, Any], result: dict[str, Any]) -> None:
        self._plain(200, json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode())

    def _plain(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _endless(self) -> None:
        self._headers_of_a_body_without_length()
        try:
            for _ in range(16_384):
                self.wfile.write(b" " * 65_536)
                _Far.sent += 65_536
        except OSError:
            self.close_connection = True

    def _headers_of_a_body_without_length(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()

    def do_GET(self) -> None:
        self._plain(405, b"")

    def do_DELETE(self) -> None:
        self._plain(405, b"")

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def _served() -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Far)
    Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/mcp"
    finally:
        http.shutdown()
        http.server_close()


async def test_a_body_without_a_bound_is_not_read_on(tmp_path: Path) -> None:
    """Nobody knows what such a call did, so it is told as unanswered, never as not made; the server stays."""
    with _served() as url:
        async with running(tmp_path, far={"url": url}) as servers:
            tools = named(servers)
            for tool, why in (("endless", "as one message"), ("packed", "compressed")):
                with pytest.raises(Unanswered, match=why):
                    await servers.call(tools[f"far__{tool}"], {})
            assert servers.states()[0].condition == "ready"
    assert _Far.sent < 2 * bounds.LONGEST + 4 * 2**20
