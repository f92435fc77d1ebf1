"""Ask an open question once more whose message people deleted, alone or with the channel it stood in.

Without its message nobody could answer it. Whoever deletes it again does not want it asked: what is left then
is its default.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import discord
from discord.ext import commands

from bot.discord.context import Parts
from bot.discord.errors import UNDELIVERED
from bot.outbox.outcomes import UNKNOWN_CHANNEL, UNKNOWN_MESSAGE
from engine.errors import NotFound

log = logging.getLogger(__name__)

GONE = (UNKNOWN_CHANNEL, UNKNOWN_MESSAGE)

MOST_TASKS = 1000
"""Tasks that have not ended whose open questions are looked at after the bot was away."""


class GatesCog(commands.Cog):
    """Listens to deletions of messages, channels and threads, and looks for those of the time away."""

    def __init__(self, bot: discord.Client, parts: Parts) -> None:
        self.bot, self.parts = bot, parts

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Look for the messages of all open questions."""
        await self._look()

    @commands.Cog.listener()
    async def on_guild_available(self, _guild: discord.Guild) -> None:
        """An outage is over; those that come with a new session are followed by READY."""
        if self.bot.is_ready():
            await self._look()

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Ask again if the message was an open question."""
        await self._deleted([payload.message_id])

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Ask again those of the messages that were open questions."""
        await self._deleted(payload.message_ids)

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Ask again what was asked in the channel or its threads."""
        await self._ask_again(await self.parts.routes.gates_in(channel.id))

    @commands.Cog.listener()
    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """Ask again what was asked in the thread."""
        await self._ask_again(await self.parts.routes.gates_in(payload.thread_id))

    async def _deleted(self, message_ids: Iterable[int]) -> None:
        found = [await self.parts.routes.gate_of(message_id) for message_id in message_ids]
        await self._ask_again([gate_id for gate_id in found if gate_id is not None])

    async def _look(self) -> None:
        look = self.parts.engine.look
        for task in await look.tasks(limit=MOST_TASKS, unended=True):
            for gate in await look.gates(task.id) if task.open_gates else ():
                where = await self.parts.routes.gate_message(gate.id)
                if where is not None and await self._is_gone(where.channel_id, where.message_id):
                    await self._ask_again([gate.id])

    async def _is_gone(self, channel_id: int, message_id: int) -> bool:
        try:
            await self.bot.get_partial_messageable(channel_id).fetch_message(message_id)
        except discord.NotFound as error:
            return error.code in GONE
        except UNDELIVERED as error:
            log.info("whether question %s still stands is not known: %s", message_id, error)
        return False

    async def _ask_again(self, gate_ids: Iterable[int]) -> None:
        for gate_id in gate_ids:
            try:
                gate = await self.parts.engine.look.gate(gate_id)
            except NotFound:
                continue
            if gate.basis is None and await self.parts.routes.ask_again(gate_id, self.parts.now()):
                log.info("the message of question %s was deleted: it is asked again", gate_id)
                await self.parts.cards.refresh(gate.task_id)
