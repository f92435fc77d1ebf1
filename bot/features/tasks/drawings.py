"""Draw pictures of a task on request, outside the event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from io import BytesIO

from bot import texts
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import many, span
from bot.discord.interactions import require_view
from bot.features.files.delivery import hand_over
from bot.pictures.organisation import draw_organisation
from bot.pictures.timeline import TimelineStep, draw_timeline
from bot.texts import refusals
from engine.queries import AgentView, TaskView


async def show_organisation(interaction: Interaction, task: TaskView) -> None:
    """Attach a picture of the organisation."""
    await require_view(interaction, task)
    agents = await parts_of(interaction).engine.look.agents(task.id)
    title = texts.PICTURE_TITLE.format(id=task.id, goal=" ".join(task.goal.split()))
    picture = await asyncio.to_thread(draw_organisation, agents, title)
    await hand_over(
        interaction, f"task-{task.id}-organisation.png", BytesIO(picture), alt=organisation_alt(agents)
    )


async def show_timeline(interaction: Interaction, task: TaskView) -> None:
    """Attach a timeline of work and cost. Raises ActionRefused before the first step."""
    await require_view(interaction, task)
    look = parts_of(interaction).engine.look
    agents, steps = await look.agents(task.id), await look.timeline(task.id)
    if not steps:
        raise ActionRefused(refusals.NO_TIMELINE)
    title = texts.PICTURE_TITLE.format(id=task.id, goal=" ".join(task.goal.split()))
    picture = await asyncio.to_thread(draw_timeline, agents, steps, title)
    await hand_over(
        interaction, f"task-{task.id}-timeline.png", BytesIO(picture), alt=timeline_alt(agents, steps)
    )


def organisation_alt(agents: Sequence[AgentView]) -> str:
    """Return in words who works under whom."""
    there = [agent for agent in agents if agent.state != "dismissed"]
    names = {agent.id: agent.name for agent in there}
    under: dict[str, list[str]] = {}
    for agent in there:
        if agent.head_id in names:
            under.setdefault(names[agent.head_id], []).append(agent.name)
    groups = "; ".join(f"{head}: {', '.join(members)}" for head, members in under.items())
    return texts.ALT_ORGANISATION.format(agents=many(len(there), "agent"), groups=groups or texts.NOBODY_YET)


def timeline_alt(agents: Sequence[AgentView], steps: Sequence[TimelineStep]) -> str:
    """Return in words who worked how many steps, and for how long all of it took."""
    names = {agent.id: agent.name for agent in agents}
    counts = Counter(names[agent_id] for agent_id, *_ in steps if agent_id in names)
    took = max(end for _, _, end, _ in steps) - min(start for _, start, _, _ in steps)
    worked = ", ".join(f"{name} {many(count, 'step')}" for name, count in counts.most_common())
    return texts.ALT_TIMELINE.format(span=span(took), worked=worked)
