"""The servers of tools in a process of their own, as a worker has them.

`other_process.py URL MCP_JSON REDIRECT` answers lines: `state` with the state of its first server, `look …`
with what that tool says.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from engine import open_database
from engine.connectors.mcp import server
from engine.connectors.mcp.config import load_servers
from engine.connectors.mcp.servers import McpServers
from engine.errors import EngineError
from engine.ports import OutsideTool
from engine.runtime.clock import SystemClock

LOOK = OutsideTool("guarded__look", "guarded", "look", "", {"type": "object"}, {})


async def main(url: str, config: Path, redirect: str) -> None:
    """Answer until the input ends."""
    db = open_database(url)
    servers = McpServers(load_servers(config, {}), config.with_name("other"), (db, SystemClock()), redirect)
    server.LOOK_S = 0.1
    await servers.start()
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            word, _, item = line.strip().partition(" ")
            state = servers.states()[0]
            if word == "look":
                try:
                    said = (await servers.call(LOOK, {"item": item})).text
                except EngineError as error:
                    said = f"{type(error).__name__} {error}"
            else:
                said = f"{state.condition} {state.signs_in} {state.signed_in}"
            print(said, flush=True)  # noqa: T201
    finally:
        await servers.close()
        await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
