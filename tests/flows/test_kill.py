"""kill -9 in the middle of a task, repeatedly: it resumes, nothing lost, nothing twice, posts included."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from bot.local import LocalDiscord, LocalOptions
from tests.flows.fork_server import ForkServer

KILLS = 4


async def run_until(processes: ForkServer, folder: Path, seconds: float | None) -> bool:
    """Run the product; kill it after `seconds` -> True when it came to the task's end by itself."""
    output = folder / "output"
    if seconds is None:
        code, said = await processes.run("product_process", str(folder), output=output)
        assert code == 0, said
        return True
    process = await processes.start("product_process", str(folder), output=output)
    try:
        await asyncio.wait_for(process.first_line(), 60)
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        os.kill(process.pid, 9)
    return await process.wait() == 0


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.soak) for n in range(2, 7))])
async def test_killed_again_and_again_the_task_ends_as_if_nothing_had_been(
    processes: ForkServer, home: Path, seed: int
) -> None:
    """Every message consumed once, every step once, every persona's words on Discord once."""
    chance = random.Random(seed)
    over = False
    for _ in range(KILLS):
        over = over or await run_until(processes, home, chance.uniform(0.1, 1.2))
    if not over:
        assert await run_until(processes, home, None)
    _check_store(home / "var" / "megaagent.db")
    await _check_posts(home)


def _check_store(path: Path) -> None:
    connection = sqlite3.connect(path)
    rows = dict(connection.execute("SELECT state, count(*) FROM tasks GROUP BY state"))
    assert rows == {"done": 1}
    keys = [key for (key,) in connection.execute("SELECT key FROM messages")]
    assert len(keys) == len(set(keys))
    kinds = Counter(kind for (kind,) in connection.execute("SELECT kind FROM events"))
    assert kinds["TaskAccepted"] == kinds["TaskEnded"] == 1
    assert kinds["AgentJoined"] == 3
    assert kinds["FileWritten"] == 2
    assert kinds["AssignmentChanged"] == 6
    for agent, steps in connection.execute("SELECT id, fence FROM agents"):
        made = [
            s
            for (s,) in connection.execute(
                "SELECT step FROM steps WHERE agent_id = ? ORDER BY step", (agent,)
            )
        ]
        assert made == list(range(1, steps + 1))
    unread = connection.execute(
        "SELECT count(*) FROM messages WHERE consumed_step IS NULL AND wakes"
    ).fetchone()
    assert unread == (0,)
    connection.close()


async def _check_posts(folder: Path) -> None:
    local = LocalDiscord(LocalOptions(data=folder / "discord"))
    await local.start()
    try:
        person = local.you
        readable = [c for c in person.channels() if c["type"] in (0, 11)]
        posts = [m for c in readable for m in person.history(c)]
        assert sum("I split this into code and a check." in str(m) for m in posts) == 1
        ends = [m for m in posts if "add works and is checked." in str(m)]
        assert ends
        names = Counter(a["filename"] for m in posts for a in m["attachments"])
        assert names["calc.py"] == 1
    finally:
        await local.stop()
