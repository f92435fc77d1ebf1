"""What the bot says where no agents work: its welcome, and the offer to start a person's words as a task."""

from __future__ import annotations

import discord

from bot.discord.context import Parts
from bot.discord.formatting import cut
from bot.features.welcome import texts
from bot.features.welcome.buttons import keep_offer, welcome_view
from bot.outbox.render import defused

SHOWN = 900
"""Characters of a goal that an offer shows; all of them are kept."""


def welcome_text(*, alone: bool) -> str:
    """Return the welcome of a server."""
    said = [texts.WELCOME, texts.WRITE_HERE if alone else texts.WRITE_ME, texts.MORE]
    return "\n".join(said if alone else [*said, texts.FOR_MANAGERS])


async def offer(message: discord.Message, words: str, parts: Parts) -> None:
    """Answer words that are for no agent: with the button that starts them, or with the welcome."""
    goal = words.strip()
    if not goal and not message.attachments:
        await message.reply(
            welcome_text(alone=parts.alone),
            view=welcome_view(),
            mention_author=False,
            silent=True,
            suppress_embeds=True,
        )
        return
    guild_id = message.guild.id if message.guild is not None else 0
    number = await keep_offer(parts, guild_id, goal, message.attachments)
    shown = cut(defused(goal), SHOWN) or ", ".join(file.filename for file in message.attachments)
    await message.reply(
        texts.OFFER.format(goal=shown),
        view=welcome_view(number),
        mention_author=False,
        silent=True,
        suppress_embeds=True,
    )
