"""A stand-in for GitHub's MCP server, in its wire form: `python code_host_server.py KEPT [ARGUMENT …]`.

Names, annotations and arguments of its tools are those of the real one; it refuses to start without the token
in the variable that the real one reads. What is changed is appended to KEPT.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp.types import ToolAnnotations

KEPT = Path(sys.argv[1])
READS = ToolAnnotations(read_only_hint=True)
server = MCPServer("github-mcp-server")


@server.tool(annotations=READS)
def list_issues(owner: str, repo: str, state: str = "OPEN", orderBy: str = "", direction: str = "") -> str:  # noqa: N803
    """List issues in a GitHub repository."""
    issues = [{"number": number, "title": f"Tea is cold {number}", "state": state} for number in (7, 8, 9)]
    return json.dumps({"issues": issues, "totalCount": 3, "repository": f"{owner}/{repo}"})


@server.tool(annotations=ToolAnnotations(title="Create or update issue/pull request"))
def issue_write(method: str, owner: str, repo: str, issue_number: int = 0, state: str = "") -> str:
    """Create a new or update an existing issue in a GitHub repository."""
    with KEPT.open("a") as file:
        file.write(f"{method} {owner}/{repo}#{issue_number} {state}\n")
    return json.dumps({"id": "1", "url": f"https://github.com/{owner}/{repo}/issues/{issue_number}"})


@server.tool(annotations=ToolAnnotations(title="Merge pull request"))
def merge_pull_request(owner: str, repo: str, pullNumber: int) -> str:  # noqa: N803
    """Merge a pull request in a GitHub repository."""
    with KEPT.open("a") as file:
        file.write(f"merge {owner}/{repo}#{pullNumber}\n")
    return "{}"


if __name__ == "__main__":
    assert sys.argv[2:] == [
        *("run", "-i", "--rm", "-e", "GITHUB_PERSONAL_ACCESS_TOKEN", "ghcr.io/github/github-mcp-server")
    ], sys.argv
    assert os.environ["GITHUB_PERSONAL_ACCESS_TOKEN"].startswith("github_pat_")
    server.run()
