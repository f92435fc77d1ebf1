"""Draw what was spent by whom, on which task and model, as a PNG that can be read at Discord's width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from bot.pictures import canvas as c

WIDTH, MARGIN = 800, 32
"""Discord shows it at about half of this: letters have at least 24 pixels."""

HEAD, SECTION, ROW, BAR = 84, 54, 62, 18
TRACK = (64, 67, 73)
WARM, FULL = (250, 166, 26), (237, 66, 69)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, the amount as text, and its part of the longest bar from 0 to 1."""

    name: str
    amount: str
    part: float


@dataclass(frozen=True, slots=True)
class Section:
    """Bars under a heading. `limits`: their parts are of a limit, so that a bar near it stands out."""

    title: str
    bars: tuple[Bar, ...]
    limits: bool = False


def draw_spending(title: str, sections: Sequence[Section]) -> bytes:
    """Return a PNG of the sections, one below the other; those without bars are left out."""
    wanted = [section for section in sections if section.bars]
    height = HEAD + sum(SECTION + ROW * len(section.bars) for section in wanted) + MARGIN
    image = Image.new("RGB", (WIDTH, height), c.BACKGROUND)
    draw = ImageDraw.Draw(image)
    large = c.font(34, True)
    draw.text((MARGIN, 26), c.fitting(draw, title, large, WIDTH - 2 * MARGIN), c.TEXT, large)
    y = HEAD
    for number, section in enumerate(wanted):
        draw.text((MARGIN, y + 12), section.title, c.QUIET, c.font(24, True))
        y += SECTION
        for bar in section.bars:
            _bar(draw, bar, y, _colour(bar, number, limits=section.limits))
            y += ROW
    return c.png(image)


def _colour(bar: Bar, number: int, *, limits: bool) -> tuple[int, int, int]:
    if limits and bar.part >= 1.0:
        return FULL
    if limits and bar.part >= 0.8:
        return WARM
    return c.depth_colour(number)


def _bar(draw: ImageDraw.ImageDraw, bar: Bar, y: float, colour: tuple[int, int, int]) -> None:
    letters = c.font(24)
    room = WIDTH - 2 * MARGIN
    amount = draw.textlength(bar.amount, font=letters)
    draw.text((WIDTH - MARGIN, y), bar.amount, c.TEXT, letters, anchor="ra")
    draw.text((MARGIN, y), c.fitting(draw, bar.name, letters, room - amount - 20), c.TEXT, letters)
    top = y + 32
    draw.rounded_rectangle((MARGIN, top, WIDTH - MARGIN, top + BAR), 6, fill=TRACK)
    part = min(max(bar.part, 0.0), 1.0)
    if part > 0:
        draw.rounded_rectangle((MARGIN, top, MARGIN + max(room * part, 8), top + BAR), 6, fill=colour)
