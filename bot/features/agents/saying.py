"""Send a person's message to an agent by command, button or window, shown where others can follow it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

import discord

from bot import texts
from bot.discord.access import Right
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import UNDELIVERED
from bot.discord.formatting import cut, escape, plain
from bot.discord.identities import message_ref
from bot.discord.interactions import require_right
from bot.texts import refusals
from engine.commands import SayToAgent
from engine.queries import AgentView, TaskView

_log = logging.getLogger(__name__)
DELIVERED, KEPT = "📨", "🔁"
"""Marks of a person's message: an agent has it; or its task has ended and keeps it until it is continued."""


async def say(
    interaction: Interaction,
    agent: AgentView,
    task: TaskView,
    text: str,
    files: Mapping[str, bytes] | None = None,
) -> str:
    """Send a person's message to an agent, by modal or command.

    They are shown in the agent's place first, so that others can follow, and so that the marks for
    delivered and read and the answer have a message to hang on; taken back when the engine refuses.
    """
    person = await require_right(interaction, Right.STEER, task)
    parts = parts_of(interaction)
    shown = await _shown(interaction, agent, person.named, text, files or {})
    ref = message_ref(shown.channel.id, shown.id) if shown else None
    try:
        if ref is not None:
            await parts.routes.note_incoming(ref, person.id, agent.id, text, parts.now())
        await parts.engine.handle(
            SayToAgent(agent.id, text, person.key, person.named, ref, dict(files or {}))
        )
    except Exception:
        await _try_to(shown, "take back", lambda message: message.delete())
        raise
    now = await parts.engine.look.task(task.id)
    mark = KEPT if now.ended_at is not None else DELIVERED
    await _try_to(shown, "mark", lambda message: message.add_reaction(mark))
    return await _received(interaction, agent, now)


async def _received(interaction: Interaction, agent: AgentView, task: TaskView) -> str:
    """Return where the agent will answer, and what it waits for first while it is paused."""
    place = await parts_of(interaction).routes.channel_of(agent.group_id)
    where = f"<#{place}>" if place else texts.SAID_IN_GROUP
    said = texts.SAID.format(name=plain(agent.name, 60), where=where)
    later = read_later(agent, task)
    return f"{said} {later}" if later else said


def read_later(agent: AgentView, task: TaskView) -> str:
    """Return that a message is read only once task or agent is resumed, "" while neither is paused."""
    if "paused" not in (task.state, agent.state):
        return ""
    form = refusals.READ_LATER_TASK if task.state == "paused" else refusals.READ_LATER
    return str(form.format(name=plain(agent.name, 60)))


async def _try_to(
    shown: discord.Message | None, what: str, act: Callable[[discord.Message], Awaitable[None]]
) -> None:
    """What Discord does not allow here changes nothing about the delivery."""
    if shown is None:
        return
    try:
        await act(shown)
    except UNDELIVERED as error:
        _log.warning("cannot %s the message %s: %s", what, shown.id, error)


async def _shown(
    interaction: Interaction, agent: AgentView, who: str, text: str, files: Mapping[str, bytes]
) -> discord.Message | None:
    """Show the words in the agent's place, else where the person is, else nowhere."""
    place = await parts_of(interaction).routes.channel_of(agent.group_id)
    said = "\n".join([escape(text), *(f"`{path}`" for path in files)])
    told = texts.SPOKEN.format(who=plain(who, 80), to=plain(agent.name, 60), text=cut(said, 1800))
    client: discord.Client = interaction.client
    for channel_id in dict.fromkeys([place, interaction.channel_id]):
        if channel_id:
            try:
                return await client.get_partial_messageable(channel_id).send(
                    told, silent=True, suppress_embeds=True
                )
            except UNDELIVERED as error:
                _log.warning("words for an agent cannot be shown in channel %s: %s", channel_id, error)
    return None
