"""Takes the buttons off a gate that was answered elsewhere, or closed because its task ended."""

from __future__ import annotations

import logging

import discord

from bot.desk import UNDELIVERED, Routes
from bot.ports import EngineApi
from bot.views.windows import closed_message
from engine.errors import NotFound
from engine.events import Event, GateClosed

log = logging.getLogger(__name__)


class GateCloser:
    """`take` events, `tick` to edit.

    A gate not posted yet keeps its buttons when it is: whoever presses one is told, and they go then. The
    same where Discord refuses the edit, because a webhook had to post the gate for want of permission.
    """

    def __init__(self, client: discord.Client, engine: EngineApi, routes: Routes) -> None:
        self._client, self._engine, self._routes = client, engine, routes
        self._closed: list[int] = []

    def take(self, event: Event) -> None:
        """Note a gate that closed."""
        if isinstance(event.body, GateClosed):
            self._closed.append(event.body.gate_id)

    async def tick(self) -> None:
        """Take off the buttons of those noted; what cannot be edited is logged and let go."""
        closed, self._closed = self._closed, []
        for gate_id in closed:
            try:
                await self._close(gate_id)
            except (*UNDELIVERED, NotFound) as error:
                log.info("the buttons of gate %s stay until pressed: %s", gate_id, error)

    async def _close(self, gate_id: int) -> None:
        sent = await self._routes.gate_message(gate_id)
        if sent is not None:
            gate = await self._engine.look.gate(gate_id)
            channel = self._client.get_partial_messageable(sent.channel_id)
            await channel.get_partial_message(sent.message_id).edit(**closed_message(gate))
