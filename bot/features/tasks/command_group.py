"""The `/task` group that the task cogs hang their subcommands on.

`default_member_permissions` is Send Messages: whoever may talk in a channel sees the commands, and what
they may do is decided here (`bot.discord.access`), denied by default. Managers can narrow it in Discord's own
Integrations page.
"""

from __future__ import annotations

import discord
from discord import app_commands

from bot import texts

TALKERS = discord.Permissions(send_messages=True)
TASK = app_commands.Group(
    name="task", description=texts.CMD["task"], guild_only=True, default_permissions=TALKERS
)
