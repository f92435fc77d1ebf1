"""Words that a proxy repeated while the bot could not hear who wrote them: who may steer passes them on.

The line below them has one button for all of a channel: which ones is in its id, and read again when it is
pressed. Whoever presses it gives them to the agents in their own name, with their own right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol, cast

import discord
from discord.ext import commands

from bot import texts
from bot.discord.context import Interaction
from bot.discord.errors import ActionRefused
from bot.discord.formatting import many
from bot.discord.interactions import acknowledge, answer, requester, tidy
from bot.discord.reporting_item import ReportingItem
from bot.places.notices import Notices
from bot.texts import refusals

MOST = 1000
"""Messages that are read at one press."""


class PassesOn(Protocol):
    """Delivers copies (`bot.features.replies.cog`)."""

    async def pass_on(self, copy: discord.Message, person: discord.Member) -> bool:
        """Deliver a known proxy's copy in the name of a person; return False for any other message, and for
        what an agent has. Raises ActionRefused without the right."""


async def ask_whose(bot: discord.Client, notices: Notices, channel_id: int, copies: Sequence[int]) -> None:
    """Say below what a proxy repeated meanwhile that no agent has it yet, with the button that passes it on.

    Where nothing can be said it comes later or elsewhere, without the button.
    """
    channel = bot.get_channel(channel_id)
    guild_id = channel.guild.id if isinstance(channel, discord.abc.GuildChannel | discord.Thread) else 0
    link = f"https://discord.com/channels/{guild_id}/{channel_id}/{copies[0]}"
    text = texts.WHOSE.format(count=many(len(copies), "message"), link=link)
    view = discord.ui.View(timeout=None)
    view.add_item(PassOnButton(copies[0], copies[-1]))
    try:
        await bot.get_partial_messageable(channel_id).send(text, view=view, silent=True, suppress_embeds=True)
    except discord.Forbidden:
        await notices.say_in(f"whose:{copies[-1]}", guild_id, channel_id, text)


class PassOnButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"whose:(?P<first>\d{1,20}):(?P<last>\d{1,20})",
):
    """`whose:<first message id>:<last message id>`, in the channel of the messages."""

    def __init__(self, first: int, last: int) -> None:
        label = texts.BUTTON["pass_on"]
        super().__init__(discord.ui.Button(label=label, custom_id=f"whose:{first}:{last}"))
        self.first, self.last = first, last

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> PassOnButton:
        """The button that was pressed, from its id alone."""
        return cls(int(match["first"]), int(match["last"]))

    async def pressed(self, interaction: Interaction) -> None:
        """Deliver what stands there unmarked, and say how many."""
        await acknowledge(interaction)
        requester(interaction)
        person = cast(discord.Member, interaction.user)
        replies = cast(PassesOn, cast(commands.Bot, interaction.client).cogs["RepliesCog"])
        channel = interaction.client.get_partial_messageable(interaction.channel_id or 0)
        after, before = discord.Object(self.first - 1), discord.Object(self.last + 1)
        count = 0
        async for copy in channel.history(limit=MOST, after=after, before=before, oldest_first=True):
            count += await replies.pass_on(copy, person)
        if not count:
            raise ActionRefused(refusals.NOTHING_LEFT_TO_GIVE)
        await tidy(interaction, view=None)
        await answer(interaction, texts.PASSED_ON.format(count=many(count, "message")))
