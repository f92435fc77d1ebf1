"""Build modals that survive a restart: the custom id says what they are about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import discord

from bot.discord.context import Interaction
from bot.discord.formatting import cut

SubmitHandler = Callable[[Interaction, int, Mapping[str, str]], Awaitable[None]]

INPUTS, INPUT_TEXT = 5, 4000
"""Inputs of a window, and characters of one (Discord's rules)."""


@dataclass(frozen=True, slots=True)
class TextField:
    """One text input; labels are cut at Discord's 45 characters, values at its 4,000, a hint at
    its 100."""

    name: str
    label: str
    default: str = ""
    long: bool = True
    required: bool = True
    most: int = 4000
    hint: str = ""


MOST_ABOVE = 1_000
"""Characters of the text above the inputs of a modal."""


def window(custom_id: str, title: str, *asks: TextField, above: str = "") -> discord.ui.Modal:
    """Return a modal with these inputs, below the text `above`; its submission needs no state in memory."""
    modal = discord.ui.Modal(title=cut(title, 45), custom_id=custom_id, timeout=900)
    if above:
        modal.add_item(discord.ui.TextDisplay(cut(above, MOST_ABOVE)))
    for ask in asks:
        style = discord.TextStyle.paragraph if ask.long else discord.TextStyle.short
        box: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id=ask.name,
            style=style,
            default=cut(ask.default, ask.most) or None,
            required=ask.required,
            max_length=ask.most,
            placeholder=cut(ask.hint, 100) or None,
        )
        modal.add_item(discord.ui.Label(text=cut(ask.label, 45), component=box))
    return modal


def text_parts(text: str) -> list[tuple[str, str]]:
    """Cut a text to fit the inputs of one window: (how a part follows the one before, the part).

    "n" follows after a line break, "h" directly: Discord trims what is typed, so a break at a cut would be
    lost. A text that even five inputs do not hold is cut short by the last.
    """
    parts: list[tuple[str, str]] = []
    mark, rest = "h", text
    while rest and len(parts) < INPUTS:
        least = max(1, len(rest) - INPUT_TEXT * (INPUTS - len(parts) - 1))
        line = rest.rfind("\n", least, INPUT_TEXT) if len(rest) > INPUT_TEXT else -1
        cut_at = line if line > 0 else INPUT_TEXT
        parts.append((mark, rest[:cut_at]))
        mark, rest = ("n", rest[cut_at + 1 :]) if line > 0 else ("h", rest[cut_at:])
    return parts


def joined_parts(values: Mapping[str, str]) -> str:
    """Put together what was typed into the inputs of `text_parts`, named text, text2n, text3h, …"""
    text = values["text"]
    for name in sorted(name for name in values if name.startswith("text") and name != "text"):
        if values[name]:
            text += ("\n" if name.endswith("n") else "") + values[name]
    return text


def typed(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the submitted text by input name, from the raw data of a modal submission; "" for one that was
    not sent."""
    found = (
        (str(box["custom_id"]), str(box.get("value") or "")) for box in _inputs(data.get("components", []))
    )
    return defaultdict(str, found)


def inputs_of(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the submitted inputs of this name, from the raw data of a modal submission."""
    return [box for box in _inputs(data.get("components", [])) if box["custom_id"] == name]


def _inputs(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for component in components:
        if component.get("custom_id") is not None:
            yield component
        yield from _inputs(component.get("components", []))
        if "component" in component:
            yield from _inputs([component["component"]])
