"""Acknowledge and answer interactions; check the person's rights.

Nothing here trusts the client: rights are checked on the server side at the moment of use.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
import discord
from discord.utils import MISSING

from bot.discord.access import Person, Right, may, operators_of, person_of, signer_of, titled
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import UNDELIVERED, ActionRefused
from bot.discord.identities import owner_id
from bot.texts import refusals
from engine.ports import ServerState
from engine.queries import TaskView

_log = logging.getLogger(__name__)

ACKNOWLEDGED = 40060
"""Discord's code: the interaction has been acknowledged already."""


def requester(interaction: Interaction) -> Person:
    """Return the person of the interaction. Raises ActionRefused outside a server."""
    if not isinstance(interaction.user, discord.Member):
        raise ActionRefused(refusals.GUILD_ONLY)
    return person_of(interaction.user)


async def require_right(interaction: Interaction, right: Right, task: TaskView | None = None) -> Person:
    """Return the person if they have `right` here (for `task`, if given). Raises ActionRefused."""
    person, owner = requester(interaction), owner_id(task.by) if task else None
    rules = await parts_of(interaction).records.rules(interaction.guild_id or 0)
    if not may(person, right, rules, owner):
        raise ActionRefused(refusals.NOT_ALLOWED[right.value])
    return titled(person, rules, owner)


async def require_view(interaction: Interaction, task: TaskView) -> None:
    """Require that the person may view the task. Raises ActionRefused.

    They may if they see the root group's place on Discord, or may steer the task.
    """
    if not await visible_tasks(interaction, [task]):
        raise ActionRefused(refusals.NOT_ALLOWED[Right.STEER.value])


async def visible_tasks(interaction: Interaction, tasks: Iterable[TaskView]) -> list[TaskView]:
    """Return the tasks that the person may view. Raises ActionRefused outside a server."""
    person = requester(interaction)
    rules = await parts_of(interaction).records.rules(interaction.guild_id or 0)
    return [
        task
        for task in tasks
        if may(person, Right.STEER, rules, owner_id(task.by)) or await _sees_place(interaction, task)
    ]


async def _sees_place(interaction: Interaction, task: TaskView) -> bool:
    channel_id = await parts_of(interaction).routes.channel_of(task.root_group_id)
    if channel_id and channel_id == interaction.channel_id:
        return True  # whoever acts in it sees it; of archived threads nothing is cached
    place = interaction.guild and channel_id and interaction.guild.get_channel_or_thread(channel_id)
    if place and isinstance(interaction.user, discord.Member):
        with contextlib.suppress(discord.ClientException):  # a thread whose parent is not known (any more)
            return place.permissions_for(interaction.user).view_channel
    return False


def require_manager(interaction: Interaction) -> Person:
    """Return the person if they have Manage Server. Raises ActionRefused."""
    person = requester(interaction)
    if not person.manages_guild:
        raise ActionRefused(refusals.NEEDS_MANAGE)
    return person


async def require_signer(interaction: Interaction, server: ServerState | None) -> Person:
    """Return the person if they may sign the agents in to this server of tools and out of it; None: to any
    that is used here. Raises ActionRefused."""
    person, client = requester(interaction), interaction.client
    if not await signs(client, person, server):
        shared = server is not None and signer_of(server.spaces, len(client.guilds)) == "operator"
        raise ActionRefused(refusals.NEEDS_OPERATOR if shared else refusals.NEEDS_MANAGE)
    return person


async def signs(client: discord.Client, person: Person, server: ServerState | None) -> bool:
    """Return whether a person may sign the agents in to this server of tools and out of it, as the bot's
    Discord servers and the owner of its application are now; None: to some server."""
    signer = None if server is None else signer_of(server.spaces, len(client.guilds))
    if person.manages_guild and signer != "operator":
        return True
    if signer == "manager":
        return False
    return person.id in operators_of(await client.application_info())


async def hold(interaction: Interaction) -> None:
    """Acknowledge the interaction now, so that the answer may take longer than three seconds."""
    if not interaction.response.is_done():
        await acknowledge(interaction, thinking=True)


async def acknowledge(interaction: Interaction, *, thinking: bool = False) -> None:
    """Acknowledge the interaction, with `thinking` so that the person sees an answer is on its way.

    Raises discord.HTTPException when it came too late (10062) or another process was first (40060).
    """
    response = interaction.response
    try:
        await response.defer(ephemeral=thinking, thinking=thinking)
    except aiohttp.ClientError:
        # Lost on the way there, or on the way back: asked again, Discord says whether it has the first.
        try:
            await response.defer(ephemeral=thinking, thinking=thinking)
        except discord.HTTPException as error:
            if error.code != ACKNOWLEDGED:
                raise
            kinds = discord.InteractionResponseType
            response._response_type = (
                kinds.deferred_channel_message if thinking else kinds.deferred_message_update
            )


async def tidy(interaction: Interaction, **changes: Any) -> bool:
    """Change the message of a button whose work is done; return whether Discord took that.

    It failed nobody: what the person asked for has happened, so the trouble is logged and not told.
    """
    try:
        await interaction.edit_original_response(**changes)
    except UNDELIVERED as error:
        _log.warning("the message of a used button stays as it is: %s", error)
        return False
    return True


async def answer(
    interaction: Interaction,
    text: str | None = None,
    *,
    view: discord.ui.View | discord.ui.LayoutView | None = None,
    files: Sequence[discord.File] = (),
) -> None:
    """Answer the person privately, as the first response or as a follow-up."""
    sends: Any = (
        interaction.followup.send if interaction.response.is_done() else interaction.response.send_message
    )
    await sends(
        text if text is not None else MISSING,
        suppress_embeds=text is not None,
        view=view if view is not None else MISSING,
        files=list(files) or MISSING,
        ephemeral=True,
    )
