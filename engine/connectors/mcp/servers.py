"""All MCP servers of one process (`engine.ports.OutsideServers`)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.connectors.mcp.config import ServerConfig
from engine.connectors.mcp.server import McpServer
from engine.errors import NotSent
from engine.ports import OutsideAnswer, OutsideTool, ServerState


class McpServers:
    """The servers that `mcp.json` names. `folder`: where each gets a folder of its own to work in."""

    def __init__(self, configs: Sequence[ServerConfig], folder: Path) -> None:
        self._servers = {config.name: McpServer(config, folder / _folder(config.name)) for config in configs}

    def tools(self) -> Sequence[OutsideTool]:
        """See `OutsideServers.tools`."""
        return [tool for server in self._servers.values() for tool in server.tools]

    def states(self) -> Sequence[ServerState]:
        """See `OutsideServers.states`."""
        return [server.state for server in self._servers.values()]

    async def call(self, tool: OutsideTool, arguments: Mapping[str, Any]) -> OutsideAnswer:
        """See `OutsideServers.call`."""
        server = self._servers.get(tool.server)
        if server is None:
            raise NotSent(f"There is no server {tool.server} any more. Do without it.")
        return await server.call(tool, arguments)

    async def start(self) -> None:
        """See `OutsideServers.start`."""
        for server in self._servers.values():
            server.start()

    async def close(self) -> None:
        """See `OutsideServers.close`."""
        await asyncio.gather(*(server.close() for server in self._servers.values()))


def _folder(name: str) -> str:
    plain = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
