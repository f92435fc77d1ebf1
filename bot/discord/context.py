"""The typed context of every command, button and form."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import discord

from bot.app.settings import BotSettings
from bot.discord.models import Models
from bot.outbox.ledger import GroupRef, IncomingMessage, MessageLocation
from bot.places.notices import Notices
from bot.ports import EngineApi
from bot.storage.guild_settings import BotRecords
from engine.commands import Limits
from engine.ports import OutsideTool, Record, SandboxStatus, ServerState, SignInLink

Interaction = discord.Interaction[Any]


class Routes(Protocol):
    """Look-ups between Discord and the engine: messages and agents, channels and groups, gates."""

    async def recorded(self, message_id: int, channel_id: int) -> None:
        """Return once it is recorded what a message carries, if it is just being sent to the channel."""

    async def agents_of(self, message_id: int) -> Sequence[int]:
        """Agents whose words a message carries, in the order they speak in it; none for any other message."""

    async def spoke_at(self, message_id: int) -> Mapping[int, Sequence[float]]:
        """The agents whose words a message carries, each with the time of what its words are about."""

    async def place_of(self, channel_id: int) -> GroupRef | None:
        """The group that meets in a channel or thread, None for any other channel."""

    async def channel_of(self, group_id: int) -> int | None:
        """Id of the channel or thread of a group, None while it has none."""

    async def gate_message(self, gate_id: int) -> MessageLocation | None:
        """Where the message of a gate stands, None before it is sent."""

    async def gate_of(self, message_id: int) -> int | None:
        """The gate a message asks, None for any other message."""

    async def gates_in(self, channel_id: int) -> Sequence[int]:
        """The gates, closed ones too, whose messages stand in a channel, its threads, or a thread."""

    async def ask_again(self, gate_id: int, now: float) -> bool:
        """Post a gate once more whose message was deleted, once; return whether it is posted."""

    async def counts(self) -> Mapping[str, int]:
        """How many posts are in which state."""

    async def note_incoming(
        self, ref: str, user_id: int, agent_id: int, text: str, now: float, edited_at: float = 0.0
    ) -> None:
        """Record a person's message to an agent (for the answer, and the mark when it is read)."""

    async def note_edit(self, ref: str, text: str | None, edited_at: float | None) -> None:
        """Record an edit that was handled; `edited_at` None: the message is not followed any more."""

    async def incoming_of(self, ref: str) -> IncomingMessage | None:
        """The record of a person's message, None for one that was never delivered."""

    async def incoming_in(self, channel_id: int, most: int) -> Sequence[IncomingMessage]:
        """The newest messages of people that were delivered from a channel, newest first."""


@dataclass(frozen=True, slots=True)
class Probes:
    """Health checks of the other parts; each returns within a few seconds and never raises.

    `faces` says why agents have no drawn faces, "" when they do. `again` makes the outbox try at once what
    it waits with (a permission may have been granted).
    """

    model: Callable[[], Awaitable[tuple[bool, str]]]
    sandbox: Callable[[], SandboxStatus]
    faces: Callable[[], str]
    again: Callable[[], None]


@dataclass(frozen=True, slots=True)
class ClosedPlaces:
    """What closing a task's places came to.

    `files` is the transcript by file name. Ids of places that stay as they are: `forbidden` for want of a
    permission, `not_ours` because the bot did not create them or their mark is gone.
    """

    files: Mapping[str, bytes]
    forbidden: tuple[int, ...] = ()
    not_ours: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Archive:
    """`close(task, remove)` closes the places; `bundle(task, target)` writes the history.

    `reopen(task)` opens what was closed and returns the ids of places that stay closed, None if nothing was.
    """

    close: Callable[[int, bool], Awaitable[ClosedPlaces]]
    bundle: Callable[[int, Path], Awaitable[None]]
    reopen: Callable[[int], Awaitable[tuple[int, ...] | None]]


class Cards(Protocol):
    """The live cards of tasks (implemented by `bot.notifications.live_card`)."""

    async def opened(self, task_id: int, channel_id: int) -> bool:
        """Post the card of a task that was just started; return False if it is delayed or moved."""

    async def refresh(self, task_id: int) -> None:
        """Update the card of a task now."""


class OutageNotices(Protocol):
    """Private notices to who started a task while the model cannot be used (`bot.notifications.outage`)."""

    def watch(self, task_id: int, interaction: Interaction) -> None:
        """Follow up this start of a task while its interaction can still be answered."""


class StartReplies(Protocol):
    """Replies to `/task new` that name the first place once it is there (`bot.notifications.start_reply`)."""

    def watch(
        self, interaction: Interaction, task_id: int, group_id: int, card_at: str, below: str = ""
    ) -> None:
        """Complete the reply to this start of a task; `card_at` mentions the channel of its card, `below` is
        what the reply says after its first line."""


class OutsideTools(Protocol):
    """The tools of other programs that agents may call (`engine.connectors.connectors`)."""

    def states(self) -> Sequence[ServerState]:
        """Return the state of each server."""

    def all_tools(self) -> Sequence[OutsideTool]:
        """Return every tool, whoever may call it."""

    async def begin_sign_in(
        self, server: str, space: str, by: str, may: Callable[[], Awaitable[bool]], record: Record
    ) -> SignInLink:
        """Return the link by which a person signs in to a server of their space. `record` is done in the
        transaction that keeps what the sign-in gives. Raises NotFound, Invalid, WrongState."""

    async def sign_out(self, server: str, space: str, record: Record) -> None:
        """End the agents' sign-in at a server of this space, and do `record` in the same transaction. Raises
        NotFound."""

    async def finish_sign_in(self, address: str, by: str) -> str:
        """End a sign-in with the address that `by` was sent to. Return its server.

        Raises NotFound, Invalid, WrongState."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The components that cogs, buttons and forms use. `alone`: with one person, as on the loopback, so that
    what is said to no agent is said to the bot."""

    engine: EngineApi
    routes: Routes
    records: BotRecords
    settings: BotSettings
    defaults: Limits
    probes: Probes
    archive: Archive
    cards: Cards
    outages: OutageNotices
    start_replies: StartReplies
    notices: Notices
    now: Callable[[], float] = time.time
    models: Models = field(default_factory=Models)
    outside: OutsideTools | None = None
    alone: bool = False


class HasParts(Protocol):
    """The client that commands and buttons arrive at."""

    parts: Parts


def parts_of(interaction: Interaction) -> Parts:
    """Return the parts that the interaction's client was built with."""
    return cast(HasParts, interaction.client).parts
