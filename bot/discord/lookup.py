"""Find the task, agent, group or gate that a person means.

Ids in options and custom ids are looked up again and must belong to the server of the interaction.
"""

from __future__ import annotations

from collections.abc import Sequence

import discord

from bot import texts
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import plain
from bot.discord.identities import space_of
from bot.discord.interactions import visible_tasks
from bot.outbox.ledger import GroupRef
from bot.texts import refusals
from engine.errors import NotFound
from engine.queries import AgentView, GateView, GroupView, TaskView

MOST_GOING = 1_000
"""Tasks of a server that have not ended which are looked at, however many have ended since."""


def current_space(interaction: Interaction) -> str:
    """Return the engine's key of the interaction's server."""
    return space_of(interaction.guild_id or 0)


async def task_by_id(interaction: Interaction, task_id: int) -> TaskView:
    """Return a task of this server. Raises ActionRefused for unknown tasks and those of other servers."""
    missing = ActionRefused(refusals.NO_TASK.format(name=f"#{task_id}"))
    try:
        task = await parts_of(interaction).engine.look.task(task_id)
    except NotFound:
        raise missing from None
    if task.space != current_space(interaction):
        raise missing
    return task


async def open_tasks(interaction: Interaction) -> list[TaskView]:
    """Return the tasks of this server that have not ended and that the person may view, newest first."""
    return await visible_tasks(interaction, await going_tasks(interaction))


async def going_tasks(interaction: Interaction) -> Sequence[TaskView]:
    """Return the tasks of this server that have not ended, newest first."""
    look = parts_of(interaction).engine.look
    return await look.tasks(current_space(interaction), MOST_GOING, unended=True)


async def task_for(interaction: Interaction, name: str | None, *, ended: bool = False) -> TaskView:
    """Return the task named "5" or "#5"; without a name the one of this channel, of those started in this
    channel the one that has not ended, or the only open one of the server.

    `ended`: it is meant to be continued, so that of those started here ended ones come first. Raises
    ActionRefused if there is no such task, or if several may be meant.
    """
    if name:
        digits = name.strip().lstrip("#")
        if not digits.isdecimal() or len(digits) > 12:
            raise ActionRefused(refusals.NO_TASK.format(name=f"“{plain(name, 40)}”"))
        return await task_by_id(interaction, int(digits))
    ref = await group_here(interaction)
    if ref is not None:
        return await task_by_id(interaction, ref.task_id)
    started = await _started_here(interaction)
    if started:
        return _only_one(started, ended=ended)
    going = await going_tasks(interaction)
    if len(going) != 1:
        raise ActionRefused(refusals.NO_TASK_HERE)
    return going[0]


async def group_here(interaction: Interaction) -> GroupRef | None:
    """Return the group that meets in the channel of the interaction, or in the channel above its thread."""
    routes = parts_of(interaction).routes
    ref = await routes.place_of(interaction.channel_id or 0)
    if ref is None and isinstance(interaction.channel, discord.Thread):
        ref = await routes.place_of(interaction.channel.parent_id)
    return ref


async def _started_here(interaction: Interaction) -> list[TaskView]:
    """Return the tasks that were started in this channel and that the person may view, newest first."""
    ids = await parts_of(interaction).records.tasks_of_channel(interaction.channel_id or 0)
    return await visible_tasks(interaction, [await task_by_id(interaction, task_id) for task_id in ids])


def _only_one(tasks: Sequence[TaskView], *, ended: bool) -> TaskView:
    """Return the task that is meant; ask which when several may be."""
    wanted = [task for task in tasks if (task.ended_at is not None) == ended]
    if len(wanted) == 1 or (not wanted and not ended):
        return (wanted or list(tasks))[0]  # of those that ended the newest
    lines = [
        texts.WHICH_TASK_LINE.format(id=task.id, title=plain(task.title or task.goal, 60))
        for task in wanted[:8]
    ]
    raise ActionRefused(
        refusals.WHICH_TASK.format(tasks="\n".join(lines)) if lines else refusals.NO_TASK_HERE
    )


async def agent_by_id(interaction: Interaction, agent_id: int) -> tuple[AgentView, TaskView]:
    """Return an agent of this server and its task. Raises ActionRefused."""
    try:
        agent = await parts_of(interaction).engine.look.agent(agent_id)
        return agent, await task_by_id(interaction, agent.task_id)
    except (NotFound, ActionRefused):
        raise ActionRefused(refusals.NO_AGENT.format(name=f"#{agent_id}")) from None


async def agents_near(interaction: Interaction) -> list[AgentView]:
    """Return the agents a person here may mean: of the channel's task, else of all open tasks, newest first;
    only of tasks that the person may view."""
    parts = parts_of(interaction)
    ref = await group_here(interaction)
    if ref is None:
        tasks = await open_tasks(interaction)
    else:
        tasks = await visible_tasks(interaction, [await task_by_id(interaction, ref.task_id)])
    return [agent for task in tasks for agent in await parts.engine.look.agents(task.id)]


async def agent_for(interaction: Interaction, name: str) -> tuple[AgentView, TaskView]:
    """Return the agent with this id or name and its task. Raises ActionRefused."""
    digits = name.strip().lstrip("#")
    if digits.isdecimal() and len(digits) <= 12:
        return await agent_by_id(interaction, int(digits))
    wanted = name.strip().lstrip("@").casefold()
    for agent in await agents_near(interaction):
        if agent.name.casefold() == wanted and agent.state != "dismissed":
            return await agent_by_id(interaction, agent.id)
    raise ActionRefused(refusals.NO_AGENT.format(name=f"“{plain(name, 40)}”"))


async def groups_near(interaction: Interaction) -> list[GroupView]:
    """Return the groups that a person here may mean; see `agents_near`."""
    look = parts_of(interaction).engine.look
    tasks = dict.fromkeys(agent.task_id for agent in await agents_near(interaction))
    return [group for task_id in tasks for group in await look.groups(task_id)]


async def group_for(interaction: Interaction, name: str) -> tuple[GroupView, TaskView]:
    """Return the group with this id or name and its task. Raises ActionRefused."""
    missing = ActionRefused(refusals.NO_GROUP.format(name=f"“{plain(name, 40)}”"))
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
    except (NotFound, ActionRefused):
        raise missing from None


async def gate_by_id(interaction: Interaction, gate_id: int) -> tuple[GateView, TaskView]:
    """Return a gate of this server and its task. Raises ActionRefused."""
    try:
        gate = await parts_of(interaction).engine.look.gate(gate_id)
        return gate, await task_by_id(interaction, gate.task_id)
    except (NotFound, ActionRefused):
        raise ActionRefused(refusals.NO_GATE) from None
