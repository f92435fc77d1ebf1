"""Build the notice of a paused repeating task as a post (pure), for the channel it was created in."""

from __future__ import annotations

from bot import texts
from bot.discord.formatting import plain
from bot.discord.identities import guild_of, origin_channel
from bot.outbox.post import Lane, Post
from engine.events import RepeatPaused


def repeat_paused(body: RepeatPaused, seq: int) -> Post | None:
    """Return the post, None for a repeating task that was not created on Discord.

    Without a stored origin (older versions) the post goes to the server's system channel.
    """
    guild_id = guild_of(body.space)
    if guild_id is None:
        return None
    text = texts.REPEAT_PAUSED.format(id=body.repeat_id, goal=plain(body.goal, 120), why=body.reason)
    # No channel has the server's id: sending fails, and the post goes to the system channel.
    channel_id = origin_channel(body.origin) or guild_id
    return Post(0, 0, seq, "note", Lane.STATUS, text, silent=False, channel_id=channel_id, guild_id=guild_id)
