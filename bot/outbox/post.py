"""The outbox's records: posts, posts that wait, and the messages that are sent to Discord."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, Literal

BOT = "MegaAgent"
"""The author's name of messages in the bot's own voice."""

PostKind = Literal["say", "note", "gate", "end", "ping", "react", "close_gate", "rename", "pin"]

UPDATE_KINDS: tuple[PostKind, ...] = ("react", "close_gate", "rename", "pin")
"""Kinds that change an existing message instead of creating one."""


class Lane(IntEnum):
    """Priority of posts: answers to people, then gates and status, then heads, then chatter."""

    ANSWER = 0
    STATUS = 1
    HEAD = 2
    CHATTER = 3


@dataclass(frozen=True, slots=True)
class EmbedCard:
    """An embed with a persona as its author. `until_closed`: it goes when its gate is closed."""

    author: str
    face: str
    text: str
    until_closed: bool = False

    @property
    def size(self) -> int:
        """Return the characters that count towards Discord's limit of 6,000."""
        return len(self.author) + len(self.text)


@dataclass(frozen=True, slots=True)
class Post:
    """A post before it is merged or split into messages.

    `persona` "" is the bot's own voice; `face` seeds the picture. Posts of one `agent_id` keep their order.
    `head` is a line of small print above `text`, `foot` one below; `card` is shown as an embed under it,
    with `people` as one each below. `continues`: the task that a report ends can be continued.
    `attached` is a text that is attached as a file, for who wants to know. `notice` is said in the task's
    origin, with a link to this post, once it is sent; with `pin` it is pinned then, where the bot may.
    `ref` is "channel id:message id" (of the message that is answered or reacted to). With `eager` False the
    post creates no place but waits until another post does. `pings` are user ids, `roles` ids of roles to
    mention. A post without a group has `group_id` 0 and goes to `channel_id`; if that is closed or deleted,
    to the system channel of `guild_id`.
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
    silent: bool = True
    eager: bool = True
    pings: tuple[int, ...] = ()
    gate_id: int | None = None
    files: tuple[str, ...] = ()
    card: str = ""
    roles: tuple[int, ...] = ()
    foot: str = ""
    channel_id: int = 0
    guild_id: int = 0
    attached: str = ""
    notice: str = ""
    pin: bool = False
    people: tuple[EmbedCard, ...] = ()
    continues: bool = True

    @property
    def place_key(self) -> int:
        """Return the group's id, or the negative channel id for a post without a group."""
        return self.group_id or -self.channel_id

    @property
    def alone(self) -> bool:
        """Return True if it is never merged into one message with others."""
        return self.kind in ("gate", "end", "ping", *UPDATE_KINDS) or bool(self.card or self.channel_id)

    @property
    def voice(self) -> tuple[int | None, str]:
        """Return a key that is equal for posts that may share a message under one name."""
        return self.agent_id if self.persona else None, self.persona


@dataclass(frozen=True, slots=True)
class Entry:
    """A post in the outbox: its row's id (ascending in the order of events) and when it was enqueued."""

    id: int
    at: float
    post: Post


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file created by the bot, such as a transcript."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message to Discord. `files` are paths in the task's workspace, read when it is sent.

    `ended`: it ends its task's report, and carries the buttons for what comes after. Without `buttons` the
    message says in words what they are for. `notice`, `pin`, `continues`: see `Post`.
    """

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
    roles: tuple[int, ...] = ()
    ended: bool = False
    buttons: bool = True
    notice: str = ""
    pin: bool = False
    continues: bool = True


def dump_post(post: Post) -> dict[str, Any]:
    """Return the post as JSON-compatible data."""
    return asdict(post)


def load_post(data: dict[str, Any]) -> Post:
    """Return the post that `dump_post` stored."""
    people = tuple(EmbedCard(**card) for card in data.get("people", ()))
    return Post(**{**_tuples(data), "lane": Lane(data["lane"]), "people": people})


def dump_outgoing(wire: OutgoingMessage) -> dict[str, Any]:
    """Return the message as JSON-compatible data."""
    return asdict(wire)


def load_outgoing(data: dict[str, Any]) -> OutgoingMessage:
    """Return the message that `dump_outgoing` stored."""
    cards = tuple(EmbedCard(**card) for card in data["cards"])
    texts = tuple(TextFile(**text) for text in data["texts"])
    return OutgoingMessage(**{**_tuples(data), "cards": cards, "texts": texts})


_OLD = ("options", "fold", "folded")


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    """Drop what only rows of older versions contain."""
    kept = {name: value for name, value in data.items() if name not in _OLD}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
