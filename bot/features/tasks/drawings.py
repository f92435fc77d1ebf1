"""Draw pictures of a task on request, outside the event loop."""

from __future__ import annotations

import asyncio
from io import BytesIO

from bot import texts
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.interactions import require_view
from bot.features.files.delivery import hand_over
from bot.pictures.organisation import draw_organisation
from bot.pictures.timeline import draw_timeline
from engine.queries import TaskView


async def show_organisation(interaction: Interaction, task: TaskView) -> None:
    """Attach a picture of the organisation."""
    await require_view(interaction, task)
    agents = await parts_of(interaction).engine.look.agents(task.id)
    title = texts.PICTURE_TITLE.format(id=task.id, goal=" ".join(task.goal.split()))
    picture = await asyncio.to_thread(draw_organisation, agents, title)
    await hand_over(interaction, f"task-{task.id}-organisation.png", BytesIO(picture))


async def show_timeline(interaction: Interaction, task: TaskView) -> None:
    """Attach a timeline of work and cost. Raises ActionRefused before the first step."""
    await require_view(interaction, task)
    look = parts_of(interaction).engine.look
    agents, steps = await look.agents(task.id), await look.timeline(task.id)
    if not steps:
        raise ActionRefused(texts.NO_TIMELINE)
    title = texts.PICTURE_TITLE.format(id=task.id, goal=" ".join(task.goal.split()))
    picture = await asyncio.to_thread(draw_timeline, agents, steps, title)
    await hand_over(interaction, f"task-{task.id}-timeline.png", BytesIO(picture))
