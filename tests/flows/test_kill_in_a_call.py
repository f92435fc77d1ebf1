"""kill -9 at each point of a call to the world outside: a server that counts saw it at most once, and all who
need to know hear of it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.events import AgentSpoke, OutsideCalled, TaskEnded
from tests.flows.dying_caller import KILLED, engine_at, play
from tests.flows.fork_server import ForkServer
from tests.flows.test_connectors import git, repository

__all__ = ["repository"]  # the fixture

COUNTER = str(Path(__file__).with_name("counter_server.py"))
MORE = pytest.mark.soak
CASES = [
    pytest.param("allow", "written", 0, "unknown", marks=MORE),
    ("allow", "called", 1, "unknown"),
    pytest.param("allow", "kept", 1, "done", marks=MORE),
    pytest.param("ask", "approved", 1, "done", marks=MORE),
    pytest.param("ask", "written", 0, "unknown", marks=MORE),
    ("ask", "called", 1, "unknown"),
    pytest.param("ask", "told", 1, "done", marks=MORE),
]
"""Policy, where the engine is killed, how often the server counted, and what people are told."""


def prepare(folder: Path, policy: str) -> Path:
    """The file in which the server counts."""
    counted = folder / "counted"
    entry = {"command": sys.executable, "args": ["-I", "-S", COUNTER, str(counted)]}
    ours = {"policy": {"add": policy}}
    text = json.dumps({"mcpServers": {"counter": {**entry, "megaagent": ours}}})
    (folder / "mcp.json").write_text(text)
    return counted


async def killed(processes: ForkServer, folder: Path, tool: str, point: str) -> None:
    """Run an engine until it is killed at the point; its server ends with it."""
    code, said = await processes.run("dying_caller", str(folder), tool, point, output=folder / "output")
    assert code == KILLED, said


def lines(path: Path) -> int:
    """How many lines a file has, 0 if there is none."""
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.mark.parametrize(("policy", "point", "times", "end"), CASES)
async def test_a_call_that_changes_something_is_never_repeated(
    processes: ForkServer, home: Path, policy: str, point: str, times: int, end: str
) -> None:
    """After the restart the agent hears what became of it, people see it once, and the task goes on."""
    counted = prepare(home, policy)
    await killed(processes, home, "add", point)
    async with engine_at(home, "add") as opened:
        async with asyncio.timeout(60):
            seen = await play(opened)
    assert lines(counted) == times
    assert [body.end for body in seen if isinstance(body, OutsideCalled)] == [end]
    assert isinstance(seen[-1], TaskEnded) and seen[-1].report == "Heard."
    assert sum(isinstance(body, AgentSpoke) and body.text == "Now I call." for body in seen) == 1
    await _no_server_left(str(counted))


@MORE
@pytest.mark.parametrize("point", ["written", "called"])
async def test_a_call_that_only_reads_is_made_again(processes: ForkServer, home: Path, point: str) -> None:
    """Nobody has to hear that it was lost."""
    counted = prepare(home, "allow")
    await killed(processes, home, "look", point)
    async with engine_at(home, "look") as opened:
        async with asyncio.timeout(60):
            seen: list[Any] = await play(opened)
    assert lines(Path(f"{counted}.looks")) == (1 if point == "written" else 2)
    assert [body.end for body in seen if isinstance(body, OutsideCalled)] == ["done"]
    await _no_server_left(str(counted))


@MORE
@pytest.mark.parametrize(("point", "commits"), [("written", "1"), ("called", "2"), ("kept", "2")])
async def test_a_commit_of_a_real_server_is_never_repeated(
    processes: ForkServer, home: Path, repository: Path, point: str, commits: str
) -> None:
    """The same with mcp-server-git, which counts by its history; the change that waits stays what it was."""
    entry = {"command": sys.executable, "args": ["-m", "mcp_server_git", "--repository", str(repository)]}
    ours = {"megaagent": {"policy": {"git_commit": "allow"}}}
    (home / "mcp.json").write_text(json.dumps({"mcpServers": {"git": {**entry, **ours}}}))
    await killed(processes, home, str(repository), point)
    async with engine_at(home, str(repository)) as opened:
        async with asyncio.timeout(90):
            seen = await play(opened)
    assert git(repository, "rev-list", "--count", "HEAD") == commits
    told = [body.end for body in seen if isinstance(body, OutsideCalled)]
    assert told == ["done" if point == "kept" else "unknown"]
    await _no_server_left(str(repository))


async def _no_server_left(mark: str) -> None:
    """Every server that either engine started is gone, although one engine was killed."""
    async with asyncio.timeout(60):
        while _living(mark):  # noqa: ASYNC110 - other processes are what is waited for
            await asyncio.sleep(0.05)


def _living(mark: str) -> bool:
    return any(_has(folder, mark) for folder in Path("/proc").iterdir())


def _has(folder: Path, mark: str) -> bool:
    try:
        return folder.name.isdecimal() and mark.encode() in (folder / "cmdline").read_bytes()
    except OSError:
        return False
