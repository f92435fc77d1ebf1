"""An MCP server that keeps no bound: `python unbounded_server.py COUNT_FILE`. It imports nothing of ours.

Its tool `line` writes a line without an end and notes how many bytes it got rid of, `stray` writes lines that
are no messages, `large` answers with a message of 4 MB.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

COUNT = Path(sys.argv[1])
READS = {"readOnlyHint": True}


def answer(asked: dict[str, Any], result: dict[str, Any]) -> None:
    """Write one message."""
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)  # noqa: T201


def misbehave(asked: dict[str, Any]) -> None:
    """Do what the tool is for."""
    match asked["params"]["name"]:
        case "line":
            for number in range(16_384):
                os.write(1, b"x" * 65_536)
                fresh = COUNT.with_suffix(
                    ".new"
                )  # put in place as a whole: this program is killed at any time
                fresh.write_text(str((number + 1) * 65_536))
                fresh.replace(COUNT)
        case "stray":
            for _ in range(5_000):
                os.write(1, b"Loading the model, please wait\n")
        case _:
            answer(asked, {"content": [{"type": "text", "text": "x" * 4_000_000}], "isError": False})


for line in sys.stdin:
    request = json.loads(line)
    match request["method"]:
        case "initialize":
            said = {
                "protocolVersion": request["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "unbounded", "version": "1"},
            }
            answer(request, said)
        case "tools/list":
            shape = {"inputSchema": {"type": "object"}, "annotations": READS}
            answer(request, {"tools": [{"name": name, **shape} for name in ("line", "stray", "large")]})
        case "tools/call":
            misbehave(request)
        case method if "id" in request:
            error = {"code": -32601, "message": f"no {method}"}
            print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}), flush=True)  # noqa: T201
