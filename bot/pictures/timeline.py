"""Draw who worked when, what people were asked, audits, pauses, and the cost over time, as a PNG."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from bot.discord.formatting import dollars, span
from bot.pictures import canvas as c
from bot.pictures.moments import Moment, MomentKind
from engine.queries import AgentView

MOST_ROWS = 60
WIDTH, LEFT, RIGHT = 1000, 240, 28
"""Discord shows a picture at about 400 pixels: letters of 20 are read then."""

HEAD, COST_HEIGHT, FOOT = 84, 150, 56
LANE, MARK = 40, 14
"""Height of a line of moments, and the radius of its marks: they are seen at 400 pixels, too."""

LANES: tuple[tuple[str, tuple[MomentKind, ...]], ...] = (
    ("Questions", ("question",)),
    ("Audits", ("audit",)),
    ("Pauses", ("pause", "break")),
)
ASKED, PAUSED = (250, 166, 26), (148, 155, 164)
VERDICTS = {"accepted": (59, 165, 93), "rejected": (237, 66, 69), "ran": (88, 101, 242), "": (88, 101, 242)}
SHADE = (62, 65, 72)
"""Behind the rows while the whole task was paused, or had ended."""

ROUND_STEPS = (1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
TimelineStep = tuple[int, float, float, int]


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One row of the chart: name, depth (colour), periods of work, number of agents it stands for, and when
    they asked people."""

    name: str
    depth: int
    spans: tuple[tuple[float, float], ...]
    agents: int = 1
    asked: tuple[float, ...] = ()


def rows_of(
    agents: Sequence[AgentView], steps: Sequence[TimelineStep], moments: Sequence[Moment] = ()
) -> list[TimelineRow]:
    """A row an agent that worked, first come first; beyond 60 a row a group, beyond 60 groups the largest."""
    spans: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for agent_id, start, end, _ in steps:
        spans[agent_id].append((start, end))
    worked = sorted((a for a in agents if a.id in spans), key=lambda a: min(spans[a.id]))
    asked: dict[int, list[float]] = defaultdict(list)
    for moment in moments:
        if moment.kind == "question" and moment.agent_id is not None:
            asked[moment.agent_id].append(moment.start)
    if len(worked) <= MOST_ROWS:
        return [
            TimelineRow(a.name, a.depth, tuple(sorted(spans[a.id])), asked=tuple(asked[a.id])) for a in worked
        ]
    return _grouped(worked, spans, asked)


def _grouped(
    worked: list[AgentView],
    spans: Mapping[int, list[tuple[float, float]]],
    asked: Mapping[int, list[float]],
) -> list[TimelineRow]:
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
            tuple(sorted(at for a in members for at in asked.get(a.id, ()))),
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


def draw_timeline(
    agents: Sequence[AgentView],
    steps: Sequence[TimelineStep],
    title: str,
    moments: Sequence[Moment] = (),
    now: float = 0.0,
) -> bytes:
    """Return a PNG of the timeline; `steps` is not empty. Moments that last are drawn until `now`."""
    rows = rows_of(agents, steps, moments)
    pitch = 34 if len(rows) <= 30 else 22
    curve = cost_curve(steps)
    priced = curve[-1][1] > 0  # an empty chart says nothing
    lanes = lanes_of(moments)
    under = HEAD + (COST_HEIGHT + 34 if priced else 0)
    top = under + LANE * len(lanes)
    image = Image.new("RGB", (WIDTH, top + pitch * len(rows) + FOOT), c.BACKGROUND)
    draw = ImageDraw.Draw(image)
    axis = _Axis(*whole_time(steps, moments, now))
    name = c.fitting(draw, title, c.font(24, True), WIDTH - 2 * RIGHT)
    draw.text((RIGHT, 22), name, c.TEXT, c.font(24, True))
    _shades(draw, axis, moments, top, image.height - FOOT)
    _grid(draw, axis, image.height - FOOT)
    if priced:
        _cost(draw, axis, curve)
    for number, (lane, found) in enumerate(lanes):
        _lane(draw, axis, lane, found, under + number * LANE + LANE / 2)
    for number, row in enumerate(rows):
        _row(image, draw, axis, row, top + number * pitch, pitch)
    return c.png(image)


def lanes_of(moments: Sequence[Moment]) -> list[tuple[str, list[Moment]]]:
    """Return the lines above the rows, each with its name and moments; without moments there is none."""
    found = [(name, [m for m in moments if m.kind in kinds]) for name, kinds in LANES]
    return [(name, those) for name, those in found if those]


def whole_time(
    steps: Sequence[TimelineStep], moments: Sequence[Moment], now: float = 0.0
) -> tuple[float, float]:
    """Return when the timeline begins and when it ends."""
    first = min([start for _, start, _, _ in steps] + [moment.start for moment in moments])
    ends = [end for _, _, end, _ in steps] + [now if m.end is None else m.end for m in moments]
    return first, max(*ends, first + 1)


@dataclass(frozen=True, slots=True)
class _Axis:
    first: float
    last: float

    def x(self, at: float) -> float:
        """Return the x coordinate of a time."""
        return LEFT + (at - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT)

    def of(self, moment: Moment) -> tuple[float, float]:
        """Return the x coordinates of a moment's beginning and end."""
        return self.x(moment.start), self.x(self.last if moment.end is None else moment.end)


def _shades(
    draw: ImageDraw.ImageDraw, axis: _Axis, moments: Sequence[Moment], top: float, bottom: float
) -> None:
    """Shade the rows while nobody could work: what was under way still ended, so work may stand there."""
    for moment in moments:
        if moment.kind in ("pause", "break") and moment.agent_id is None:
            left, right = axis.of(moment)
            draw.rectangle((left, top, max(right, left + 2), bottom), fill=SHADE)


def _grid(draw: ImageDraw.ImageDraw, axis: _Axis, bottom: float) -> None:
    for passed in marks(axis.last - axis.first):
        x = axis.x(axis.first + passed)
        draw.line((x, HEAD, x, bottom), fill=(64, 67, 73), width=1)
        draw.text((x, bottom + 12), clock(passed, axis.last - axis.first), c.QUIET, c.font(19), anchor="ma")


def clock(passed: float, total: float) -> str:
    """Return a mark's time in words; where marks are less than a minute apart they have seconds, too."""
    if total < 60 or (not passed % 60 and not marks(total)[1] % 60):
        return span(passed)
    return f"{int(passed) // 60}:{int(passed) % 60:02d} min"


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


def _lane(draw: ImageDraw.ImageDraw, axis: _Axis, name: str, moments: Sequence[Moment], y: float) -> None:
    """Draw how long each moment lasted as a bar, and what it was as a mark where it began."""
    draw.text((RIGHT, y), f"{name} {len(moments)}", c.TEXT, c.font(20, True), anchor="lm")
    for moment in moments:
        left, right = axis.of(moment)
        draw.line((left, y, max(right, left + 2), y), fill=_colour(moment), width=8)
    for x, group in gathered([(axis.of(moment)[0], moment) for moment in moments]):
        _mark(draw, x, y, group)


def gathered(placed: Sequence[tuple[float, Moment]]) -> list[tuple[float, list[Moment]]]:
    """Return the marks to draw: those that would cover each other are one, or stand beside each other."""
    found: list[tuple[float, list[Moment]]] = []
    for x, moment in placed:
        free = found[-1][0] + 2 * MARK if found else x
        if x < free and _sign(moment) == _sign(found[-1][1][0]):
            found[-1][1].append(moment)
        else:
            found.append((max(x, free), [moment]))
    return found


def _sign(moment: Moment) -> tuple[MomentKind, str]:
    return moment.kind, moment.verdict


def _colour(moment: Moment) -> tuple[int, int, int]:
    if moment.kind == "audit":
        return VERDICTS[moment.verdict]
    return ASKED if moment.kind == "question" else PAUSED


def _mark(draw: ImageDraw.ImageDraw, x: float, y: float, group: Sequence[Moment]) -> None:
    """Draw a disc with a sign, or with how many it stands for; signs differ, not colours alone."""
    x = min(max(x, LEFT + MARK), WIDTH - RIGHT - MARK)
    first = group[0]
    draw.ellipse((x - MARK, y - MARK, x + MARK, y + MARK), fill=_colour(first), outline=c.BACKGROUND, width=2)
    ink = c.BACKGROUND if first.kind != "audit" else c.TEXT
    if len(group) > 1 or first.kind == "question":
        sign = "?" if len(group) == 1 else str(len(group))
        draw.text((x, y), sign, ink, c.font(18, True), anchor="mm")
    elif first.kind == "audit":
        for line in _SIGNS[first.verdict]:
            draw.line([(x + dx, y + dy) for dx, dy in line], fill=ink, width=4)
    elif first.kind == "break":
        draw.rectangle((x - 5, y - 5, x + 5, y + 5), fill=ink)
    else:
        for dx in (-5, 3):
            draw.rectangle((x + dx, y - 6, x + dx + 2, y + 6), fill=ink)


_SIGNS: Mapping[str, tuple[tuple[tuple[int, int], ...], ...]] = {
    "accepted": (((-7, 0), (-2, 5), (7, -6)),),
    "rejected": (((-6, -6), (6, 6)), ((-6, 6), (6, -6))),
    "ran": (((-6, 0), (6, 0)),),
    "": (((-6, 0), (6, 0)),),
}
"""A tick, a cross, a dash: drawn, for not every font has them."""


def _row(
    image: Image.Image, draw: ImageDraw.ImageDraw, axis: _Axis, row: TimelineRow, y: float, pitch: int
) -> None:
    face = c.font(20 if pitch > 24 else 15)
    middle = y + pitch / 2
    name = c.fitting(draw, row.name, face, LEFT - RIGHT - 14)
    draw.text((LEFT - 14, middle), name, c.TEXT, face, anchor="rm")
    draw.line((LEFT, middle, WIDTH - RIGHT, middle), fill=(60, 62, 68), width=1)
    if row.agents > 1:
        _density(draw, axis, row, y, pitch)
    else:
        colour = c.depth_colour(row.depth)
        for start, end in row.spans:
            left = axis.x(start)
            draw.rounded_rectangle((left, y + 4, max(axis.x(end), left + 3), y + pitch - 4), 3, fill=colour)
    size = 7 if pitch > 24 else 5
    for at in row.asked:
        x = axis.x(at)
        shape = (x - size, middle - size, x + size, middle + size)
        draw.ellipse(shape, fill=ASKED, outline=c.BACKGROUND, width=2)


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
