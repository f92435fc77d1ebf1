"""The fair queue: shares, priorities, nothing lost."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.llm.admission.fairqueue import URGENT_RUN, FairQueue, Ticket


def test_small_task_is_served_as_if_alone() -> None:
    """Ten calls beside five hundred waiting ones of a task that fills the endpoint go before all of them."""
    queue: FairQueue[str] = FairQueue()
    for _ in range(500):
        queue.push(1, 5, "large")
    for _ in range(64):
        queue.pop()
    for _ in range(10):
        queue.push(2, 5, "small")
    served = []
    for _ in range(10):
        queue.done(1)
        ticket = queue.pop()
        assert ticket is not None
        served.append(ticket.item)
    assert served == ["small"] * 10


def test_equal_tasks_take_turns_when_calls_do_not_overlap() -> None:
    """Where a rate limit is what is scarce, two tasks get every other call."""
    queue: FairQueue[int] = FairQueue()
    for flow in (1, 2):
        for _ in range(10):
            queue.push(flow, 5, flow)
    served = []
    for _ in range(10):
        ticket = queue.pop()
        assert ticket is not None
        served.append(ticket.item)
        queue.done(ticket.flow)
    assert Counter(served) == {1: 5, 2: 5}


def test_weights_are_shares_of_what_runs() -> None:
    """A task of weight 3 has three times as many calls in flight."""
    queue: FairQueue[int] = FairQueue()
    for _ in range(50):
        queue.push(1, 5, 1, weight=3.0)
        queue.push(2, 5, 2, weight=1.0)
    served = Counter(ticket.item for _ in range(40) if (ticket := queue.pop()) is not None)
    assert abs(served[1] - 30) <= 1


def test_a_waiting_person_goes_first_but_not_forever() -> None:
    """Urgent calls pass others, three in a row at most while others wait."""
    queue: FairQueue[str] = FairQueue()
    for _ in range(20):
        queue.push(1, 5, "calm")
        queue.push(2, 0, "urgent")
    served = "".join(ticket.item[0] for _ in range(12) if (ticket := queue.pop()) is not None)
    assert served.startswith("u" * URGENT_RUN + "c")
    assert served.count("u") == 9


def test_priority_goes_first_within_a_task() -> None:
    """Lower numbers go first, equal ones in order of arrival."""
    queue: FairQueue[str] = FairQueue()
    for priority, item in ((5, "b"), (9, "d"), (5, "c"), (0, "a")):
        queue.push(1, priority, item)
    assert [ticket.item for _ in range(4) if (ticket := queue.pop()) is not None] == ["a", "b", "c", "d"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["push", "pop", "done", "remove"]), st.integers(0, 4), st.integers(0, 9))
    )
)
def test_every_ticket_leaves_exactly_once(moves: list[tuple[str, int, int]]) -> None:
    """Whatever the order of calls, what went in comes out once or was removed, and the length is right."""
    queue: FairQueue[int] = FairQueue()
    waiting: dict[int, Ticket[int]] = {}
    running: list[Ticket[int]] = []
    for number, (move, flow, priority) in enumerate(moves):
        if move == "push":
            waiting[number] = queue.push(flow, priority, number)
        elif move == "pop":
            head, ticket = queue.peek(), queue.pop()
            assert head is ticket
            assert (ticket is None) == (not waiting)
            if ticket is not None:
                assert waiting.pop(ticket.item) is ticket
                running.append(ticket)
        elif move == "done" and running:
            queue.done(running.pop().flow)
        elif move == "remove" and waiting:
            queue.remove(waiting.popitem()[1])
        assert len(queue) == len(waiting)


@given(st.lists(st.integers(1, 3), min_size=30, max_size=60))
def test_no_task_is_starved(flows: list[int]) -> None:
    """With as many runs at once as tasks, each task that waits is served within one round."""
    queue: FairQueue[int] = FairQueue()
    for flow in flows:
        queue.push(flow, 5, flow)
    first = [ticket.item for _ in range(len(set(flows))) if (ticket := queue.pop()) is not None]
    assert set(first) == set(flows)
