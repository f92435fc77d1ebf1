"""Convert Discord ids of people, servers, channels and messages to the engine's opaque keys (pure)."""

from __future__ import annotations

from typing import Literal

IdKind = Literal["discord", "guild", "channel"]

SERVER_LEFT = "discord:left"
ROLE_DELETED = "discord:role-deleted"
"""The actor of actions taken because a server removed the bot."""


def person_key(user_id: int) -> str:
    """Return a person's name towards the engine."""
    return f"discord:{user_id}"


def owner_id(by: str) -> int | None:
    """Return the Discord id out of an engine name ("discord:123"); None when it names nobody on Discord."""
    return _number(by, "discord")


def space_of(guild_id: int) -> str:
    """Return the engine's name of a server."""
    return f"guild:{guild_id}"


def guild_of(space: str) -> int | None:
    """Return the id of the server out of an engine name ("guild:9"); None when it names none."""
    return _number(space, "guild")


def origin_of(channel_id: int) -> str:
    """Return the engine's name of the channel where something was started."""
    return f"channel:{channel_id}"


def origin_channel(origin: str) -> int | None:
    """Return the id of the channel out of an engine name ("channel:5"); None when it names none."""
    return _number(origin, "channel")


def _number(name: str, kind: IdKind) -> int | None:
    head, _, rest = name.partition(":")
    return int(rest) if head == kind and rest.isascii() and rest.isdecimal() else None


def message_ref(channel_id: int, message_id: int) -> str:
    """Return the reference of a message towards the engine."""
    return f"{channel_id}:{message_id}"


def message_of(ref: str) -> tuple[int, int]:
    """Return (channel id, message id) of a reference. Raises ValueError when it is none of a message."""
    channel_id, _, message_id = ref.partition(":")
    return int(channel_id), int(message_id)


def number_in(digits: str) -> int:
    """Return the number in a custom id; 0, which nothing has, for one beyond every id there can be."""
    number = int(digits)
    return number if number < 2**63 else 0
