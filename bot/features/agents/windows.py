"""Modal windows about one agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import discord

from bot import texts
from bot.discord.context import Interaction
from bot.discord.interactions import answer, hold
from bot.discord.lookup import agent_by_id
from bot.discord.windows import TextField, joined_parts, text_parts, window
from bot.features.agents import actions as agent_actions
from bot.features.tasks.cap_fields import cap_asks, caps_of
from engine.commands import Limits
from engine.queries import AgentView


def say_window(agent: AgentView) -> discord.ui.Modal:
    """Write to an agent."""
    ask = TextField("text", texts.MODAL_REPLY_LABEL)
    return window(f"say:{agent.id}", texts.MODAL_REPLY.format(name=agent.name), ask)


def edit_window(agent: AgentView) -> discord.ui.Modal:
    """Change an agent's instructions."""
    asks = [TextField("text", texts.MODAL_EDIT_LABEL)]
    for number, (mark, part) in enumerate(text_parts(agent.instructions), 1):
        label = texts.MODAL_EDIT_LABEL if number == 1 else texts.MODAL_EDIT_MORE.format(number=number)
        name = "text" if number == 1 else f"text{number}{mark}"
        asks[number - 1 :] = [TextField(name, label, default=part, required=number == 1)]
    return window(f"edit:{agent.id}", texts.MODAL_EDIT.format(name=agent.name), *asks)


def agent_cap_window(agent: AgentView) -> discord.ui.Modal:
    """Return the modal for the caps of an agent and all below it; empty fields change nothing.

    Minutes count from when they are sent, so the old ones are not filled in.
    """
    caps = replace(agent.budget.caps, minutes=None) if agent.budget else Limits()
    return window(f"agentcap:{agent.id}", texts.MODAL_AGENT_CAP.format(name=agent.name), *cap_asks(caps))


async def said(interaction: Interaction, agent_id: int, values: Mapping[str, str]) -> None:
    """Deliver the submitted message to the agent."""
    await hold(interaction)
    agent, task = await agent_by_id(interaction, agent_id)
    await agent_actions.say_and_answer(interaction, agent, task, values["text"])


async def edited(interaction: Interaction, agent_id: int, values: Mapping[str, str]) -> None:
    """Give the agent its new instructions."""
    await hold(interaction)
    agent, task = await agent_by_id(interaction, agent_id)
    instructions = joined_parts(values)
    await answer(interaction, await agent_actions.edit_agent(interaction, agent, task, instructions))


async def agent_capped(interaction: Interaction, agent_id: int, values: Mapping[str, str]) -> None:
    """Set the submitted caps of an agent and all below it."""
    await hold(interaction)
    agent, task = await agent_by_id(interaction, agent_id)
    await answer(interaction, await agent_actions.cap_agent(interaction, agent, task, caps_of(values)))
