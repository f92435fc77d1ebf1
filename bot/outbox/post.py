"""The outbox's records: posts, posts that wait, and the messages that are sent to Discord."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, Literal

BOT = "MegaAgent"
"""The name of the bot's own voice where a message has to name it."""

PostKind = Literal["say", "note", "gate", "end", "ping", "react", "close_gate"]

UPDATE_KINDS: tuple[PostKind, ...] = ("react", "close_gate")
"""Kinds that make no message but change one that is there."""


class Lane(IntEnum):
    """What goes first: answers to people, then gates and status, then heads, then chatter."""

    ANSWER = 0
    STATUS = 1
    HEAD = 2
    CHATTER = 3


@dataclass(frozen=True, slots=True)
class Post:
    """One thing to be posted, whole and unsplit.

    `persona` "" is the bot's own voice; `face` seeds the picture. Posts of one `agent_id` keep their order.
    `head` is a line of small print above `text`, `card` is shown as an embed under it. `ref` is "channel
    id:message id" (of what is answered, or of what a reaction goes on). Notes with the same `fold` that
    follow each other become one line. `eager` False never makes a place: the post waits until something else
    does. `pings` are people's ids. A post of no group has `group_id` 0 and goes to `channel_id`; where that
    is closed or gone, to the system channel of `guild_id`.
    """

    task_id: int
    group_id: int
    seq: int
    kind: PostKind
    lane: Lane
    text: str
    persona: str = ""
    face: str = ""
    agent_id: int | None = None
    head: str = ""
    ref: str = ""
    fold: str = ""
    folded: str = ""
    silent: bool = True
    eager: bool = True
    pings: tuple[int, ...] = ()
    gate_id: int | None = None
    files: tuple[str, ...] = ()
    card: str = ""
    channel_id: int = 0
    guild_id: int = 0

    @property
    def place_key(self) -> int:
        """Its group's id, or the channel's below zero for a post of no group."""
        return self.group_id or -self.channel_id

    @property
    def alone(self) -> bool:
        """True when it is never put into one message with others."""
        return self.kind in ("gate", "end", "ping", *UPDATE_KINDS) or bool(self.card or self.channel_id)

    @property
    def voice(self) -> tuple[int | None, str]:
        """Equal for posts that may share one message under one name."""
        return self.agent_id if self.persona else None, self.persona


@dataclass(frozen=True, slots=True)
class Entry:
    """A post in the outbox: its row's id (ascending in the order of events) and since when it waits."""

    id: int
    at: float
    post: Post


@dataclass(frozen=True, slots=True)
class EmbedCard:
    """An embed with a persona as its author."""

    author: str
    face: str
    text: str

    @property
    def size(self) -> int:
        """Characters that count towards Discord's 6,000."""
        return len(self.author) + len(self.text)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file made here (a transcript)."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message as it goes to Discord. `files` are paths in the task's workspace, read when it is sent."""

    task_id: int
    group_id: int
    persona: str
    face: str
    content: str
    cards: tuple[EmbedCard, ...] = ()
    texts: tuple[TextFile, ...] = ()
    files: tuple[str, ...] = ()
    pings: tuple[int, ...] = ()
    silent: bool = True
    gate_id: int | None = None
    channel_id: int = 0
    guild_id: int = 0


def dump_post(post: Post) -> dict[str, Any]:
    """JSON-ready form of a post."""
    return asdict(post)


def load_post(data: dict[str, Any]) -> Post:
    """Inverse of `dump_post`."""
    return Post(**{**_tuples(data), "lane": Lane(data["lane"])})


def dump_outgoing(wire: OutgoingMessage) -> dict[str, Any]:
    """JSON-ready form of a wire."""
    return asdict(wire)


def load_outgoing(data: dict[str, Any]) -> OutgoingMessage:
    """Inverse of `dump_outgoing`."""
    cards = tuple(EmbedCard(**card) for card in data["cards"])
    texts = tuple(TextFile(**text) for text in data["texts"])
    return OutgoingMessage(**{**_tuples(data), "cards": cards, "texts": texts})


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    """Rows of versions before gates had choices name `options` too, which are asked of the engine now."""
    kept = {name: value for name, value in data.items() if name != "options"}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
