"""Find the agent that a message in a group's place addresses, and what it is a reply to (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import discord

from bot.discord.formatting import unmarked
from engine.queries import AgentView

_LEADING = re.compile(r"^(?:<@!?\d+>\s*)+")
"""Whom a post notifies, before its words."""

SMALL = "-# "
"""What a line begins with that says what an agent did beside its words."""


def named(text: str, agents: Sequence[AgentView]) -> tuple[AgentView, str] | None:
    """Return the agent named at the start ("@Ada …", "Ada, …", "Ada: …") and the text after the name.

    The longest name wins, so "Ada Byron, …" is not for Ada. A bare "Ada …" is talk about her, not to her.
    """
    there = [agent for agent in agents if agent.state != "dismissed"]
    for agent in sorted(there, key=lambda a: -len(a.name)):
        name = re.escape(agent.name)
        match = re.match(rf"\s*(?:@{name}(?![\w-])[,:]?|{name}\s?[,:])\s*", text, re.IGNORECASE)
        if match:
            return agent, text[match.end() :] or text.strip()
    return None


def replied_words(message: discord.Message) -> str:
    """Return the words of the post that a message is a reply to, without whom it notifies and without marks;
    "" where there are none to be read."""
    post = message.reference.resolved if message.reference else None
    if not isinstance(post, discord.Message):
        return ""
    content = _LEADING.sub("", post.content)
    lines = (line.strip() for line in content.split("\n") if not line.startswith(SMALL))
    return unmarked(" ".join(line for line in lines if line))


def without_mention(text: str, bot_id: int) -> str:
    """`text` without a leading mention of the bot itself."""
    return re.sub(rf"^\s*<@!?{bot_id}>[,:]?\s*", "", text)
