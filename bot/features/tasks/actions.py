"""Actions on a task: each checks the right, sends the engine command and returns the answer text."""

from __future__ import annotations

from bot import texts
from bot.discord.access import Person, Right, quota_of
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import escape, plain
from bot.discord.interactions import require_right
from bot.discord.lookup import current_space
from bot.texts import refusals
from bot.texts.months import left_line
from engine.commands import (
    Limits,
    PauseTask,
    Quota,
    RaiseCap,
    ResumeTask,
    StopTask,
)
from engine.domain.models import not_allowed
from engine.errors import Refusal
from engine.queries import TaskView


async def pause_task(interaction: Interaction, task: TaskView) -> str:
    """Pause the task; return the answer text. Raises ActionRefused and EngineError, as do all below."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(PauseTask(task.id, person.key, person.named))
    return texts.TASK_PAUSED.format(id=task.id)


async def resume_task(interaction: Interaction, task: TaskView) -> str:
    """Resume the task."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(ResumeTask(task.id, person.key, person.named))
    return texts.TASK_RESUMED.format(id=task.id)


async def stop_task(interaction: Interaction, task: TaskView, reason: str = "") -> str:
    """Stop the task permanently."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(StopTask(task.id, person.key, reason, person.named))
    return texts.TASK_STOPPED.format(id=task.id)


def limits_of(
    dollars: float | None, agents: int | None, minutes: int | None, tokens: int | None = None
) -> Limits:
    """Caps as the engine counts them. Raises ActionRefused for a budget that is none."""
    if dollars is not None and not 0 < dollars < 1_000_000:  # also catches NaN
        raise ActionRefused(refusals.BAD_BUDGET)
    micros = None if dollars is None else round(dollars * 1_000_000)
    return Limits(agents=agents, cost_micros=micros, minutes=minutes, tokens=tokens)


def above(limits: Limits, default: Limits) -> bool:
    """Whether any cap asked for is above the default, so that it needs the right to spend."""
    pairs = [(getattr(limits, name), getattr(default, name)) for name in Limits.__slots__]
    return any(asked is not None and usual is not None and asked > usual for asked, usual in pairs)


async def require_start(interaction: Interaction, limits: Limits, model: str | None) -> Person:
    """The person, who may start tasks with these caps and this model. Raises ActionRefused."""
    person = await require_right(interaction, Right.START)
    await require_model(interaction, model)
    if above(limits, parts_of(interaction).defaults):
        await require_right(interaction, Right.SPEND)
    return person


async def require_model(interaction: Interaction, model: str | None) -> None:
    """Require that the person may use this model. Raises ActionRefused.

    With a model nobody knows a price of, a cap in dollars holds nothing sure: it takes the right to spend.
    """
    models = parts_of(interaction).models
    if why := not_allowed(model, models.names):
        raise ActionRefused(Refusal(escape(why.reason), escape(why.next_step)))
    if model in models.unpriced:
        await require_right(interaction, Right.SPEND)


async def quota_here(interaction: Interaction, person: Person) -> Quota:
    """Return what the person may use in this server."""
    return quota_of(person, await parts_of(interaction).records.rules(interaction.guild_id or 0))


async def left_here(interaction: Interaction, person: Person) -> str:
    """Return what this month's budgets have left for the person, "" where none is set."""
    parts, space = parts_of(interaction), current_space(interaction)
    return left_line(await parts.engine.look.month_left(person.key, space, parts.now()))


def with_left(text: str, left: str) -> str:
    """Return a text with what is left below it, if anything is to be said."""
    return f"{text}\n{left}" if left else text


def model_line(interaction: Interaction, model: str) -> str:
    """Return a model's name with its price, for people."""
    price = parts_of(interaction).models.price(model)
    return f"**{plain(model, 100)}** ({price})" if price else f"**{plain(model, 100)}**"


async def raise_cap(interaction: Interaction, task: TaskView, limits: Limits) -> str:
    """Set new caps; a task paused at its old caps is resumed."""
    person = await require_right(interaction, Right.SPEND, task)
    parts = parts_of(interaction)
    await parts.engine.handle(RaiseCap(task.id, limits, person.key, by_name=person.named))
    now = await parts.engine.look.task(task.id)
    tokens = now.spend.prompt_tokens + now.spend.completion_tokens
    warning = texts.below_use(now.limits, now.spend.cost_micros, tokens, texts.STOPS)
    return texts.TASK_CAPPED.format(id=task.id, caps=texts.caps(now.limits)) + warning
