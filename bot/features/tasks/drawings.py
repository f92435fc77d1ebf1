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
from bot.pictures.moments import SHOWN, Moment, moments_of
from bot.pictures.organisation import draw_organisation
from bot.pictures.timeline import TimelineStep, draw_timeline, lanes_of, whole_time
from bot.texts import refusals
from engine.queries import AgentView, TaskView

ALT_MOMENTS = 8
"""Questions, audits and pauses that are named one by one in the words for a timeline."""


async def show_organisation(interaction: Interaction, task: TaskView) -> None:
    """Attach a picture of the organisation."""
    await require_view(interaction, task)
    agents = await parts_of(interaction).engine.look.agents(task.id)
    title = texts.PICTURE_TITLE.format(id=task.id, goal=" ".join((task.title or task.goal).split()))
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
    moments, now = moments_of(await look.events(task.id, SHOWN)), parts_of(interaction).now()
    title = texts.PICTURE_TITLE.format(id=task.id, goal=" ".join((task.title or task.goal).split()))
    picture = await asyncio.to_thread(draw_timeline, agents, steps, title, moments, now)
    alt = timeline_alt(agents, steps, moments, now)
    await hand_over(interaction, f"task-{task.id}-timeline.png", BytesIO(picture), alt=alt)


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


def timeline_alt(
    agents: Sequence[AgentView],
    steps: Sequence[TimelineStep],
    moments: Sequence[Moment] = (),
    now: float = 0.0,
) -> str:
    """Return in words what the timeline shows: questions, audits, pauses, and who worked how many steps."""
    names = {agent.id: agent.name for agent in agents}
    counts = Counter(names[agent_id] for agent_id, *_ in steps if agent_id in names)
    first, last = whole_time(steps, moments, now)
    worked = ", ".join(f"{name} ({many(count, 'step')})" for name, count in counts.most_common())
    lanes = [
        f"{name}: {texts.listed([_moment_alt(moment, first) for moment in found], ALT_MOMENTS)}. "
        for name, found in lanes_of(moments)
    ]
    return texts.ALT_TIMELINE.format(span=span(last - first), moments="".join(lanes), worked=worked)


def _moment_alt(moment: Moment, first: float) -> str:
    """Return one question, audit or pause in words."""
    after = texts.ALT_AFTER.format(span=span(moment.start - first))
    lasted = texts.ALT_LASTS if moment.end is None else span(moment.end - moment.start)
    if moment.kind == "audit":
        return texts.ALT_AUDIT[moment.verdict].format(after=after)
    if moment.kind == "break":
        return texts.ALT_BREAK.format(after=after, lasted=lasted)
    if moment.kind == "pause":
        return texts.ALT_PAUSE.format(who=moment.name or texts.ALT_TASK, after=after, lasted=lasted)
    kind = texts.ALT_ASKED.get(moment.asked or "question", "")
    who = " · ".join(part for part in (moment.name, kind) if part)
    form = texts.ALT_MESSAGE if moment.asked is None else texts.ALT_QUESTION[moment.basis]
    return form.format(who=who, after=after, lasted=lasted)
