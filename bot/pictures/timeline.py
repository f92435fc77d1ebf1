"""Draw who worked when, and the cost over time, as a PNG."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from bot.discord.formatting import dollars, span
from bot.pictures import canvas as c
from engine.queries import AgentView

MOST_ROWS = 60
WIDTH, LEFT, RIGHT = 1000, 240, 28
"""Discord shows a picture at about 400 pixels: letters of 20 are read then."""

HEAD, COST_HEIGHT, FOOT = 84, 150, 56
ROUND_STEPS = (1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
TimelineStep = tuple[int, float, float, int]


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One row of the chart: name, depth (colour), periods of work, number of agents it stands for."""

    name: str
    depth: int
    spans: tuple[tuple[float, float], ...]
    agents: int = 1


def rows_of(agents: Sequence[AgentView], steps: Sequence[TimelineStep]) -> list[TimelineRow]:
    """A row an agent that worked, first come first; beyond 60 a row a group, beyond 60 groups the largest."""
    spans: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for agent_id, start, end, _ in steps:
        spans[agent_id].append((start, end))
    worked = sorted((a for a in agents if a.id in spans), key=lambda a: min(spans[a.id]))
    if len(worked) <= MOST_ROWS:
        return [TimelineRow(a.name, a.depth, tuple(sorted(spans[a.id]))) for a in worked]
    return _grouped(worked, spans)


def _grouped(worked: list[AgentView], spans: Mapping[int, list[tuple[float, float]]]) -> list[TimelineRow]:
    names = {a.leads_group_id: a.name for a in worked if a.leads_group_id is not None}
    groups: dict[int, list[AgentView]] = defaultdict(list)
    for agent in worked:
        groups[agent.group_id].append(agent)
    kept = sorted(groups.items(), key=lambda item: -len(item[1]))[:MOST_ROWS]
    rows = [
        TimelineRow(
            f"{names.get(group_id, members[0].name)} ({len(members)})",
            members[0].depth,
            tuple(sorted(s for a in members for s in spans[a.id])),
            len(members),
        )
        for group_id, members in kept
    ]
    return sorted(rows, key=lambda row: row.spans[0])


def cost_curve(steps: Sequence[TimelineStep]) -> list[tuple[float, int]]:
    """(time, micro-dollars spent by then), one point a step's end, in order."""
    total, points = 0, []
    for _, _, end, cost in sorted(steps, key=lambda step: step[2]):
        total += cost
        points.append((end, total))
    return points


def draw_timeline(agents: Sequence[AgentView], steps: Sequence[TimelineStep], title: str) -> bytes:
    """Return a PNG of the timeline; `steps` is not empty."""
    rows = rows_of(agents, steps)
    pitch = 34 if len(rows) <= 30 else 22
    curve = cost_curve(steps)
    priced = curve[-1][1] > 0  # an empty chart says nothing
    top = HEAD + (COST_HEIGHT + 34 if priced else 0)
    image = Image.new("RGB", (WIDTH, top + pitch * len(rows) + FOOT), c.BACKGROUND)
    draw = ImageDraw.Draw(image)
    first = min(start for _, start, _, _ in steps)
    last = max(*(end for _, _, end, _ in steps), first + 1)
    axis = _Axis(first, last)
    name = c.fitting(draw, title, c.font(24, True), WIDTH - 2 * RIGHT)
    draw.text((RIGHT, 22), name, c.TEXT, c.font(24, True))
    _grid(draw, axis, image.height - FOOT)
    if priced:
        _cost(draw, axis, curve)
    for number, row in enumerate(rows):
        _row(image, draw, axis, row, top + number * pitch, pitch)
    return c.png(image)


@dataclass(frozen=True, slots=True)
class _Axis:
    first: float
    last: float

    def x(self, at: float) -> float:
        """Return the x coordinate of a time."""
        return LEFT + (at - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT)


def _grid(draw: ImageDraw.ImageDraw, axis: _Axis, bottom: float) -> None:
    for passed in marks(axis.last - axis.first):
        x = axis.x(axis.first + passed)
        draw.line((x, HEAD, x, bottom), fill=(64, 67, 73), width=1)
        draw.text((x, bottom + 12), span(passed), c.QUIET, c.font(19), anchor="ma")


def marks(total: float) -> list[float]:
    """Round spans of time in seconds from 0 to `total`, at most eight."""
    step = next((step for step in ROUND_STEPS if total / step <= 7), total / 7)
    return [number * step for number in range(int(total / step) + 1)]


def _cost(draw: ImageDraw.ImageDraw, axis: _Axis, curve: Sequence[tuple[float, int]]) -> None:
    bottom, most = HEAD + COST_HEIGHT, max(curve[-1][1], 1)
    points = [(axis.x(axis.first), float(bottom))]
    for at, spent in curve:
        points += [(axis.x(at), points[-1][1]), (axis.x(at), bottom - spent / most * (COST_HEIGHT - 24))]
    draw.polygon([*points, (points[-1][0], bottom)], fill=(52, 62, 92))
    draw.line(points, fill=c.depth_colour(0), width=3)
    draw.text((RIGHT, HEAD + 14), "Cost", c.TEXT, c.font(20, True))
    draw.text((RIGHT, HEAD + 40), dollars(curve[-1][1]), c.QUIET, c.font(20))
    draw.line((LEFT, bottom, WIDTH - RIGHT, bottom), fill=c.LINE, width=1)


def _row(
    image: Image.Image, draw: ImageDraw.ImageDraw, axis: _Axis, row: TimelineRow, y: float, pitch: int
) -> None:
    face = c.font(20 if pitch > 24 else 15)
    draw.text(
        (LEFT - 14, y + pitch / 2),
        c.fitting(draw, row.name, face, LEFT - RIGHT - 14),
        c.TEXT,
        face,
        anchor="rm",
    )
    draw.line((LEFT, y + pitch / 2, WIDTH - RIGHT, y + pitch / 2), fill=(60, 62, 68), width=1)
    colour = c.depth_colour(row.depth)
    if row.agents > 1:
        _density(draw, axis, row, y, pitch)
        return
    for start, end in row.spans:
        left = axis.x(start)
        draw.rounded_rectangle((left, y + 4, max(axis.x(end), left + 3), y + pitch - 4), 3, fill=colour)


def _density(draw: ImageDraw.ImageDraw, axis: _Axis, row: TimelineRow, y: float, pitch: int) -> None:
    """Brighter where more of the group's agents worked at once."""
    colour = c.depth_colour(row.depth)
    columns: Counter[int] = Counter()
    for start, end in row.spans:
        for x in range(int(axis.x(start)) // 4, int(axis.x(end)) // 4 + 1):
            columns[x] += 1
    for x, count in columns.items():
        share = 0.35 + 0.65 * min(count / row.agents, 1.0)
        shade = tuple(int(b + (p - b) * share) for p, b in zip(colour, c.BACKGROUND, strict=True))
        draw.rectangle((x * 4, y + 3, x * 4 + 3, y + pitch - 3), fill=shade)
