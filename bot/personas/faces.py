"""Draw the face of a persona; the same for the same name. Pure."""

from __future__ import annotations

import hashlib
import io
from colorsys import hls_to_rgb

from PIL import Image, ImageDraw

FACES = 1200
"""Different drawings: below the 2,000 emojis an application may have."""


_HUES = (4, 22, 40, 58, 95, 140, 168, 190, 212, 240, 275, 320)


_SHAPES, _EYES, _MOUTHS = 4, 5, 5


_SIDE = 128


_INK = (32, 34, 41)


def face_number(name: str) -> int:
    """Which of the `FACES` drawings belongs to a name; the same on every machine."""
    return int.from_bytes(hashlib.sha256(name.casefold().encode()).digest()[:8], "big") % FACES


def template_url(template: str, name: str) -> str:
    """Return the operator's avatar address for a name. `{seed}` is replaced by letters that belong to the
    name and do not tell it: agents choose names, and Discord fetches the address."""
    return template.replace("{seed}", hashlib.sha256(name.casefold().encode()).hexdigest()[:12])


def default_url(name: str) -> str:
    """One of Discord's own six pictures, for when a drawn face cannot be shown."""
    return f"https://cdn.discordapp.com/embed/avatars/{face_number(name) % 6}.png"


def face_png(number: int) -> bytes:
    """Drawing `number` (0 to FACES - 1) as a PNG of 128 x 128 pixels, legible at 40."""
    number, hue = divmod(number, len(_HUES))
    number, shape = divmod(number, _SHAPES)
    mouth, eyes = divmod(number, _EYES)
    big = _SIDE * 4
    image = Image.new("RGB", (big, big), _colour(_HUES[hue], 0.30))
    pen = ImageDraw.Draw(image)
    _head(pen, shape, big, _colour(_HUES[hue], 0.86), _colour(_HUES[hue], 0.55))
    _draw_eyes(pen, eyes, big)
    _draw_mouth(pen, mouth, big)
    out = io.BytesIO()
    image.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


def _colour(hue: int, light: float) -> tuple[int, int, int]:
    red, green, blue = hls_to_rgb(hue / 360, light, 0.72)
    return round(red * 255), round(green * 255), round(blue * 255)


def _box(big: int, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    """A box around the point (x, y); all in parts of the picture's side."""
    return ((x - width / 2) * big, (y - height / 2) * big, (x + width / 2) * big, (y + height / 2) * big)


def _head(
    pen: ImageDraw.ImageDraw, shape: int, big: int, skin: tuple[int, int, int], trim: tuple[int, int, int]
) -> None:
    if shape == 0:
        pen.ellipse(_box(big, 0.5, 0.54, 0.72, 0.76), fill=skin)
        pen.pieslice(_box(big, 0.5, 0.42, 0.76, 0.62), 180, 360, fill=trim)
    elif shape == 1:
        pen.line((0.5 * big, 0.08 * big, 0.5 * big, 0.25 * big), fill=trim, width=big // 24)
        pen.ellipse(_box(big, 0.5, 0.1, 0.13, 0.13), fill=trim)
        pen.rounded_rectangle(_box(big, 0.5, 0.56, 0.70, 0.66), big // 8, fill=skin)
    elif shape == 2:
        pen.polygon([(0.17 * big, 0.42 * big), (0.22 * big, 0.08 * big), (0.46 * big, 0.26 * big)], fill=trim)
        pen.polygon([(0.83 * big, 0.42 * big), (0.78 * big, 0.08 * big), (0.54 * big, 0.26 * big)], fill=trim)
        pen.ellipse(_box(big, 0.5, 0.55, 0.74, 0.70), fill=skin)
    else:
        pen.ellipse(_box(big, 0.15, 0.56, 0.20, 0.24), fill=trim)
        pen.ellipse(_box(big, 0.85, 0.56, 0.20, 0.24), fill=trim)
        pen.rounded_rectangle(_box(big, 0.5, 0.54, 0.64, 0.74), big // 4, fill=skin)


def _draw_eyes(pen: ImageDraw.ImageDraw, eyes: int, big: int) -> None:
    for x in (0.37, 0.63):
        if eyes == 0:
            pen.ellipse(_box(big, x, 0.50, 0.10, 0.13), fill=_INK)
        elif eyes == 1:
            pen.arc(_box(big, x, 0.53, 0.15, 0.14), 190, 350, fill=_INK, width=big // 26)
        elif eyes == 2:
            pen.ellipse(_box(big, x, 0.50, 0.19, 0.19), fill=(255, 255, 255), outline=_INK, width=big // 40)
            pen.ellipse(_box(big, x + 0.02, 0.51, 0.08, 0.09), fill=_INK)
        elif eyes == 3:
            pen.rounded_rectangle(_box(big, x, 0.50, 0.17, 0.07), big // 40, fill=_INK)
        else:
            pen.rounded_rectangle(
                _box(big, x, 0.50, 0.23, 0.17), big // 24, fill=(255, 255, 255), outline=_INK, width=big // 32
            )
            pen.ellipse(_box(big, x, 0.50, 0.07, 0.07), fill=_INK)
    if eyes == 4:
        pen.line((0.47 * big, 0.49 * big, 0.53 * big, 0.49 * big), fill=_INK, width=big // 32)


def _draw_mouth(pen: ImageDraw.ImageDraw, mouth: int, big: int) -> None:
    if mouth == 0:
        pen.arc(_box(big, 0.5, 0.66, 0.28, 0.18), 15, 165, fill=_INK, width=big // 26)
    elif mouth == 1:
        pen.line((0.40 * big, 0.72 * big, 0.60 * big, 0.72 * big), fill=_INK, width=big // 26)
    elif mouth == 2:
        pen.pieslice(_box(big, 0.5, 0.67, 0.28, 0.24), 0, 180, fill=_INK)
        pen.pieslice(_box(big, 0.5, 0.69, 0.20, 0.12), 0, 180, fill=(255, 255, 255))
    elif mouth == 3:
        pen.ellipse(_box(big, 0.5, 0.73, 0.11, 0.12), fill=_INK)
    else:
        pen.arc(_box(big, 0.53, 0.66, 0.22, 0.16), 20, 120, fill=_INK, width=big // 22)
