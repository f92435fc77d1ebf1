"""Actions on an agent: each checks the right, sends the engine command and returns the answer text."""

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
from bot.features.tasks.actions import above
from engine.commands import (
    DismissAgent,
    EditAgent,
    Limits,
    PauseAgent,
    RaiseCap,
    ReplaceAgent,
    ResumeAgent,
    SayToAgent,
)
from engine.queries import AgentView, TaskView

_log = logging.getLogger(__name__)
DELIVERED = "📨"


async def cap_agent(interaction: Interaction, agent: AgentView, task: TaskView, limits: Limits) -> str:
    """Set the caps of an agent and all below it. Lowering needs the right to steer, raising to spend."""
    had = agent.budget.caps if agent.budget else Limits()
    person = await require_right(interaction, Right.SPEND if above(limits, had) else Right.STEER, task)
    parts = parts_of(interaction)
    await parts.engine.handle(RaiseCap(task.id, limits, person.key, agent.id))
    now = (await parts.engine.look.agent(agent.id)).budget
    return texts.AGENT_CAPPED.format(name=plain(agent.name, 60), caps=texts.caps(now.caps if now else limits))


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
    shown = await _shown(interaction, agent, person.name, text, files or {})
    ref = message_ref(shown.channel.id, shown.id) if shown else None
    try:
        if ref is not None:
            await parts.routes.note_incoming(ref, person.id, agent.id, text, parts.now())
        await parts.engine.handle(SayToAgent(agent.id, text, person.key, person.name, ref, dict(files or {})))
    except Exception:
        await _try_to(shown, "take back", lambda message: message.delete())
        raise
    await _try_to(shown, "mark", lambda message: message.add_reaction(DELIVERED))
    return texts.SAID.format(name=plain(agent.name, 60))


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
    words = "\n".join([escape(text), *(f"`{path}`" for path in files)])
    told = texts.SPOKEN.format(who=plain(who, 60), to=plain(agent.name, 60), text=cut(words, 1800))
    client: discord.Client = interaction.client
    for channel_id in dict.fromkeys([place, interaction.channel_id]):
        if channel_id:
            try:
                return await client.get_partial_messageable(channel_id).send(told, silent=True)
            except UNDELIVERED as error:
                _log.warning("words for an agent cannot be shown in channel %s: %s", channel_id, error)
    return None


async def edit_agent(interaction: Interaction, agent: AgentView, task: TaskView, instructions: str) -> str:
    """Change the agent's instructions, effective from its next turn."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(EditAgent(agent.id, instructions, person.key))
    return texts.EDITED.format(name=plain(agent.name, 60))


async def pause_agent(interaction: Interaction, agent: AgentView, task: TaskView) -> str:
    """Pause the agent: it starts no new turns."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(PauseAgent(agent.id, person.key))
    return texts.AGENT_PAUSED.format(name=plain(agent.name, 60))


async def resume_agent(interaction: Interaction, agent: AgentView, task: TaskView) -> str:
    """Resume the agent."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(ResumeAgent(agent.id, person.key))
    return texts.AGENT_RESUMED.format(name=plain(agent.name, 60))


async def dismiss_agent(interaction: Interaction, agent: AgentView, task: TaskView, reason: str) -> str:
    """Dismiss the agent from the task."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(DismissAgent(agent.id, person.key, reason))
    return texts.AGENT_DISMISSED.format(name=plain(agent.name, 60))


async def replace_agent(interaction: Interaction, agent: AgentView, task: TaskView, reason: str) -> str:
    """Replace the agent with a new one."""
    person = await require_right(interaction, Right.STEER, task)
    parts = parts_of(interaction)
    fresh = await parts.engine.look.agent(
        await parts.engine.handle(ReplaceAgent(agent.id, person.key, reason))
    )
    return texts.AGENT_REPLACED.format(name=plain(agent.name, 60), fresh=plain(fresh.name, 60))
