"""The embedded dispatcher: one turn an agent at a time, places shared between tasks."""

from __future__ import annotations

import asyncio

from engine.ports import Wake
from engine.runtime.dispatch import LocalDispatcher


async def test_an_agent_woken_while_it_runs_runs_once_more_and_never_twice_at_once() -> None:
    """Wake-ups during a turn fold into one further turn after it."""
    dispatcher = LocalDispatcher(4)
    running, most, runs = 0, 0, 0
    go = asyncio.Event()

    async def turn(_agent: int) -> None:
        nonlocal running, most, runs
        running, runs = running + 1, runs + 1
        most = max(most, running)
        await go.wait()
        running -= 1

    await dispatcher.start(turn)
    dispatcher.wake([Wake(1, 1)])
    await asyncio.sleep(0)
    for _ in range(5):
        dispatcher.wake([Wake(1, 1)])
    go.set()
    async with asyncio.timeout(60):
        while dispatcher.busy:  # noqa: ASYNC110 - the dispatcher tells by its count
            await asyncio.sleep(0)
    await dispatcher.stop()
    assert (runs, most) == (2, 1)


async def test_a_turn_that_fails_is_tried_again(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """An error in a turn neither ends the dispatcher nor loses the agent."""
    monkeypatch.setattr("engine.runtime.dispatch.RETRY_S", 0.01)
    dispatcher, done, runs = LocalDispatcher(1), asyncio.Event(), 0

    async def turn(_agent: int) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("once")
        done.set()

    await dispatcher.start(turn)
    dispatcher.wake([Wake(1, 1)])
    async with asyncio.timeout(60):
        await done.wait()
    await dispatcher.stop()
    assert runs == 2


async def test_a_large_task_does_not_hold_every_place() -> None:
    """With one place, a small task's agent runs after at most one more turn of the large task."""
    dispatcher = LocalDispatcher(1)
    order: list[int] = []

    async def turn(agent: int) -> None:
        order.append(agent)
        await asyncio.sleep(0)

    await dispatcher.start(turn)
    dispatcher.wake([Wake(agent, 1) for agent in range(20)])
    dispatcher.wake([Wake(99, 2)])
    async with asyncio.timeout(60):
        while dispatcher.busy:  # noqa: ASYNC110 - the dispatcher tells by its count
            await asyncio.sleep(0)
    await dispatcher.stop()
    assert order.index(99) <= 2


async def test_a_small_task_starts_while_a_large_one_holds_every_place() -> None:
    """Places of their own for tasks that have few turns, and not for the large task."""
    dispatcher, go = LocalDispatcher(16), asyncio.Event()
    started: list[int] = []

    async def turn(agent: int) -> None:
        started.append(agent)
        await go.wait()

    await dispatcher.start(turn)
    dispatcher.wake([Wake(agent, 1) for agent in range(40)])
    await asyncio.sleep(0)
    dispatcher.wake([Wake(99, 2)])
    await asyncio.sleep(0)
    assert started == [*range(16), 99]
    go.set()
    async with asyncio.timeout(60):
        while dispatcher.busy:  # noqa: ASYNC110 - the dispatcher tells by its count
            await asyncio.sleep(0)
    await dispatcher.stop()
