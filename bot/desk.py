"""What every command and button does first: who asks, may they, which task is meant; and how to answer.

Nothing here trusts the client: ids in options and custom ids are looked up again and must belong to the
server the interaction came from.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import aiohttp
import discord
from discord.utils import MISSING

from bot import texts
from bot.access import Person, Right, may, person_of
from bot.book import Book
from bot.discord.identities import owner_id, space_of
from bot.outbox.ledger import Sent, Spot
from bot.ports import EngineApi
from bot.settings import BotSettings
from bot.words import plain
from engine.commands import Limits
from engine.errors import NotFound
from engine.ports import SandboxStatus
from engine.queries import AgentView, GateView, GroupView, TaskView

Interaction = discord.Interaction[Any]


UNDELIVERED = (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, TimeoutError)
"""What a call to Discord may end with: refused, limited for longer than we wait, cut off, never answered."""


class Refused(Exception):
    """The person may not do this, or asked for something that is not there; the text says what to do next."""


class Routes(Protocol):
    """Where things are on Discord: messages to agents, channels to groups, and back (`bot.outbox.ledger`)."""

    async def agents_of(self, message_id: int) -> Sequence[int]:
        """Agents whose words a message carries, in the order they speak in it; none for any other message."""

    async def place_of(self, channel_id: int) -> Spot | None:
        """The group that meets in a channel or thread, None for any other channel."""

    async def channel_of(self, group_id: int) -> int | None:
        """Id of the channel or thread of a group, None while it has none."""

    async def gate_message(self, gate_id: int) -> Sent | None:
        """Where the message of a gate stands, None before it is sent."""

    async def gate_of(self, message_id: int) -> int | None:
        """The gate a message asks, None for any other message."""

    async def counts(self) -> Mapping[str, int]:
        """How many posts are in which state."""

    async def note_incoming(self, ref: str, user_id: int, agent_id: int, text: str, now: float) -> None:
        """A person's message was handed to an agent (for whom to answer, and the mark when read)."""


@dataclass(frozen=True, slots=True)
class Probes:
    """Looks at the other parts; each answers in at most a few seconds and never raises.

    `faces` says why agents have no drawn faces, "" when they do. `again` makes the outbox try at once what
    it waits with (a permission may have been granted).
    """

    model: Callable[[], Awaitable[tuple[bool, str]]]
    sandbox: Callable[[], SandboxStatus]
    faces: Callable[[], str]
    again: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Archive:
    """`close(task, remove)` closes the places -> transcript; `bundle(task, target)` writes the history."""

    close: Callable[[int, bool], Awaitable[Mapping[str, bytes]]]
    bundle: Callable[[int, Path], Awaitable[None]]


class Cards(Protocol):
    """The live cards of tasks (`bot.views.card_keeper`)."""

    async def opened(self, task_id: int, channel_id: int) -> bool:
        """Show a task that was just started; False when its card has to wait or move."""

    async def refresh(self, task_id: int) -> None:
        """Show what just changed, now."""


class OutageNotices(Protocol):
    """Private notices to who started a task while the model cannot be used (`bot.views.starters`)."""

    def watch(self, task_id: int, interaction: Interaction) -> None:
        """Follow up this start of a task while its interaction can still be answered."""


class StartReplies(Protocol):
    """Replies to `/task new` that name the first place once it is there (`bot.places.usher`)."""

    def watch(self, interaction: Interaction, task_id: int, group_id: int, card_at: str) -> None:
        """Complete the reply to this start of a task; `card_at` mentions the channel of its card."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything the bot's cogs and views work with."""

    engine: EngineApi
    routes: Routes
    book: Book
    settings: BotSettings
    defaults: Limits
    probes: Probes
    archive: Archive
    cards: Cards
    outages: OutageNotices
    start_replies: StartReplies
    now: Callable[[], float] = time.time


class HasParts(Protocol):
    """The client that commands and buttons arrive at."""

    parts: Parts


def parts_of(interaction: Interaction) -> Parts:
    """Return the parts that the interaction's client was built with."""
    return cast(HasParts, interaction.client).parts


# ---------------------------------------------------------------- who asks, and may they


def asker(interaction: Interaction) -> Person:
    """Who asks. Raises Refused outside a server."""
    if not isinstance(interaction.user, discord.Member):
        raise Refused(texts.GUILD_ONLY)
    return person_of(interaction.user)


async def demand(interaction: Interaction, right: Right, task: TaskView | None = None) -> Person:
    """The person, who holds `right` here (for `task`, if given). Raises Refused."""
    person = asker(interaction)
    rules = await parts_of(interaction).book.rules(interaction.guild_id or 0)
    if not may(person, right, rules, owner_id(task.by) if task else None):
        raise Refused(texts.NOT_ALLOWED[right.value])
    return person


async def demand_sight(interaction: Interaction, task: TaskView) -> None:
    """The person may look into the task: sees its first place on Discord, or may steer it. Raises Refused."""
    if not await seen_of(interaction, [task]):
        raise Refused(texts.NOT_ALLOWED[Right.STEER.value])


async def seen_of(interaction: Interaction, tasks: Iterable[TaskView]) -> list[TaskView]:
    """Those of the tasks that the person may look into. Raises Refused outside a server."""
    person = asker(interaction)
    rules = await parts_of(interaction).book.rules(interaction.guild_id or 0)
    return [
        task
        for task in tasks
        if may(person, Right.STEER, rules, owner_id(task.by)) or await _sees_place(interaction, task)
    ]


async def _sees_place(interaction: Interaction, task: TaskView) -> bool:
    channel_id = await parts_of(interaction).routes.channel_of(task.root_group_id)
    place = interaction.guild and channel_id and interaction.guild.get_channel_or_thread(channel_id)
    if place and isinstance(interaction.user, discord.Member):
        with contextlib.suppress(discord.ClientException):  # a thread whose parent is not known (any more)
            return place.permissions_for(interaction.user).view_channel
    return False


def demand_manager(interaction: Interaction) -> Person:
    """The person, who has Manage Server. Raises Refused."""
    person = asker(interaction)
    if not person.manages_guild:
        raise Refused(texts.NEEDS_MANAGE)
    return person


# ---------------------------------------------------------------- which one is meant


def here(interaction: Interaction) -> str:
    """The engine's name of the server the interaction came from."""
    return space_of(interaction.guild_id or 0)


async def task_by_id(interaction: Interaction, task_id: int) -> TaskView:
    """A task of this server. Raises Refused; tasks of other servers do not exist here."""
    missing = Refused(texts.NO_TASK.format(name=f"#{task_id}"))
    try:
        task = await parts_of(interaction).engine.look.task(task_id)
    except NotFound:
        raise missing from None
    if task.space != here(interaction):
        raise missing
    return task


async def going_here(interaction: Interaction) -> list[TaskView]:
    """Tasks of this server that go on, as far as the person may look into them, newest first."""
    tasks = await parts_of(interaction).engine.look.tasks(here(interaction))
    return await seen_of(interaction, (task for task in tasks if task.ended_at is None))


async def task_for(interaction: Interaction, name: str | None) -> TaskView:
    """The task meant by "5", "#5" or, unnamed, by the channel or as the only one. Raises Refused."""
    if name:
        digits = name.strip().lstrip("#")
        if not digits.isdecimal() or len(digits) > 12:
            raise Refused(texts.NO_TASK.format(name=f"“{plain(name, 40)}”"))
        return await task_by_id(interaction, int(digits))
    parts = parts_of(interaction)
    spot = await parts.routes.place_of(interaction.channel_id or 0)
    if spot is not None:
        return await task_by_id(interaction, spot.task_id)
    going = [t for t in await parts.engine.look.tasks(here(interaction)) if t.ended_at is None]
    if len(going) != 1:
        raise Refused(texts.NO_TASK_HERE)
    return going[0]


async def agent_by_id(interaction: Interaction, agent_id: int) -> tuple[AgentView, TaskView]:
    """An agent of this server with its task. Raises Refused."""
    try:
        agent = await parts_of(interaction).engine.look.agent(agent_id)
        return agent, await task_by_id(interaction, agent.task_id)
    except (NotFound, Refused):
        raise Refused(texts.NO_AGENT.format(name=f"#{agent_id}")) from None


async def agents_near(interaction: Interaction) -> list[AgentView]:
    """Agents a person here may mean: of the channel's task, else of every task that goes on, newest first;
    of tasks that the person may look into."""
    parts = parts_of(interaction)
    spot = await parts.routes.place_of(interaction.channel_id or 0)
    if spot is None:
        tasks = await going_here(interaction)
    else:
        tasks = await seen_of(interaction, [await task_by_id(interaction, spot.task_id)])
    return [agent for task in tasks for agent in await parts.engine.look.agents(task.id)]


async def agent_for(interaction: Interaction, name: str) -> tuple[AgentView, TaskView]:
    """The agent meant by id or name. Raises Refused."""
    digits = name.strip().lstrip("#")
    if digits.isdecimal() and len(digits) <= 12:
        return await agent_by_id(interaction, int(digits))
    wanted = name.strip().lstrip("@").casefold()
    for agent in await agents_near(interaction):
        if agent.name.casefold() == wanted and agent.state != "dismissed":
            return await agent_by_id(interaction, agent.id)
    raise Refused(texts.NO_AGENT.format(name=f"“{plain(name, 40)}”"))


async def groups_near(interaction: Interaction) -> list[GroupView]:
    """Groups a person here may mean, as `agents_near`."""
    look = parts_of(interaction).engine.look
    tasks = dict.fromkeys(agent.task_id for agent in await agents_near(interaction))
    return [group for task_id in tasks for group in await look.groups(task_id)]


async def group_for(interaction: Interaction, name: str) -> tuple[GroupView, TaskView]:
    """The group meant by id or name. Raises Refused."""
    missing = Refused(texts.NO_GROUP.format(name=f"“{plain(name, 40)}”"))
    digits = name.strip().lstrip("#")
    if not digits.isdecimal() or len(digits) > 12:
        wanted = name.strip().casefold()
        found = [g for g in await groups_near(interaction) if g.name.casefold() == wanted]
        if not found:
            raise missing
        return found[0], await task_by_id(interaction, found[0].task_id)
    try:
        group = await parts_of(interaction).engine.look.group(int(digits))
        return group, await task_by_id(interaction, group.task_id)
    except (NotFound, Refused):
        raise missing from None


async def gate_by_id(interaction: Interaction, gate_id: int) -> tuple[GateView, TaskView]:
    """A gate of this server with its task. Raises Refused."""
    try:
        gate = await parts_of(interaction).engine.look.gate(gate_id)
        return gate, await task_by_id(interaction, gate.task_id)
    except (NotFound, Refused):
        raise Refused(texts.NO_GATE) from None


# ---------------------------------------------------------------- answering


async def hold(interaction: Interaction) -> None:
    """Acknowledge at once, so that what follows may take longer than three seconds."""
    if not interaction.response.is_done():
        await interaction.response.defer(ephemeral=True, thinking=True)


async def answer(
    interaction: Interaction,
    text: str | None = None,
    *,
    view: discord.ui.View | discord.ui.LayoutView | None = None,
    files: Sequence[discord.File] = (),
) -> None:
    """Answer only the person who asked; first answer or later one, whichever is due."""
    sends: Any = (
        interaction.followup.send if interaction.response.is_done() else interaction.response.send_message
    )
    await sends(
        text if text is not None else MISSING,
        view=view if view is not None else MISSING,
        files=list(files) or MISSING,
        ephemeral=True,
    )
