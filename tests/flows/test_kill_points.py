"""kill -9 at each write of a start and before and after each notification: nothing lost, nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.local import LocalDiscord, LocalOptions
from tests.flows.dying_product import CONTINUE, CONTINUING, FOLLOWER, GO_ON, KILLED, POINTS
from tests.flows.fork_server import ForkServer


async def shown(folder: Path) -> list[dict[str, Any]]:
    """Everything on Discord."""
    local = LocalDiscord(LocalOptions(data=folder / "discord"))
    await local.start()
    try:
        readable = [c for c in local.you.channels() if c["type"] in (0, 11)]
        return [m for c in readable for m in local.you.history(c)]
    finally:
        await local.stop()


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_point_nothing_is_lost_or_doubled(
    processes: ForkServer, home: Path, point: str
) -> None:
    """One card that shows the end, one opening, one question without buttons, each ping once."""
    for dies, end in ((point, KILLED), ("", 0)):
        code, said = await processes.run("dying_product", str(home), dies, output=home / "output")
        assert code == end, said
    messages = await shown(home)
    cards = [m for m in messages if "Task #1" in str(m["components"])]
    assert len(cards) == 1 and "task:stop:1" not in str(cards[0]["components"])
    assert sum("is reading the goal" in m["content"] for m in messages) == 1
    pings = [m["content"] for m in messages if f"<@{FOLLOWER}>" in m["content"]]
    (question,) = [m for m in messages if "Which wood?" in m["content"] and m["content"] not in pings]
    assert not question["components"]
    assert sum(text.count("Which wood?") for text in pings) == 1
    assert sum("#1" in text for text in pings) == 1


@pytest.mark.parametrize("point", CONTINUING)
async def test_killed_while_a_task_is_continued_it_is_continued_once(
    processes: ForkServer, home: Path, point: str
) -> None:
    """What the person adds is said once, one note, one more end; nothing of it before the commit."""
    for dies, end in ((point, KILLED), (CONTINUE, 0)):
        code, said = await processes.run("dying_product", str(home), dies, output=home / "output")
        assert code == end, said
    messages = await shown(home)
    assert sum("**Continued**" in m["content"] for m in messages) == 1
    assert sum("The boat floats." in str(m["content"]) for m in messages) == 1
    assert sum("🏁 **Done.**" in m["content"] for m in messages) == 1
    cards = [m for m in messages if "Task #1" in str(m["components"])]
    assert len(cards) == 1 and "done" in str(cards[0]["components"]) and GO_ON not in str(cards)
