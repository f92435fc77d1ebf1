"""Where each agent stands in the picture of the organisation (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.queries import AgentView


@dataclass(frozen=True, slots=True)
class Position:
    """An agent's place; `side` -1 left, 1 right, 0 the root; `angle` in radians for the round layout."""

    agent: AgentView
    x: float
    y: float
    side: int = 0
    angle: float = 0.0


class Family:
    """The tree of agents without dismissed ones; agents without a known head belong to the root."""

    def __init__(self, agents: Sequence[AgentView]) -> None:
        there = {a.id: a for a in agents if a.state != "dismissed"}
        roots = [a for a in there.values() if a.head_id is None]
        self.root = roots[0]
        self._under: dict[int, list[AgentView]] = {}
        for agent in there.values():
            if agent is not self.root:
                head = agent.head_id if agent.head_id in there else self.root.id
                self._under.setdefault(head or self.root.id, []).append(agent)
        self._leaf_counts: dict[int, int] = {}

    def under(self, agent: AgentView) -> list[AgentView]:
        """Direct members, plain ones first so that branches do not cross their rows."""
        return sorted(self._under.get(agent.id, []), key=lambda a: (a.id in self._under, a.id))

    def leaf_count(self, agent: AgentView) -> int:
        """Return the number of agents of a branch that lead nobody."""
        if agent.id not in self._leaf_counts:
            self._leaf_counts[agent.id] = sum(map(self.leaf_count, self.under(agent))) or 1
        return self._leaf_counts[agent.id]

    def depth(self, agent: AgentView) -> int:
        """Return the number of levels below an agent."""
        return max((1 + self.depth(child) for child in self.under(agent)), default=0)


def two_sided(agents: Sequence[AgentView], column: float, row: float) -> list[Position]:
    """A mind map: the boss in the middle, branches left and right, a row for each end."""
    family = Family(agents)
    right, left = _halves(family, family.under(family.root))
    spots: list[Position] = []
    heights = []
    for side, branch in ((1, right), (-1, left)):
        top = 0.0
        for child in branch:
            top = _branch(family, child, side, 1, top, column, row, spots)
        heights.append(top)
    tallest = max(heights)
    lift = {1: (tallest - heights[0]) / 2, -1: (tallest - heights[1]) / 2}
    moved = [Position(s.agent, s.x, s.y + lift[s.side], s.side) for s in spots]
    return [Position(family.root, 0.0, tallest / 2), *moved]


def _halves(family: Family, children: list[AgentView]) -> tuple[list[AgentView], list[AgentView]]:
    """Right and left with about as many ends: the largest branch first, each to the emptier side."""
    sides: tuple[list[AgentView], list[AgentView]] = ([], [])
    counts = [0, 0]
    for child in sorted(children, key=lambda a: (-family.leaf_count(a), a.id)):
        side = int(counts[1] < counts[0])
        sides[side].append(child)
        counts[side] += family.leaf_count(child)
    order = {child.id: number for number, child in enumerate(children)}
    right, left = (sorted(side, key=lambda a: order[a.id]) for side in sides)
    return right, left


def _branch(
    family: Family,
    agent: AgentView,
    side: int,
    depth: int,
    top: float,
    column: float,
    row: float,
    spots: list[Position],
) -> float:
    """Place the branch below `top`; return the next free y coordinate."""
    bottom = top
    for child in family.under(agent):
        bottom = _branch(family, child, side, depth + 1, bottom, column, row, spots)
    bottom = max(bottom, top + row)
    spots.append(Position(agent, side * depth * column, (top + bottom) / 2, side))
    return bottom


def round_about(agents: Sequence[AgentView], radii: Mapping[int, float]) -> list[Position]:
    """A wheel: the boss in the middle, a ring a level for heads, all ends evenly on the last ring."""
    family = Family(agents)
    spots = [Position(family.root, 0.0, 0.0)]
    _slice(family, family.root, -math.pi / 2, 2 * math.pi, 0, radii, spots)
    return spots


def _slice(
    family: Family,
    agent: AgentView,
    start: float,
    sweep: float,
    depth: int,
    radii: Mapping[int, float],
    spots: list[Position],
) -> None:
    for child in family.under(agent):
        part = sweep * family.leaf_count(child) / family.leaf_count(agent)
        angle = start + part / 2
        radius = radii[depth + 1] if family.under(child) else radii[max(radii)]
        spots.append(Position(child, radius * math.cos(angle), radius * math.sin(angle), 0, angle))
        _slice(family, child, start, part, depth + 1, radii, spots)
        start += part
