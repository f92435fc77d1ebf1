"""Route submitted modals by their custom id, so that one opened before a restart still works."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import discord
from discord.ext import commands

from bot.app.windows import WINDOWS
from bot.discord.context import Interaction
from bot.discord.error_reports import report
from bot.discord.identities import number_in
from bot.discord.windows import SubmitHandler, typed
from bot.features.tasks.new import goal_typed

ALL: Mapping[str, SubmitHandler] = {**WINDOWS, "goal": goal_typed}

WORDS: Mapping[str, str] = {"goal": "goal", "say": "text", "edit": "text", "gate": "text", "continue": "text"}
"""Windows in which people write at length, and how the names of the inputs for that begin."""


class WindowsCog(commands.Cog):
    """Listens for modal submissions."""

    @commands.Cog.listener()
    async def on_interaction(self, interaction: Interaction) -> None:
        """Pass a submission to the handler of its kind."""
        if interaction.type is not discord.InteractionType.modal_submit or not interaction.data:
            return
        kind, _, number = str(interaction.data.get("custom_id", "")).partition(":")
        if kind not in ALL or not number.isdecimal():
            return
        values = typed(interaction.data)
        try:
            await ALL[kind](interaction, number_in(number), values)
        except Exception as error:  # noqa: BLE001 - errors are reported to the person
            await report(interaction, error, _given_back(kind, values))


def _given_back(kind: str, values: Mapping[str, str]) -> list[discord.File]:
    """What was typed, as a file: a window that is refused would lose it."""
    if kind not in WORDS:
        return []
    words = "\n".join(text for name, text in values.items() if text and name.startswith(WORDS[kind]))
    return [discord.File(BytesIO(words.encode()), f"{kind}.txt")] if words else []
