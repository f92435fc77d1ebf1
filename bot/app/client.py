"""The Discord client: loads cogs and buttons, registers commands; its components are passed in."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Sequence
from typing import Any

import discord
from discord.ext import commands

from bot.app.settings import BotSettings
from bot.app.window_router import WindowsCog
from bot.discord.context import Parts
from bot.discord.error_reports import on_command_error
from bot.discord.errors import UNDELIVERED
from bot.discord.request_stop import RequestStop
from bot.features.agents.buttons import AgentButton
from bot.features.agents.cog import AgentCog, GroupCog
from bot.features.agents.menus import MenusCog, SpeakersButton
from bot.features.agents.step_buttons import StepButton
from bot.features.audit.cog import AuditCog
from bot.features.audit.pages import AuditButton
from bot.features.files.browser import FileButton, FilesButton, FileSelect
from bot.features.follow.cog import FollowCog
from bot.features.gates.buttons import GateButton
from bot.features.gates.cog import GatesCog
from bot.features.memory.cog import MemoryCog
from bot.features.reactions.cog import ReactionsCog
from bot.features.repeats.buttons import RepeatButton
from bot.features.replies.cog import RepliesCog
from bot.features.replies.unknown_copies import PassOnButton
from bot.features.setup.cog import SetupCog
from bot.features.setup.doctor import DoctorCog
from bot.features.setup.help import HelpCog
from bot.features.setup.server import ServerCog
from bot.features.spend.cog import SpendCog
from bot.features.tasks.buttons import TaskButton
from bot.features.tasks.cog import TaskCog
from bot.features.tasks.continuing import ContinueButton
from bot.features.tasks.pages import PageButton
from bot.features.tools.cog import ToolsCog
from bot.features.tools.sign_in import SignInButton
from bot.features.welcome.buttons import OfferButton, WelcomeButton

log = logging.getLogger(__name__)

SYNC_PAUSE_S, LONGEST_SYNC_PAUSE_S = 30.0, 3600.0
"""Between attempts to send commands that Discord did not take; doubled each time."""

ITEMS = (
    WelcomeButton,
    OfferButton,
    TaskButton,
    ContinueButton,
    PageButton,
    AuditButton,
    StepButton,
    SpeakersButton,
    GateButton,
    AgentButton,
    FileButton,
    FileSelect,
    FilesButton,
    RepeatButton,
    SignInButton,
    PassOnButton,
)


def intents(message_content: bool) -> discord.Intents:
    """Return the gateway intents: servers and messages, message content if enabled."""
    chosen = discord.Intents.none()
    chosen.guilds = chosen.guild_messages = chosen.guild_reactions = True
    chosen.message_content = message_content
    return chosen


def commanding(bot: commands.Bot) -> Sequence[commands.Cog]:
    """Return the cogs of all commands and menus."""
    return (
        TaskCog(),
        AgentCog(),
        GroupCog(),
        FollowCog(),
        MemoryCog(),
        SetupCog(),
        DoctorCog(),
        AuditCog(),
        SpendCog(),
        ToolsCog(),
        HelpCog(bot),
        MenusCog(bot),
    )


class MegaBot(commands.Bot):
    """The Discord client: give it what its commands and buttons work with (`use`), then start it.

    Commands are registered globally: they are the same everywhere, a new server has them at once, and no
    server uses up its 200 registrations a day. They are sent only when they changed.
    """

    parts: Parts

    def __init__(
        self,
        settings: BotSettings,
        *,
        message_content: bool,
        stop: RequestStop | None = None,
        **options: Any,
    ) -> None:
        self.request_stop = stop or RequestStop()
        self._syncing: asyncio.Task[None] | None = None
        super().__init__(
            commands.when_mentioned,
            http_trace=self.request_stop.trace(),
            help_command=None,
            intents=intents(message_content),
            allowed_contexts=discord.app_commands.AppCommandContext(
                guild=True, dm_channel=False, private_channel=False
            ),
            allowed_installs=discord.app_commands.AppInstallationType(guild=True, user=False),
            allowed_mentions=discord.AllowedMentions.none(),
            max_ratelimit_timeout=settings.max_ratelimit_timeout_s,
            **options,
        )

    def set_parts(self, parts: Parts) -> None:
        """Set the components that commands and buttons use; once, before the start."""
        self.parts = parts

    async def setup_hook(self) -> None:
        """Load everything before the first event arrives."""
        self.tree.on_error = on_command_error  # type: ignore[method-assign]
        self.add_dynamic_items(*ITEMS)
        if not self.cogs:  # a login is repeated after a ban
            for cog in self._cogs():
                await self.add_cog(cog)
        if self.parts.settings.sync_commands:
            await self._sync_or_later()

    async def close(self) -> None:
        """Disconnect."""
        if self._syncing is not None:
            self._syncing.cancel()
        await super().close()

    async def _sync_or_later(self) -> None:
        """Send the commands. What Discord does not take now is sent later: people's words and buttons work
        without that, and so do the commands of the last start."""
        try:
            await self._sync()
        except UNDELIVERED as error:
            log.warning("commands are sent to Discord later: %s", error)
            self._syncing = asyncio.create_task(self._sync_until_taken())

    async def _sync_until_taken(self) -> None:
        pause = SYNC_PAUSE_S
        while True:
            await asyncio.sleep(pause)
            try:
                await self._sync()
            except UNDELIVERED as error:
                pause = min(2 * pause, LONGEST_SYNC_PAUSE_S)
                log.warning("commands are sent to Discord in %.0f s: %s", pause, error)
            else:
                return

    def _cogs(self) -> Sequence[commands.Cog]:
        return (
            *commanding(self),
            WindowsCog(ITEMS),
            RepliesCog(self, self.parts),
            GatesCog(self, self.parts),
            ReactionsCog(self, self.parts),
            ServerCog(self, self.parts),
        )

    async def on_message(self, message: discord.Message, /) -> None:
        """No prefix commands: people's messages are for agents (`RepliesCog`)."""

    async def _sync(self) -> None:
        """Send the commands if they changed, or if Discord does not have them (another application)."""
        wanted = command_digest(self)
        known = {(command.name, command.type) for command in await self.tree.fetch_commands()}
        mine = {
            (c.name, getattr(c, "type", discord.AppCommandType.chat_input)) for c in self.tree.get_commands()
        }
        if known == mine and await self.parts.records.fact("commands") == wanted:
            return
        await self.tree.sync()
        await self.parts.records.set_fact("commands", wanted)
        log.info("commands sent to Discord")


def command_digest(bot: commands.Bot) -> str:
    """Return a digest of the command set and its application."""
    drawn = [command.to_dict(bot.tree) for command in bot.tree.get_commands()]
    text = json.dumps([bot.application_id, sorted(drawn, key=str)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
