"""Build the notice that part of a month's budget is used as a post (pure), for those who may raise it."""

from __future__ import annotations

from bot.discord.identities import guild_of
from bot.notifications.gate_reminder import Watchers
from bot.outbox.post import Lane, Post
from bot.texts.months import reached_text
from engine.events import MonthBudgetReached


def month_reached(body: MonthBudgetReached, seq: int, watchers: Watchers) -> Post | None:
    """Return the post, which mentions nobody; None for a space that is not on Discord."""
    guild_id = guild_of(body.space)
    if guild_id is None:
        return None
    # No channel has the server's id: without a channel of theirs the post goes to the system channel.
    channel_id = watchers.alerts_id or guild_id
    return Post(0, 0, seq, "note", Lane.STATUS, reached_text(body), channel_id=channel_id, guild_id=guild_id)
