"""Nothing a task leaves on disk can be read by other users of the machine, nor did it keep a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.flows.conftest import Start
from tests.flows.test_task_on_discord import GOAL, command, ended


def kept(folder: Path) -> Iterator[Path]:
    """Everything below a folder; the sandbox's Python is for its dropped users."""
    for path in folder.iterdir():
        if path.name == "sandbox-env" or path.is_symlink():
            continue
        yield path
        if path.is_dir():
            yield from kept(path)


async def test_all_that_is_kept_is_for_one_user(start: Start, home: Path) -> None:
    """Databases, workspaces, the local Discord: written now, or open from before."""
    old = home / "var" / "workspaces" / "9"
    old.mkdir(parents=True, mode=0o755)
    (old / "goal.md").write_text("from before")
    (old / "goal.md").chmod(0o644)
    (home / "var" / "megaagent.db").touch(0o666)
    async with start() as product:
        await command(product, "task new", goal=GOAL)
        await ended(product)
        open_now = [path for path in kept(home) if path.stat().st_mode & 0o077]
    assert open_now == []
    assert (home / "var").stat().st_mode & 0o777 == 0o700
    names = {path.name for path in kept(home)}
    assert {"megaagent.db", "discord.sqlite3", "goal.md", "HEAD"} <= names
    assert [path for path in kept(home) if path.stat().st_mode & 0o077] == []
