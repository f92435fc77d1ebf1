"""Interfaces of the bot: the engine as the bot sees it, and callables shared between rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

import discord

from engine.commands import Command, RecordRules, RecordSignIn, RecordSignOut
from engine.events import Event
from engine.ports import Record
from engine.queries import GateView, Queries, TaskView

BuildGateButtons = Callable[[GateView], discord.ui.View]
"""Build the buttons of an open gate; they must work after a restart."""


BuildClosedGate = Callable[[GateView, TaskView], Mapping[str, Any]]
"""Build the edit (arguments of `Message.edit`) of the message of an answered or closed gate."""


class EngineApi(Protocol):
    """The engine: commands in, events out, and queries (`look`)."""

    look: Queries

    async def handle(self, command: Command) -> int:
        """Carry out `command` and return the id of the created or changed object.

        Raises NotFound, WrongState and Invalid, each with a message that can be shown to people.
        """

    def recording(self, command: RecordRules | RecordSignIn | RecordSignOut) -> Record:
        """Return what adds a decision that is carried out elsewhere to the audit trail, for the transaction
        that carries it out."""

    def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Yield every event with `seq > after` in order, then new events as they occur; never ends."""
