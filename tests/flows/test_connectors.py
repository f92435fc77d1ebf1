"""Tools of programs nobody here wrote, used by a whole task through Discord: rights, gates, sources, ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.app.bootstrap import RunningBot
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import OUTSIDE_CALLS
from tests.flows.conftest import Start
from tests.flows.test_task_on_discord import PATIENCE_S, command, ended, messages, post_with

COUNTER = str(Path(__file__).with_name("counter_server.py"))
REPORT = "The history is read, the change is committed."


def git(repository: Path, *arguments: str) -> str:
    """Run git in a repository."""
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, and a change that waits for the next."""
    made = tmp_path / "repository"
    made.mkdir()
    git(made, "init", "-q")
    git(made, "config", "user.email", "somebody@example.org")
    git(made, "config", "user.name", "Somebody")
    for text in ("one", "two"):
        (made / "notes.txt").write_text(text)
        git(made, "add", "notes.txt")
        if text == "one":
            git(made, "commit", "-q", "-m", "The first commit")
    return made


def config(path: Path, **servers: dict[str, Any]) -> Path:
    """An `mcp.json` with these servers."""
    path.write_text(json.dumps({"mcpServers": servers}))
    return path


def module(name: str, *arguments: str, **more: Any) -> dict[str, Any]:
    """The entry of a server that is a Python module."""
    return {"command": sys.executable, "args": ["-m", name, *arguments], **more}


def committer(repository: Path) -> Callable[[ChatRequest], ChatAnswer]:
    """A boss that reads the history, commits what is staged, and finishes when it hears of the commit."""
    where = {"repo_path": str(repository)}

    def script(request: ChatRequest) -> ChatAnswer:
        last = request.messages[-1].content
        if "your call" in last and "it was made" in last:
            return call(("finish", {"report": REPORT, "deliverables": []}))
        if "git_log of git" in last:
            return call(("git__git_commit", {**where, "message": "By the agents"}))
        if not any(message.role == "assistant" for message in request.messages):
            return call(("git__git_log", where))
        return say("I wait for the people.")

    return script


async def test_a_commit_is_made_once_somebody_who_may_has_allowed_it(
    start: Start, repository: Path, tmp_path: Path
) -> None:
    """Reading goes at once; the commit asks, shows exactly its arguments, and obeys the rights of people."""
    servers = config(tmp_path / "mcp.json", git=module("mcp_server_git", "--repository", str(repository)))
    async with start(committer(repository), mcp_config=servers) as product:
        local = product.local
        assert local is not None
        await command(product, "task new", goal="Commit what waits.")
        asks = await post_with(product, "May I call **git")
        assert (
            json.dumps(str(repository)) in asks["content"] and '"message": "By the agents"' in asks["content"]
        )
        assert git(repository, "rev-list", "--count", "HEAD") == "1"
        await local.guest.click(asks, "Allow this call")
        await local.guest.sees(asks["channel_id"], "not allowed to answer questions", within=PATIENCE_S)
        role = await local.you.create_role("approvers")
        await local.you.give_role(local.guest.id, role)
        await command(product, "setup", approve=str(role))
        await local.guest.click(asks, "Allow for this task")
        await local.guest.sees(asks["channel_id"], "not allowed to raise caps", within=PATIENCE_S)
        assert git(repository, "rev-list", "--count", "HEAD") == "1"
        await local.guest.click(asks, "Allow this call")
        await ended(product)
        assert git(repository, "log", "-1", "--format=%s") == "By the agents"
        assert git(repository, "rev-list", "--count", "HEAD") == "2"
        sourced = [str(m) for m in messages(product) if "Outside sources read before: git" in str(m)]
        assert any(REPORT in each for each in sourced)
        listed = await command(product, "tools")
        assert "**git**" in listed.text and "git\\_commit: asks a person first" in listed.text
        made = sa.select(OUTSIDE_CALLS).order_by(OUTSIDE_CALLS.c.id)
        (row,) = await product.engine.database.read(lambda c: c.execute(made).all()[1:])
        assert (row.state, row.tool, row.standing) == ("done", "git_commit", False)
    assert _left_of(str(repository)) == []


def _left_of(mark: str) -> list[str]:
    """Command lines of living processes that hold a text."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            found += [line] if mark in line else []
    return found


async def test_a_server_that_dies_is_started_again_and_a_wrong_one_is_named(
    start: Start, tmp_path: Path
) -> None:
    """The task goes on; managers read in /tools and /doctor what is wrong, without any secret."""
    kept = tmp_path / "kept"
    servers = config(
        tmp_path / "mcp.json",
        counter={"command": sys.executable, "args": [COUNTER, str(kept)]},
        absent={"command": "no-such-program", "env": {"TOKEN": "very-secret-token-1"}},
        unset={"command": "x", "env": {"KEY": "${NOT_SET_ANYWHERE}"}},
    )

    def script(request: ChatRequest) -> ChatAnswer:
        made = sum(message.role == "assistant" for message in request.messages)
        if made < 2:
            return call(("counter__look", {"item": str(made)}))
        return call(("finish", {"report": "Looked twice.", "deliverables": []}))

    async with start(script, mcp_config=servers) as product:
        listed = await _settled(product)
        assert "**absent** is not connected" in listed and "no-such-program" in listed
        assert "**unset** cannot be used" in listed and "NOT\\_SET\\_ANYWHERE is not set" in listed
        assert "very-secret" not in listed
        for pid in _pids_of(str(kept)):
            os.kill(pid, 9)
        await command(product, "task new", goal="Look twice.")
        await ended(product)
        assert _text(f"{kept}.looks") == "0\n1\n"
        checked = await command(product, "doctor")
        assert "**absent** not connected" in checked.text
        assert any("called counter: look" in str(message) for message in messages(product))
    assert _left_of(str(kept)) == []


def _text(path: str) -> str:
    return Path(path).read_text()


async def _settled(product: RunningBot) -> str:
    """What /tools says once no server is starting."""
    outside = product.engine.outside
    assert outside is not None
    while any(state.condition == "starting" for state in outside.states()):
        await product.engine.engine._parts.clock.sleep(0.05)
    return (await command(product, "tools")).text


def _pids_of(mark: str) -> list[int]:
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdecimal() and mark.encode() in _command_line(folder)
    ]


def _command_line(folder: Path) -> bytes:
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:  # any process of this machine may end meanwhile
        return b""
