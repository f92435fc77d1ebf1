"""Build modals that survive a restart: the custom id says what they are about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import discord

from bot.discord.context import Interaction
from bot.discord.formatting import cut

SubmitHandler = Callable[[Interaction, int, Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class TextField:
    """One text input; labels are cut at Discord's 45 characters, values at its 4,000."""

    name: str
    label: str
    default: str = ""
    long: bool = True
    required: bool = True
    most: int = 4000


def window(custom_id: str, title: str, *asks: TextField) -> discord.ui.Modal:
    """Return a modal with these inputs; its submission needs no state in memory."""
    modal = discord.ui.Modal(title=cut(title, 45), custom_id=custom_id, timeout=900)
    for ask in asks:
        style = discord.TextStyle.paragraph if ask.long else discord.TextStyle.short
        box: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id=ask.name,
            style=style,
            default=cut(ask.default, ask.most) or None,
            required=ask.required,
            max_length=ask.most,
        )
        modal.add_item(discord.ui.Label(text=cut(ask.label, 45), component=box))
    return modal


def typed(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the submitted text by input name, from the raw data of a modal submission."""
    return {str(box["custom_id"]): str(box.get("value") or "") for box in _inputs(data.get("components", []))}


def _inputs(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for component in components:
        if component.get("custom_id") is not None:
            yield component
        yield from _inputs(component.get("components", []))
        if "component" in component:
            yield from _inputs([component["component"]])
