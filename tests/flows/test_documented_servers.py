"""The worked examples of docs/connectors.md, literally: real servers, a stand-in for GitHub, whole tasks."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.connectors.mcp.config import load_servers
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from tests.fakes.web import loopback_web
from tests.flows.conftest import Start
from tests.flows.test_connectors import config, git
from tests.flows.test_task_on_discord import command, ended, messages, post_with

DOCUMENT = Path(__file__).parents[2] / "docs" / "connectors.md"
CODE_HOST = Path(__file__).with_name("code_host_server.py")
TOKEN = "github_pat_" + "11NOTREAL" * 3


def examples() -> list[dict[str, Any]]:
    """The servers of each example, in their order."""
    blocks = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.S)
    return [json.loads(block)["mcpServers"] for block in blocks if "mcpServers" in block]


def programs(folder: Path, kept: Path) -> Path:
    """A folder with the programs that the examples start: `uvx` for what is installed, `docker`."""
    folder.mkdir()
    for name, line in {
        "uvx": f'#!/bin/sh\nm=$(echo "$1" | tr - _); shift; exec {sys.executable} -m "$m" "$@"\n',
        "docker": f'#!/bin/sh\nexec {sys.executable} {CODE_HOST} {kept} "$@"\n',
    }.items():
        (folder / name).write_text(line)
        (folder / name).chmod(0o755)
    return folder


def a_repository(folder: Path) -> Path:
    """A repository with one commit."""
    folder.mkdir()
    git(folder, "init", "-q")
    who = ("-c", "user.email=somebody@example.org", "-c", "user.name=Somebody")
    git(folder, *who, "commit", "-q", "--allow-empty", "-m", "The first commit")
    return folder


async def test_the_worked_examples_work(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As written, but for addresses of this machine: every tool and policy is there, nobody reads the token.

    An issue is closed once a person allowed it, the log is read, a page that people named is fetched.
    """
    kept, steps, repository = tmp_path / "kept", iter(range(9)), a_repository(tmp_path / "site")
    monkeypatch.setenv("PATH", f"{programs(tmp_path / 'bin', kept)}:{os.environ['PATH']}")
    monkeypatch.setenv("GITHUB_PAT", TOKEN)
    github, _hosted, second, third = examples()
    servers: dict[str, Any] = {**github, **second, "fetch": third["fetch"]}
    servers["site"]["args"][-1:] = [str(repository)]
    servers["fetch"]["args"].append("--allow-private-ips")  # the page is on this machine
    del servers["github"]["megaagent"]["guilds"]
    where, issue = {"repo_path": str(repository)}, {"owner": "example", "repo": "shop"}
    async with loopback_web("127.0.0.1") as sites:
        page = sites.page("127.0.0.1/notes", "Water at eighty degrees.", "text/plain")
        closed = {"method": "update", **issue, "issue_number": 7, "state": "closed"}
        calls = [
            call(("github__list_issues", issue), ("site__git_log", where), ("fetch__fetch", {"url": page})),
            call(("github__issue_write", closed)),
        ]

        def script(request: ChatRequest) -> ChatAnswer:
            if "it was made" in request.messages[-1].content:
                return call(("finish", {"report": "Closed the oldest.", "deliverables": []}))
            number = next(steps)
            return calls[number] if number < len(calls) else say("I wait for the people.")

        async with start(script, mcp_config=config(tmp_path / "mcp.json", **servers), web=False) as product:
            outside, local = product.engine.outside, product.local
            assert outside is not None and local is not None
            await outside.settled()
            assert {(one.name, one.condition, one.detail) for one in outside.states()} == {
                (name, "ready", "") for name in ("github", "site", "fetch")
            }
            policies = {tool.name: dict(tool.policies) for tool in outside.all_tools()}
            assert policies["github__issue_write"] == {"boss": "ask", "head": "deny", "member": "deny"}
            assert (
                policies["github__merge_pull_request"]["boss"]
                == policies["site__git_reset"]["boss"]
                == "deny"
            )
            await command(product, "task new", goal=f"Find the oldest bugs, and read {page}.")
            asks = await post_with(product, "Allow this call")
            assert not kept.exists() and '"issue_number": 7' in str(asks)
            await local.you.click(asks, "Allow this call")
            await ended(product)
            assert kept.read_text() == "update example/shop#7 closed\n"
            read = str(messages(product))
            assert "Outside sources read before" in read and TOKEN not in read
        assert "127.0.0.1/notes" in sites.pages_asked()
    assert git(repository, "rev-list", "--count", "HEAD") == "1"


def test_each_example_is_a_file_that_can_be_read(tmp_path: Path) -> None:
    """As it stands, with what it names in `.env`: no entry has a problem, also the two at addresses."""
    for example in examples():
        servers = load_servers(
            config(tmp_path / "mcp.json", **example), {"GITHUB_PAT": TOKEN, "SEARCH_KEY": "k"}
        )
        assert {one.name for one in servers} == set(example) and not [
            one.problem for one in servers if one.problem
        ]
    assert len(examples()) == 4
