"""Route submitted modals by their custom id, so that one opened before a restart still works.

A button or window that this version does not know is answered, too: Discord would only say that it failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import discord
from discord.ext import commands

from bot.app.windows import WINDOWS
from bot.discord.context import Interaction
from bot.discord.error_reports import report
from bot.discord.errors import ActionRefused
from bot.discord.identities import number_in
from bot.discord.windows import SubmitHandler, typed
from bot.features.tasks.new import goal_typed
from bot.texts import refusals

ALL: Mapping[str, SubmitHandler] = {**WINDOWS, "goal": goal_typed}

WORDS: Mapping[str, str] = {"goal": "goal", "say": "text", "edit": "text", "gate": "text", "continue": "text"}
"""Windows in which people write at length, and how the names of the inputs for that begin."""


class WindowsCog(commands.Cog):
    """Listens for modal submissions, and for components that are none of `items`."""

    def __init__(self, items: Sequence[type[discord.ui.DynamicItem[Any]]]) -> None:
        self._known = [item.__discord_ui_compiled_template__ for item in items]

    @commands.Cog.listener()
    async def on_interaction(self, interaction: Interaction) -> None:
        """Pass a submission to the handler of its kind; refuse what no handler knows."""
        custom_id = str(interaction.data.get("custom_id", "")) if interaction.data else ""
        if interaction.type is discord.InteractionType.component:
            if not any(form.fullmatch(custom_id) for form in self._known):
                await report(interaction, ActionRefused(refusals.OTHER_VERSION))
        elif interaction.type is discord.InteractionType.modal_submit and interaction.data:
            await self._submitted(interaction, custom_id, typed(interaction.data))

    async def _submitted(self, interaction: Interaction, custom_id: str, values: Mapping[str, str]) -> None:
        kind, _, number = custom_id.partition(":")
        if kind not in ALL or not number.isdecimal():
            unknown = ActionRefused(refusals.OTHER_VERSION)
            await report(interaction, unknown, _given_back(kind, values))
            return
        try:
            await ALL[kind](interaction, number_in(number), values)
        except Exception as error:  # noqa: BLE001 - errors are reported to the person
            await report(interaction, error, _given_back(kind, values))


def _given_back(kind: str, values: Mapping[str, str]) -> list[discord.File]:
    """What was typed, as a file: a window that is refused would lose it."""
    if kind in ALL and kind not in WORDS:
        return []
    begins = WORDS.get(kind, "")
    words = "\n".join(text for name, text in values.items() if text and name.startswith(begins))
    name = kind if kind in ALL else "words"
    return [discord.File(BytesIO(words.encode()), f"{name}.txt")] if words else []
