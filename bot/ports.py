"""What the bot needs of the world: the engine as it sees it, and how its pieces see each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

import discord

from engine.commands import Command
from engine.events import Event
from engine.queries import GateView, Queries

BuildGateButtons = Callable[[GateView], discord.ui.View]
"""Builds the buttons of an open gate; they must work after a restart."""


BuildClosedGate = Callable[[GateView], Mapping[str, Any]]
"""What the message of a gate that was answered or is closed changes to, as arguments of an edit."""


class EngineApi(Protocol):
    """The engine: commands in, events out, queries to look."""

    look: Queries

    async def handle(self, command: Command) -> int:
        """Carry out `command`, return the id of what was made or changed.

        Raises NotFound, WrongState and Invalid, each with a text fit to be shown to a person.
        """

    def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Every event with `seq > after` in order, then those to come, without end."""
