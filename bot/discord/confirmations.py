"""Confirmations of final acts: the buttons go once one of them was used."""

from __future__ import annotations

from collections.abc import Awaitable

from bot.discord.context import Interaction
from bot.discord.error_reports import error_text
from bot.discord.interactions import acknowledge
from engine.errors import EngineError


async def settle(interaction: Interaction, act: Awaitable[str]) -> None:
    """Do what a confirmation asked about: its buttons go, and what came of it stands in their place.

    It stays as it is when the person may not (ActionRefused).
    """
    await acknowledge(interaction)
    try:
        said = await act
    except EngineError as error:
        said = error_text(error)
    await interaction.edit_original_response(content=said, view=None)
