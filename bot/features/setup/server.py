"""React to changes of a server: the bot is removed, roles are deleted, permissions are withdrawn."""

from __future__ import annotations

import logging

import discord
from discord.ext import commands

from bot import texts
from bot.discord.access import Right, without_role
from bot.discord.context import Parts
from bot.discord.errors import UNDELIVERED
from bot.discord.identities import ROLE_DELETED, SERVER_LEFT, space_of
from bot.features.setup.doctor import IN_PLACE, lacking
from bot.features.welcome.buttons import welcome_view
from bot.features.welcome.greeting import welcome_text
from engine.commands import EndRepeat, PauseTask, RecordRules
from engine.errors import EngineError

log = logging.getLogger(__name__)
CLOSED = (discord.Forbidden, discord.NotFound)
"""A channel that does not take the bot's words; any other error is trouble that passes."""

ALL_TASKS = 100_000

ChannelOrThread = discord.abc.GuildChannel | discord.Thread


class ServerCog(commands.Cog):
    """Listens to the server itself."""

    def __init__(self, bot: discord.Client, parts: Parts) -> None:
        self.bot, self.parts = bot, parts
        self._lacking: dict[int, frozenset[str]] = {}

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Record missing permissions, so that only later losses are announced.

        The bot's own server on the loopback is never joined: there it says its welcome at the first start.
        """
        records = self.parts.records
        await self._left_meanwhile()
        for guild in self.bot.guilds:
            new = self.parts.alone and await records.fact(f"welcomed:{guild.id}") is None
            if await records.take_fact(f"welcome-due:{guild.id}") is not None or new:
                await self._welcome(guild)
            for place in await self._places(guild):
                self._lacking[place.id] = self._lack(place)

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Post the welcome message; retry posts that waited for this server."""
        self.parts.probes.again()
        await self._welcome(guild)

    async def _welcome(self, guild: discord.Guild) -> None:
        text = welcome_text(alone=self.parts.alone)
        for channel in (guild.system_channel, *guild.text_channels):
            if channel is not None and channel.permissions_for(guild.me).send_messages:
                try:
                    await channel.send(text, view=welcome_view(), silent=True, suppress_embeds=True)
                except UNDELIVERED as error:
                    log.warning("cannot say in %s how to begin: %s", channel, error)
                    if not isinstance(error, CLOSED):
                        await self.parts.records.set_fact(f"welcome-due:{guild.id}", "at the next session")
                        return
                else:
                    await self.parts.records.set_fact(f"welcomed:{guild.id}", channel.name)
                    return

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Pause tasks and end repeating tasks of a server the bot left: nobody can watch or stop them."""
        await self._leave(guild.id)

    async def _left_meanwhile(self) -> None:
        """Do the same for servers that the bot was removed from while it was away: a session begins with all
        that it is in, also those in an outage."""
        known = {guild.id for guild in self.bot.guilds}
        for guild_id in await self.parts.records.servers_of_tasks() - known:
            await self._leave(guild_id)

    async def _leave(self, guild_id: int) -> None:
        for repeat in await self.parts.engine.look.repeats(space_of(guild_id)):
            try:
                await self.parts.engine.handle(EndRepeat(repeat.id, SERVER_LEFT))
            except EngineError as error:
                log.warning("repeat %s of a server left could not be ended: %s", repeat.id, error)
        for task in await self.parts.engine.look.tasks(space_of(guild_id), ALL_TASKS, unended=True):
            if task.state == "running":
                try:
                    await self.parts.engine.handle(PauseTask(task.id, SERVER_LEFT))
                except EngineError as error:
                    log.warning("task %s of a server left could not be paused: %s", task.id, error)

    @commands.Cog.listener()
    async def on_guild_role_delete(self, role: discord.Role) -> None:
        """Remove a deleted role from the rules; managers keep its rights. The log and `/doctor` report it."""
        rules = await self.parts.records.rules(role.guild.id)
        if any(role.id in rules.roles(right) for right in Right):
            lost = {right.value: "" for right in Right if role.id in rules.roles(right)}
            record = self.parts.engine.recording(RecordRules(space_of(role.guild.id), lost, ROLE_DELETED))
            await self.parts.records.set_rules(without_role(rules, role.id), rules, record)
            log.warning("role %s of server %s carried rights and was deleted", role.id, role.guild.id)

    @commands.Cog.listener()
    async def on_guild_role_update(self, before: discord.Role, after: discord.Role) -> None:
        """Announce permissions lost by a change to a role."""
        if before.permissions != after.permissions:
            await self._compare(after.guild)

    @commands.Cog.listener()
    async def on_member_update(self, before: discord.Member, after: discord.Member) -> None:
        """Announce permissions lost because a role was taken from the bot itself."""
        if after.id == after.guild.me.id and before.roles != after.roles:
            await self._compare(after.guild)

    @commands.Cog.listener()
    async def on_guild_channel_update(
        self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel
    ) -> None:
        """Announce permissions lost by a change to a channel."""
        if before.overwrites != after.overwrites:
            await self._compare(after.guild)

    async def _places(self, guild: discord.Guild) -> list[ChannelOrThread]:
        ids = await self.parts.records.open_channels()
        return [place for i in ids if (place := guild.get_channel_or_thread(i)) is not None]

    def _lack(self, place: ChannelOrThread) -> frozenset[str]:
        return frozenset(lacking(place.permissions_for(place.guild.me), IN_PLACE))

    async def _compare(self, guild: discord.Guild) -> None:
        """Announce once, in each place, the permissions lost there."""
        for place in await self._places(guild):
            now = self._lack(place)
            lost = now - self._lacking.get(place.id, frozenset())
            self._lacking[place.id] = now
            if lost:
                await self._announce(place, sorted(lost))

    async def _announce(self, place: ChannelOrThread, lost: list[str]) -> None:
        words = texts.PERMISSION_LOST.format(where=place.mention, missing=", ".join(lost))
        elsewhere, heals = place.guild.system_channel, False
        for target in (place, elsewhere):
            if isinstance(target, discord.abc.Messageable):
                try:
                    await target.send(words, silent=True, suppress_embeds=True)
                except UNDELIVERED as error:
                    log.warning("cannot say in %s what is missing there: %s", target, error)
                    heals = heals or not isinstance(error, CLOSED)
                else:
                    return
        if heals:
            key = f"lost:{place.id}:{','.join(lost)}:{self.parts.now():.0f}"
            await self.parts.notices.say_in(key, place.guild.id, place.id, words)
