"""An MCP server on the official package, over standard input or HTTP: `python mcp_server.py [PORT]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

server = MCPServer("sample")
READS = ToolAnnotations(read_only_hint=True)


@server.tool(annotations=READS)
def environment() -> str:
    """Return the names of this process's environment, its folder and its parent."""
    return "\n".join([*sorted(os.environ), f"cwd={Path.cwd()}"])


@server.tool()
def fail(item: str) -> str:
    """Fail."""
    raise ToolError(f"cannot {item}")


@server.resource("sample://note")
def note() -> str:
    """A note."""
    return "the note's text"


@server.resource("sample://broken/{name}")
def broken(name: str) -> str:
    """A resource that cannot be read."""
    raise ValueError(name)


@server.prompt()
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Greet {name}."


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run(transport="streamable-http", port=int(sys.argv[1]))
    else:
        server.run(transport="stdio")
