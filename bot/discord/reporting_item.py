"""What every button and select of the bot has in common: its errors reach the person who pressed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from bot.discord.context import Interaction
from bot.discord.error_reports import report


class ReportingItem(ABC):
    """Mixed into a DynamicItem: `pressed` does the work.

    discord.py only logs what a dynamic item raises, which would leave "This interaction failed" with
    no next step; so everything raised here is reported to the person instead.
    """

    async def callback(self, interaction: Interaction) -> Any:
        """Run `pressed`, report whatever it raises."""
        try:
            await self.pressed(interaction)
        except Exception as error:  # noqa: BLE001 - the boundary to the person, who is told
            await report(interaction, error)

    @abstractmethod
    async def pressed(self, interaction: Interaction) -> None:
        """Do what the button says."""
