"""A small task is served beside a large one, and people's messages go ahead of everything else."""

from __future__ import annotations

import asyncio

from engine.commands import StartTask
from engine.events import AgentSpoke
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest, Wake
from engine.runtime.dispatch import TurnQueue
from tests.contracts.conftest import World

SLOTS = 8


def test_tasks_are_served_in_turn_whatever_their_size() -> None:
    """Two agents of a small task come out among the first four, however many wait of the large one."""
    queue = TurnQueue()
    for agent in range(100):
        queue.push(Wake(agent, 1))
    queue.push(Wake(901, 2))
    queue.push(Wake(902, 2))
    first = [queue.pop().task_id for _ in range(4)]
    assert first.count(2) == 2


def test_a_persons_message_goes_ahead_within_its_task() -> None:
    """Priority 0 passes those who came earlier; a second wake-up only raises, never lowers."""
    queue = TurnQueue()
    for agent in (1, 2, 3):
        queue.push(Wake(agent, 1))
    queue.push(Wake(3, 1, 0))
    queue.push(Wake(3, 1, 5))
    assert [queue.pop().agent_id for _ in range(3)] == [3, 1, 2]


async def test_a_large_task_that_fills_every_place_leaves_some_to_a_small_one(world: World) -> None:
    """While as many calls of one task as there are places wait for their answers, another task begins."""
    calling: set[int] = set()
    answer = asyncio.Event()

    async def script(request: ChatRequest) -> ChatAnswer:
        if request.role == "member":
            calling.add(request.agent_id)
            await answer.wait()
            return say("Here is my part.")
        if request.task_id != large:
            return say("A question answered.")
        if request.messages[-1].role == "tool":
            return say("They work.")
        crew = [{"name": f"W{n}", "role": "writer", "instructions": "write"} for n in range(3 * SLOTS)]
        begin = ("send_message", {"to": ["group"], "text": "Begin.", "wait": True})
        return call(("recruit", {"members": crew}), begin)

    large = 1
    engine = await world.start(script, slots=SLOTS)
    assert await engine.handle(StartTask("a long one", "me", "here")) == large

    async def full() -> bool:
        return len(calling) >= SLOTS

    await world.until(full)
    small = await engine.handle(StartTask("a short one", "me", "here"))
    async with asyncio.timeout(60):
        async for event in engine.events():
            if isinstance(event.body, AgentSpoke) and event.body.task_id == small:
                break
    assert not answer.is_set()
    answer.set()
