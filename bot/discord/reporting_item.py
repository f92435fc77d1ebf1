"""The base of the bot's buttons and selects: their errors are reported to the person who used them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from bot.discord.context import Interaction
from bot.discord.error_reports import report


class ReportingItem(ABC):
    """Mixin for a DynamicItem; subclasses implement `pressed`.

    discord.py only logs what a dynamic item raises, which would leave "This interaction failed" with
    no next step; so everything raised here is reported to the person instead.
    """

    async def callback(self, interaction: Interaction) -> Any:
        """Run `pressed` and report any error to the person."""
        try:
            await self.pressed(interaction)
        except Exception as error:  # noqa: BLE001 - errors are reported to the person
            await report(interaction, error)

    @abstractmethod
    async def pressed(self, interaction: Interaction) -> None:
        """Carry out the button's action."""
