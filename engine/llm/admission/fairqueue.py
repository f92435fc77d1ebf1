"""Fair queue between tasks with priorities; pure.

The task with the fewest calls in flight for its weight is served first, so a small task beside a large one is
served as if it were alone. Ties are broken by virtual time (start-time fair queueing, Goyal, Vin and Cheng
1996), which keeps the shares fair when a rate limit rather than concurrency is the bottleneck.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

URGENT = 0
URGENT_RUN = 3


@dataclass(slots=True, order=True)
class Ticket(Generic[T]):
    """A waiting entry of the queue."""

    priority: int
    number: int
    flow: int = field(compare=False)
    item: T = field(compare=False)
    removed: bool = field(default=False, compare=False)


@dataclass(slots=True)
class _Flow(Generic[T]):
    weight: float = 1.0
    waiting: list[Ticket[T]] = field(default_factory=list)
    in_flight: int = 0
    start: float = 0.0


class FairQueue(Generic[T]):
    """Queue of tickets grouped by flow (task). Within a flow: by priority, then first come, first served.

    Across flows, urgent tickets (priority 0) go first, but at most `URGENT_RUN` in a row while others wait.
    """

    def __init__(self) -> None:
        self._flows: dict[int, _Flow[T]] = {}
        self._numbers = itertools.count()
        self._virtual = 0.0
        self._urgent_run = 0
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def push(self, flow: int, priority: int, item: T, weight: float = 1.0) -> Ticket[T]:
        """Queue `item` and return its ticket; `weight` (> 0) is the flow's weight against others."""
        state = self._flows.setdefault(flow, _Flow())
        state.weight = weight
        if not state.waiting:
            state.start = max(state.start, self._virtual)
        ticket = Ticket(priority, next(self._numbers), flow, item)
        heapq.heappush(state.waiting, ticket)
        self._waiting += 1
        return ticket

    def peek(self) -> Ticket[T] | None:
        """Return the ticket to be served next, None if the queue is empty."""
        flow = self._next()
        return None if flow is None else flow.waiting[0]

    def pop(self) -> Ticket[T] | None:
        """Remove and return the next ticket; its flow has one more in flight until `done`."""
        flow = self._next()
        if flow is None:
            return None
        ticket = heapq.heappop(flow.waiting)
        self._urgent_run = self._urgent_run + 1 if ticket.priority <= URGENT else 0
        self._virtual = max(self._virtual, flow.start)
        flow.start += 1.0 / flow.weight
        flow.in_flight += 1
        self._waiting -= 1
        ticket.removed = True
        self._drop_removed(flow)
        return ticket

    def remove(self, ticket: Ticket[T]) -> None:
        """Remove a waiting ticket. Idempotent."""
        if ticket.removed:
            return
        ticket.removed = True
        self._waiting -= 1
        self._drop_removed(self._flows[ticket.flow])
        self._forget_idle(ticket.flow)

    def done(self, flow: int) -> None:
        """Register that a popped ticket of `flow` is no longer in flight."""
        self._flows[flow].in_flight -= 1
        self._forget_idle(flow)

    def in_flight(self, flow: int) -> int:
        """Return the number of popped tickets of `flow` that are not done."""
        state = self._flows.get(flow)
        return state.in_flight if state else 0

    def others(self, flow: int) -> int:
        """Return the number of other flows with tickets waiting or in flight."""
        return len(self._flows) - (flow in self._flows)

    def _next(self) -> _Flow[T] | None:
        ready = [flow for flow in self._flows.values() if flow.waiting]
        if not ready:
            return None
        urgent = [flow for flow in ready if flow.waiting[0].priority <= URGENT]
        calm = [flow for flow in ready if flow.waiting[0].priority > URGENT]
        if urgent and not (calm and self._urgent_run >= URGENT_RUN):
            return min(urgent, key=_order)
        return min(calm or urgent, key=_order)

    def _drop_removed(self, flow: _Flow[T]) -> None:
        while flow.waiting and flow.waiting[0].removed:
            heapq.heappop(flow.waiting)

    def _forget_idle(self, number: int) -> None:
        flow = self._flows[number]
        if not flow.waiting and not flow.in_flight:
            del self._flows[number]


def _order(flow: _Flow[T]) -> tuple[float, float, int]:
    return flow.in_flight / flow.weight, flow.start, flow.waiting[0].number
