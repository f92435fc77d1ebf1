"""The chain workload: every agent starts a chain of hops; a step reads one message and passes it on, one hop
less.

`ideal_seconds` runs the same rules with an engine that costs nothing.
"""

from __future__ import annotations

import heapq
import re
from collections import deque
from dataclasses import dataclass

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest

STRIDE = 7
PAD = " " + "x" * 280
_HOP = re.compile(r"chain (\d+) hop (\d+)")


@dataclass(frozen=True, slots=True)
class Chains:
    """`agents` chains of `hops` messages; each call takes `seconds`, at most `cap` calls at once."""

    agents: int
    hops: int
    seconds: float
    cap: int

    def holder(self, chain: int, hop: int) -> int:
        """Return who gets the message of `chain` with `hop` hops left: at equal hops, no two chains meet."""
        return (chain + (self.hops - hop) * STRIDE) % self.agents


def text_of(chain: int, hop: int) -> str:
    """Return the text of a chain's message."""
    return f"chain {chain} hop {hop}" + PAD


def chain_script(work: Chains):  # type: ignore[no-untyped-def]
    """Return the scripted model of every agent."""

    def answer(request: ChatRequest) -> ChatAnswer:
        found = _HOP.search(request.messages[-1].content)
        if found is None:
            return say("nothing")
        chain, hop = int(found[1]), int(found[2])
        if hop == 1:
            return say("done")
        to = f"A{work.holder(chain, hop - 1)}"
        return call(("send_message", {"to": [to], "text": text_of(chain, hop - 1), "wait": True}))

    return answer


def ideal_seconds(work: Chains) -> float:
    """Return the makespan of the workload if only the calls take time."""
    inbox = {agent: deque([(agent, work.hops)]) for agent in range(work.agents)}
    ready = deque(range(work.agents))
    events: list[tuple[float, int, int]] = []
    active, now, steps = set(range(work.agents)), 0.0, 0
    while ready or events:
        while ready and len(events) < work.cap:
            steps += 1
            heapq.heappush(events, (now + work.seconds, steps, ready.popleft()))
        now, _, agent = heapq.heappop(events)
        chain, hop = inbox[agent].popleft()
        if hop > 1:
            to = work.holder(chain, hop - 1)
            inbox[to].append((chain, hop - 1))
            if to not in active:
                active.add(to)
                ready.append(to)
        if inbox[agent]:
            ready.append(agent)
        else:
            active.discard(agent)
    return now
