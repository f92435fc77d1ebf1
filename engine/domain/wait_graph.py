"""Wait-for graph of idle agents and its cycles (deadlocks). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.domain.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Wait:
    """An idle agent that waits for another one; `why` in a few words.

    `asked_at` is when it asked, 0 when it waits for work.
    """

    agent_id: int
    for_id: int
    why: str
    asked_at: float = 0.0


def waits(snapshot: Snapshot) -> Iterator[Wait]:
    """Return every wait between idle agents: answers owed, work given or waited for, submissions not
    reviewed."""
    found = [
        Wait(asker, asked, f'an answer to "{message.text[:80]}"', message.at)
        for asker, by in snapshot.owed.items()
        for asked, message in by.items()
    ]
    for work in snapshot.work:
        pair = (work.giver_id, work.assignee_id)
        waiting, awaited = pair if work.state == "open" else pair[::-1]
        what = "to be done" if work.state == "open" else "to be reviewed"
        found.append(Wait(waiting, awaited, f"assignment #{work.id} {what}"))
    found += [
        Wait(wait.agent_id, wait.for_id, wait.what.shown)
        for wait in snapshot.waiting
        if wait.for_id is not None
    ]
    return (w for w in found if snapshot.idle(w.agent_id) and snapshot.idle(w.for_id))


def waits_for_cycles(snapshot: Snapshot) -> list[tuple[Wait, ...]]:
    """Return disjoint cycles of waits; each starts with its lowest agent id."""
    graph: dict[int, list[Wait]] = {}
    for wait in waits(snapshot):
        graph.setdefault(wait.agent_id, []).append(wait)
    _trim(graph)
    cycles: list[tuple[Wait, ...]] = []
    done: set[int] = set()
    for start in sorted(graph):
        cycle = _back_to(start, graph, done)
        if cycle:
            cycles.append(cycle)
            done |= {wait.agent_id for wait in cycle}
    return cycles


def _trim(graph: dict[int, list[Wait]]) -> None:
    """Remove repeatedly the agents that wait only for agents that wait for nobody: they are in no cycle."""
    while loose := [agent for agent, out in graph.items() if not any(w.for_id in graph for w in out)]:
        for agent in loose:
            del graph[agent]


def _back_to(start: int, graph: dict[int, list[Wait]], done: set[int]) -> tuple[Wait, ...]:
    """Return a shortest path of waits from `start` back to it, () when there is none."""
    paths: dict[int, tuple[Wait, ...]] = {start: ()}
    edge = [start]
    while edge:
        following: list[int] = []
        for agent in edge:
            for wait in graph.get(agent, ()):
                if wait.for_id == start and start not in done:
                    return (*paths[agent], wait)
                if wait.for_id not in paths and wait.for_id not in done:
                    paths[wait.for_id] = (*paths[agent], wait)
                    following.append(wait.for_id)
        edge = following
    return ()
