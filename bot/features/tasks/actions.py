"""Actions on a task: each checks the right, sends the engine command and returns the answer text."""

from __future__ import annotations

from bot import texts
from bot.discord.access import Person, Right
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import escape
from bot.discord.interactions import require_right
from engine.commands import (
    Limits,
    PauseTask,
    RaiseCap,
    ResumeTask,
    StopTask,
)
from engine.domain.models import not_allowed
from engine.queries import TaskView


async def pause_task(interaction: Interaction, task: TaskView) -> str:
    """Pause the task; return the answer text. Raises ActionRefused and EngineError, as do all below."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(PauseTask(task.id, person.key))
    return texts.TASK_PAUSED.format(id=task.id)


async def resume_task(interaction: Interaction, task: TaskView) -> str:
    """Resume the task."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(ResumeTask(task.id, person.key))
    return texts.TASK_RESUMED.format(id=task.id)


async def stop_task(interaction: Interaction, task: TaskView, reason: str = "") -> str:
    """Stop the task permanently."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(StopTask(task.id, person.key, reason))
    return texts.TASK_STOPPED.format(id=task.id)


def limits_of(
    dollars: float | None, agents: int | None, minutes: int | None, tokens: int | None = None
) -> Limits:
    """Caps as the engine counts them. Raises ActionRefused for a budget that is none."""
    if dollars is not None and not 0 < dollars < 1_000_000:  # also catches NaN
        raise ActionRefused(texts.BAD_BUDGET)
    micros = None if dollars is None else round(dollars * 1_000_000)
    return Limits(agents=agents, cost_micros=micros, minutes=minutes, tokens=tokens)


def above(limits: Limits, default: Limits) -> bool:
    """Whether any cap asked for is above the default, so that it needs the right to spend."""
    pairs = [(getattr(limits, name), getattr(default, name)) for name in Limits.__slots__]
    return any(asked is not None and usual is not None and asked > usual for asked, usual in pairs)


async def require_start(interaction: Interaction, limits: Limits, model: str | None) -> Person:
    """The person, who may start tasks with these caps and this model. Raises ActionRefused.

    A model nobody knows a price of makes a cap in dollars hold nothing sure: it takes the right to spend.
    """
    person = await require_right(interaction, Right.START)
    parts = parts_of(interaction)
    if why := not_allowed(model, parts.models.names):
        raise ActionRefused(escape(why))
    if above(limits, parts.defaults) or model in parts.models.unpriced:
        await require_right(interaction, Right.SPEND)
    return person


async def raise_cap(interaction: Interaction, task: TaskView, limits: Limits) -> str:
    """Set new caps; a task paused at its old caps is resumed."""
    person = await require_right(interaction, Right.SPEND, task)
    parts = parts_of(interaction)
    await parts.engine.handle(RaiseCap(task.id, limits, person.key))
    now = (await parts.engine.look.task(task.id)).limits
    return texts.TASK_CAPPED.format(id=task.id, caps=texts.caps(now))
