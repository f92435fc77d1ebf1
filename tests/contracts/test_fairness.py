"""A small task is served beside a large one, and people's messages go ahead of everything else."""

from __future__ import annotations

from engine.ports import Wake
from engine.runtime.dispatch import FairQueue


def test_tasks_are_served_in_turn_whatever_their_size() -> None:
    """Two agents of a small task come out among the first four, however many wait of the large one."""
    queue = FairQueue()
    for agent in range(100):
        queue.push(Wake(agent, 1))
    queue.push(Wake(901, 2))
    queue.push(Wake(902, 2))
    first = [queue.pop().task_id for _ in range(4)]
    assert first.count(2) == 2


def test_a_persons_message_goes_ahead_within_its_task() -> None:
    """Priority 0 passes those who came earlier; a second wake-up only raises, never lowers."""
    queue = FairQueue()
    for agent in (1, 2, 3):
        queue.push(Wake(agent, 1))
    queue.push(Wake(3, 1, 0))
    queue.push(Wake(3, 1, 5))
    assert [queue.pop().agent_id for _ in range(3)] == [3, 1, 2]
