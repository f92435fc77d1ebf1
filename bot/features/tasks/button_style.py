"""How the buttons of a task look; pressing them is handled by `bot.features.tasks.buttons`. Pure."""

from __future__ import annotations

from typing import Any

import discord

from bot import texts

STYLE = {
    "stop": discord.ButtonStyle.danger,
    "stop_yes": discord.ButtonStyle.danger,
    "resume": discord.ButtonStyle.success,
    "continue": discord.ButtonStyle.success,
    "pause": discord.ButtonStyle.primary,
}


def task_button(task_id: int, verb: str) -> discord.ui.Button[Any]:
    """Return the button that does `verb` to a task."""
    style = STYLE.get(verb, discord.ButtonStyle.secondary)
    return discord.ui.Button(
        label=texts.BUTTON.get(verb, verb), style=style, custom_id=f"task:{verb}:{task_id}"
    )
