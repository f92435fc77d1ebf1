"""The organisation as a PNG: rows up to 24 agents, a mind map of cards up to 120, a wheel of names beyond."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from PIL import Image, ImageDraw

from bot.discord.formatting import cut
from bot.features.tasks.doing import now_text
from bot.pictures import canvas as c
from bot.pictures.layout import Family, Position, round_about, two_sided
from engine.queries import AgentView

ROWS_MOST, MIND_MAP_MOST = 24, 120
WIDTH, LINE, INDENT = 800, 70, 40
"""Of the rows: Discord shows them at less than half of this, so their letters have 20 pixels and more."""

CARD = (230, 46)
COLUMN, ROW = 290.0, 56.0
MARGIN, HEAD = 40, 90


def draw_organisation(agents: Sequence[AgentView], title: str) -> bytes:
    """Return a PNG of all agents that were not dismissed. `agents` includes a boss; `title` is one line."""
    there = [agent for agent in agents if agent.state != "dismissed"]
    if len(there) <= ROWS_MOST:
        return c.png(_rows(there, title))
    return c.png(_mind_map(there, title) if len(there) <= MIND_MAP_MOST else _wheel(there, title))


def _heading(
    draw: ImageDraw.ImageDraw, agents: Sequence[AgentView], title: str, width: int, small: int = 15
) -> None:
    large = c.font(max(24, small + 8), True)
    draw.text((MARGIN, 18), c.fitting(draw, title, large, width - 2 * MARGIN), c.TEXT, large)
    states = Counter(agent.state for agent in agents)
    x = float(MARGIN)
    for state, words in (("working", "working"), ("idle", "waiting"), ("paused", "paused")):
        if states[state] or state == "working":
            draw.ellipse((x, 62, x + small - 1, 61 + small), fill=c.state_colour(state))
            said = f"{states[state]} {words}"
            draw.text((x + small + 6, 61 + small / 2), said, c.QUIET, c.font(small), anchor="lm")
            x += small + 6 + draw.textlength(said, font=c.font(small)) + 26


# ---------------------------------------------------------------- rows


def _rows(agents: Sequence[AgentView], title: str) -> Image.Image:
    """A row an agent under its head's, further right the deeper it is."""
    family = Family(agents)
    rows = list(_below(family, family.root, 0))
    image = Image.new("RGB", (WIDTH, HEAD + 16 + LINE * len(rows) + MARGIN), c.BACKGROUND)
    draw = ImageDraw.Draw(image)
    _heading(draw, agents, title, WIDTH, small=22)
    last: dict[int, float] = {}
    for number, (agent, depth) in enumerate(rows):
        left, middle = MARGIN + INDENT * depth, HEAD + 16 + LINE * number + LINE / 2
        if depth:
            stem = left - INDENT / 2
            points = [(stem, last[depth - 1] + 28), (stem, middle), (left, middle)]
            draw.line(points, fill=c.depth_colour(depth), width=3)
        last[depth] = middle
        _broad_card(draw, agent, left, middle)
    return image


def _below(family: Family, agent: AgentView, depth: int) -> Iterator[tuple[AgentView, int]]:
    yield agent, depth
    for member in family.under(agent):
        yield from _below(family, member, depth + 1)


def _broad_card(draw: ImageDraw.ImageDraw, agent: AgentView, left: float, middle: float) -> None:
    leads = agent.leads_group_id is not None
    box = (left, middle - 29, WIDTH - MARGIN, middle + 29)
    draw.rounded_rectangle(box, 9, fill=c.PANEL, outline=c.depth_colour(agent.depth) if leads else c.LINE)
    draw.ellipse((left + 16, middle - 9, left + 34, middle + 9), fill=c.state_colour(agent.state))
    room = WIDTH - MARGIN - left - 66
    name = c.fitting(draw, agent.name, c.font(24, leads), room)
    below = c.fitting(draw, now_text(agent, cut) or agent.title, c.font(20), room)
    draw.text((left + 50, middle - 13), name, c.TEXT, c.font(24, leads), anchor="lm")
    draw.text((left + 50, middle + 14), below, c.QUIET, c.font(20), anchor="lm")


# ---------------------------------------------------------------- mind map


def _mind_map(agents: Sequence[AgentView], title: str) -> Image.Image:
    spots = two_sided(agents, COLUMN, ROW)
    left = min(spot.x for spot in spots) - CARD[0] / 2
    right = max(spot.x for spot in spots) + CARD[0] / 2
    bottom = max(max(spot.y for spot in spots) + ROW / 2, ROW)
    width = max(int(right - left) + 2 * MARGIN, 620)
    image = Image.new("RGB", (width, int(bottom) + HEAD + MARGIN), c.BACKGROUND)
    draw = ImageDraw.Draw(image)
    _heading(draw, agents, title, width)
    shift = (width - (right - left)) / 2 - left
    at = {spot.agent.id: (spot.x + shift, spot.y + HEAD) for spot in spots}
    for spot in spots[1:]:
        head = at.get(spot.agent.head_id or 0, at[spots[0].agent.id])
        _elbow(draw, head, at[spot.agent.id], spot)
    for spot in spots:
        _card(draw, spot.agent, *at[spot.agent.id])
    return image


def _elbow(
    draw: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], spot: Position
) -> None:
    """A line out of the head's card, along the gap, into the member's."""
    edge = spot.side * CARD[0] / 2
    middle = end[0] - edge - spot.side * (COLUMN - CARD[0]) / 2
    points = [(start[0] + edge, start[1]), (middle, start[1]), (middle, end[1]), (end[0] - edge, end[1])]
    draw.line(points, fill=c.depth_colour(spot.agent.depth), width=2, joint="curve")


def _card(draw: ImageDraw.ImageDraw, agent: AgentView, x: float, y: float) -> None:
    width, height = CARD
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    leads = agent.leads_group_id is not None
    outline = c.depth_colour(agent.depth) if leads else c.LINE
    draw.rounded_rectangle(box, 9, fill=c.PANEL, outline=outline, width=2 if leads else 1)
    draw.ellipse((box[0] + 11, y - 7, box[0] + 25, y + 7), fill=c.state_colour(agent.state))
    room = width - 46
    name = c.fitting(draw, agent.name, c.font(15, leads), room)
    draw.text((box[0] + 35, y - 19), name, c.TEXT, c.font(15, leads))
    below = c.fitting(draw, now_text(agent, cut) or agent.title, c.font(12), room)
    draw.text((box[0] + 35, y + 2), below, c.QUIET, c.font(12))


# ---------------------------------------------------------------- wheel


def _wheel(agents: Sequence[AgentView], title: str) -> Image.Image:
    family = Family(agents)
    levels = family.depth(family.root)
    size, letters = wheel_size(family.leaf_count(family.root))
    middle = (size / 2, size / 2 + HEAD / 2)
    outer = size / 2 - MARGIN - 110
    radii = {level: outer * (level / levels) ** 0.8 for level in range(levels + 1)}
    image = Image.new("RGB", (size, size + HEAD), c.BACKGROUND)
    draw = ImageDraw.Draw(image)
    _heading(draw, agents, title, size)
    spots = round_about(agents, radii)
    at = {s.agent.id: (s.x + middle[0], s.y + middle[1]) for s in spots}
    for spot in spots[1:]:
        start = at.get(spot.agent.head_id or 0, middle)
        draw.line((start, at[spot.agent.id]), fill=_dim(c.depth_colour(spot.agent.depth)), width=2)
    for spot in spots[1:]:
        _named_dot(image, draw, spot, at[spot.agent.id], letters)
    _boss(draw, spots[0].agent, middle)
    return image


def wheel_size(ends: int) -> tuple[int, int]:
    """Return the picture's edge and the font size in pixels, so that `ends` names do not overlap."""
    letters = 13
    around = ends * (letters + 2)
    return min(max(int(around / math.pi) + 2 * (MARGIN + 110), 1400), 3200), letters


def _dim(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    red, green, blue = ((part + 2 * base) // 3 for part, base in zip(colour, c.BACKGROUND, strict=True))
    return red, green, blue


def _named_dot(
    image: Image.Image, draw: ImageDraw.ImageDraw, spot: Position, at: tuple[float, float], letters: int
) -> None:
    leads = spot.agent.leads_group_id is not None
    radius = 8 if leads else 5
    x, y = at
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=c.state_colour(spot.agent.state))
    if leads:
        draw.ellipse(
            (x - radius - 2, y - radius - 2, x + radius + 2, y + radius + 2),
            outline=c.depth_colour(spot.agent.depth),
            width=2,
        )
    _turned(image, spot, at, letters + 1 if leads else letters, radius + 5, leads)


def _turned(
    image: Image.Image, spot: Position, at: tuple[float, float], letters: int, gap: float, bold: bool
) -> None:
    """The name along the spoke, outward from the dot, never upside down."""
    face = c.font(letters, bold)
    probe = ImageDraw.Draw(image)
    text = c.fitting(probe, spot.agent.name, face, 115)
    width, height = int(probe.textlength(text, font=face)) + 2, letters + 5
    label = Image.new("L", (width, height), 0)
    ImageDraw.Draw(label).text((1, 1), text, 255, face)
    flip = math.cos(spot.angle) < 0
    turned = label.rotate(
        -math.degrees(spot.angle) + (180 if flip else 0), Image.Resampling.BICUBIC, expand=True
    )
    reach = gap + width / 2
    x = at[0] + reach * math.cos(spot.angle) - turned.width / 2
    y = at[1] + reach * math.sin(spot.angle) - turned.height / 2
    image.paste(c.TEXT if bold else c.QUIET, (round(x), round(y)), turned)


def _boss(draw: ImageDraw.ImageDraw, agent: AgentView, middle: tuple[float, float]) -> None:
    x, y = middle
    draw.ellipse((x - 34, y - 34, x + 34, y + 34), fill=c.PANEL, outline=c.depth_colour(0), width=4)
    name = c.fitting(draw, agent.name, c.font(15, True), 62)
    draw.text((x, y), name, c.TEXT, c.font(15, True), anchor="mm")
