"""A full disk costs no call of a model and loses no work: what waits continues once there is space."""

from __future__ import annotations

import asyncio

import pytest

from engine.commands import SayToAgent, StartTask
from engine.llm.scripted import call
from engine.ports import ChatAnswer, ChatRequest
from engine.store import driver_errors
from engine.workspace import GitWorkspace
from tests.contracts.conftest import World, ended


async def test_nothing_is_asked_of_a_model_while_the_disk_is_full(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model gets no tool failure and is not called again before there is space."""
    asked: list[str] = []
    full = asyncio.Event()

    def script(request: ChatRequest) -> ChatAnswer:
        asked.append(request.messages[-1].content)
        if request.messages[-1].role != "tool":
            return call(("write_file", {"path": "a.txt", "content": "kept"}))
        return call(("finish", {"report": "done"}))

    async def no_room(self: GitWorkspace, task_id: int, content: bytes) -> str:
        full.set()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(GitWorkspace, "put", no_room)
        disk.setattr(driver_errors, "ENOUGH", 1 << 60)
        disk.setattr(driver_errors, "SETTLE_S", 1e9)
        engine = await world.start(script)
        task = await engine.handle(StartTask("g", "me", "here", attended=False))
        await asyncio.wait_for(full.wait(), 60)
        await world.until(lambda: _is(world.db.trouble))
        (boss,) = await engine.look.agents(task)
        for number in range(3):  # each wakes the boss at once
            await engine.handle(SayToAgent(boss.id, f"Go on {number}", "me", "Me", f"r{number}", {}))
            await asyncio.sleep(0.3)
        assert len(asked) == 1
        assert (await engine.look.task(task)).state == "running"
    monkeypatch.setattr(driver_errors, "SETTLE_S", 0.0)
    await world.db.write(lambda c: None)
    assert world.db.trouble == ""
    await ended(engine, task)
    assert await engine.look.read_file(task, "a.txt") == b"kept"
    assert not [words for words in asked if "failed inside" in words]


async def _is(trouble: str) -> bool:
    return bool(trouble)
