"""Live MCP servers over both transports: what they get, what agents may call, how they end."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bot.features.tools.listing import doctor_lines
from engine import open_database
from engine.connectors.mcp.config import load_servers
from engine.connectors.mcp.servers import McpServers
from engine.errors import NotSent
from engine.ports import Database, OutsideTool
from engine.runtime.clock import SystemClock
from tests.engine.connectors import mcp_server
from tests.fakes.parts import make_tables

SAMPLE = str(mcp_server.__file__)
PATIENCE_S = 60.0


@asynccontextmanager
async def running(folder: Path, **servers: Mapping[str, Any]) -> AsyncIterator[McpServers]:
    """Servers that have settled."""
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    db = database(folder)
    made = McpServers(load_servers(path, {}), folder / "mcp", (db, SystemClock()))
    await made.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while any(s.condition == "starting" for s in made.states()):  # noqa: ASYNC110 - programs start
                await asyncio.sleep(0.05)
        yield made
    finally:
        await made.close()
        await db.close()


def database(folder: Path) -> Database:
    """The database of an installation in this folder, new or as it was left."""
    url = f"sqlite:///{folder / 'kept.db'}"
    make_tables(url)
    return open_database(url)


def named(servers: McpServers) -> dict[str, OutsideTool]:
    """Tools by name."""
    return {tool.name: tool for tool in servers.tools()}


async def test_a_program_gets_no_secret_and_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its environment is what its entry names; tools, resources, prompts are called; errors are answers."""
    monkeypatch.setenv("DISCORD_TOKEN", "a.b.c")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    entry = {"command": sys.executable, "args": [SAMPLE], "env": {"OF_ITS_OWN": "1"}}
    async with running(tmp_path, sample=entry) as servers:
        tools = named(servers)
        assert set(tools) == {
            f"sample__{name}"
            for name in ("environment", "fail", "list_resources", "read_resource", "get_prompt")
        }
        assert tools["sample__environment"].policies["member"] == "allow"
        assert tools["sample__fail"].policies["member"] == "ask"
        seen = (await servers.call(tools["sample__environment"], {})).text.split("\n")
        assert "OF_ITS_OWN" in seen and not {"DISCORD_TOKEN", "OPENAI_API_KEY"} & set(seen)
        assert f"cwd={tmp_path / 'mcp'}" in seen[-1]
        failed = await servers.call(tools["sample__fail"], {"item": "tea"})
        assert failed.failed and "cannot tea" in failed.text
        assert "sample://note" in (await servers.call(tools["sample__list_resources"], {})).text
        note = await servers.call(tools["sample__read_resource"], {"uri": "sample://note"})
        assert (note.text, note.addresses) == ("the note's text", ("sample://note",))
        broken = await servers.call(tools["sample__read_resource"], {"uri": "sample://broken/tea"})
        assert broken.failed and "answered with an error" in broken.text
        given = {"name": "greet", "arguments": {"name": "Ada"}}
        greeting = await servers.call(tools["sample__get_prompt"], given)
        assert "Greet Ada." in greeting.text


async def test_a_name_in_its_policy_that_is_no_tool_is_told(tmp_path: Path) -> None:
    """A server renames a tool, and a denial would hold for nothing; a pattern may wait for a tool to come."""
    ours = {"policy": {"erase": "deny", "fail": "deny", "delete_*": "deny"}, "price_usd": {"greet": 1}}
    entry = {"command": sys.executable, "args": [SAMPLE], "megaagent": ours}
    async with running(tmp_path, sample=entry) as servers:
        (state,) = servers.states()
        assert state.condition == "ready" and "does not have" in state.detail
        assert ": erase, greet. " in state.detail and "delete" not in state.detail
    assert any("erase" in line for line in doctor_lines([state]))


async def test_a_server_over_http_is_called(tmp_path: Path) -> None:
    """Its tools are listed and its answers, errors included, come back."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, SAMPLE, str(port), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await _listens(port):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        async with running(tmp_path, far={"url": f"http://127.0.0.1:{port}/mcp"}) as servers:
            failed = await servers.call(named(servers)["far__fail"], {"item": "tea"})
            assert failed.failed and "cannot tea" in failed.text
    finally:
        process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


class _Locked(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


async def test_a_server_that_asks_for_a_sign_in_says_so(tmp_path: Path) -> None:
    """Its state names the next step; a call was not sent."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Locked)
    Thread(target=http.serve_forever, daemon=True).start()
    try:
        async with running(tmp_path, locked={"url": f"http://127.0.0.1:{http.server_port}/mcp"}) as servers:
            (state,) = servers.states()
            assert state.condition == "needs_sign_in" and "headers" in state.detail
            tool = OutsideTool("locked__x", "locked", "x", "", {"type": "object"}, {})
            with pytest.raises(NotSent):
                await servers.call(tool, {})
    finally:
        http.shutdown()
        http.server_close()
