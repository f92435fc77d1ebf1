"""Colours and fonts of the pictures: Discord's dark grey; DejaVu if installed, else Pillow's font."""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

BACKGROUND = (49, 51, 56)
PANEL = (43, 45, 49)
LINE = (92, 96, 105)
TEXT = (242, 243, 245)
QUIET = (165, 169, 178)
STATE = {
    "working": (59, 165, 93),
    "idle": (128, 132, 142),
    "paused": (250, 166, 26),
    "dismissed": (90, 60, 62),
}
DEPTHS = ((88, 101, 242), (0, 168, 181), (235, 120, 65), (184, 90, 214), (222, 184, 65))

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=32)
def font(size: int, bold: bool = False) -> Font:
    """Letters of `size` pixels."""
    try:
        return ImageFont.truetype(f"DejaVuSans{'-Bold' if bold else ''}.ttf", size)
    except OSError:
        return ImageFont.load_default(size)


def state_colour(state: str) -> tuple[int, int, int]:
    """Colour of what an agent is doing."""
    return STATE.get(state, STATE["idle"])


def depth_colour(depth: int) -> tuple[int, int, int]:
    """Colour of a level of the organisation."""
    return DEPTHS[depth % len(DEPTHS)]


def fitting(draw: ImageDraw.ImageDraw, text: str, letters: Font, width: float) -> str:
    """`text` on one line, cut with an ellipsis so that it is at most `width` pixels wide."""
    text = " ".join(text.split())
    if draw.textlength(text, font=letters) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if draw.textlength(text[:middle] + "…", font=letters) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def png(image: Image.Image) -> bytes:
    """The picture as PNG; flat colours pack well without a palette, which would bend the states' colours."""
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=7)
    return out.getvalue()
