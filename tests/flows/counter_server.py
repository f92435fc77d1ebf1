"""A small MCP server that counts what it did in a file: `python counter_server.py FILE`.

Standard library only. `add` appends a line to the file; `look` returns them, and is counted in `FILE.looks`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FILE = Path(sys.argv[1])
LOOKS = Path(f"{sys.argv[1]}.looks")
ITEM = {"type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]}
TOOLS = [
    {"name": "add", "description": "Add an item.", "inputSchema": ITEM},
    {"name": "look", "description": "Look.", "inputSchema": ITEM, "annotations": {"readOnlyHint": True}},
]


def append(path: Path, line: str) -> None:
    """Write a line and keep it whatever happens next."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a request, None for a method that this server does not have."""
    if method == "initialize":
        info = {"name": "counter", "version": "1"}
        version = params.get("protocolVersion", "2025-06-18")
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        item = params["arguments"]["item"]
        append(FILE if params["name"] == "add" else LOOKS, item)
        text = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
        return {"content": [{"type": "text", "text": f"{params['name']}: {text}"}]}
    return None


def main() -> None:
    """Serve until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        result = answer(request["method"], request.get("params") or {})
        missing = {"code": -32601, "message": "Method not found"}
        said = {"error": missing} if result is None else {"result": result}
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **said}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
