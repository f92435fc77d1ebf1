"""All MCP servers of one process (`engine.ports.OutsideServers`)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.connectors.mcp.callback import Callback, listening_at
from engine.connectors.mcp.config import ServerConfig
from engine.connectors.mcp.server import McpServer
from engine.connectors.mcp.signin import SignIns, preset_client
from engine.connectors.mcp.signin_store import KeptSignIn
from engine.connectors.mcp.tools import told_apart
from engine.errors import NotFound, NotSent
from engine.ports import Clock, Database, OutsideAnswer, OutsideTool, Record, ServerState, SignInLink

REDIRECT = "http://127.0.0.1:8767/signed-in"
"""The usual address that sign-ins send people back to."""


class McpServers:
    """The servers that `mcp.json` names. `folder`: where each gets a folder of its own to work in; `kept_in`:
    where sign-ins are kept, for all processes.

    `redirect`: the address to which sign-ins send people back; `listen`: where it is answered (host:port), by
    itself only where it is this machine. Raises ValueError for one that cannot be read.
    """

    def __init__(
        self,
        configs: Sequence[ServerConfig],
        folder: Path,
        kept_in: tuple[Database, Clock],
        redirect: str = REDIRECT,
        listen: str = "",
    ) -> None:
        def server(config: ServerConfig) -> McpServer:
            addresses = (config.entry.url, redirect)
            kept = KeptSignIn(*kept_in, config.name, addresses, preset_client(config, redirect))
            return McpServer(config, folder / _folder(config.name), redirect, kept)

        self._servers = {config.name: server(config) for config in configs}
        self._sign_ins = SignIns(redirect)
        self._callback = Callback(self._sign_ins, listening_at(redirect, listen))

    def tools(self) -> Sequence[OutsideTool]:
        """See `OutsideServers.tools`."""
        return told_apart(tool for server in self._servers.values() for tool in server.tools)

    def states(self) -> Sequence[ServerState]:
        """See `OutsideServers.states`."""
        return [server.state for server in self._servers.values()]

    async def call(self, tool: OutsideTool, arguments: Mapping[str, Any]) -> OutsideAnswer:
        """See `OutsideServers.call`."""
        server = self._servers.get(tool.server)
        if server is None:
            raise NotSent(f"There is no server {tool.server} any more. Do without it.")
        return await server.call(tool, arguments)

    async def begin_sign_in(
        self, server: str, by: str, may: Callable[[], Awaitable[bool]], record: Record
    ) -> SignInLink:
        """See `SignsIn.begin_sign_in`."""
        found = self._servers.get(server)
        if found is None or not found.config.may_sign_in:
            raise NotFound(f"There is no server {server} to sign in to.", "Look at /tools again.")
        kept = found.sign_in.recorded(record)
        return await self._sign_ins.begin(found.config, kept, by, may, found.connect_again)

    async def finish_sign_in(self, address: str, by: str) -> str:
        """See `SignsIn.finish_sign_in`."""
        return await self._sign_ins.finish(address, by)

    async def sign_out(self, server: str, record: Record) -> None:
        """See `SignsIn.sign_out`."""
        found = self._servers[server]
        await found.sign_in.forget(record)
        found.connect_again()

    async def start(self) -> None:
        """See `OutsideServers.start`."""
        for server in self._servers.values():
            server.start()

    async def close(self) -> None:
        """See `OutsideServers.close`."""
        await self._sign_ins.close()
        await self._callback.close()
        await asyncio.gather(*(server.close() for server in self._servers.values()))


def _folder(name: str) -> str:
    plain = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
