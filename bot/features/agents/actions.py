"""Actions on an agent: each checks the right, sends the engine command and returns the answer text."""

from __future__ import annotations

from collections.abc import Mapping

from bot import texts
from bot.discord.access import Right
from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import plain
from bot.discord.interactions import answer, require_right
from bot.features.agents.saying import say
from bot.features.tasks.actions import above, model_line, require_model
from bot.features.tasks.continuing import offer
from bot.texts import steering as words
from engine.commands import (
    DismissAgent,
    EditAgent,
    Limits,
    PauseAgent,
    RaiseCap,
    ReplaceAgent,
    ResumeAgent,
)
from engine.queries import AgentView, TaskView


async def cap_agent(interaction: Interaction, agent: AgentView, task: TaskView, limits: Limits) -> str:
    """Set the caps of an agent and all below it. Lowering needs the right to steer, raising to spend."""
    had = agent.budget.caps if agent.budget else Limits()
    person = await require_right(interaction, Right.SPEND if above(limits, had) else Right.STEER, task)
    parts = parts_of(interaction)
    await parts.engine.handle(RaiseCap(task.id, limits, person.key, agent.id, person.named))
    now = (await parts.engine.look.agent(agent.id)).budget
    said = texts.AGENT_CAPPED.format(name=plain(agent.name, 60), caps=texts.caps(now.caps if now else limits))
    if now is None:
        return said
    return said + texts.below_use(now.caps, now.spent_micros, now.spent_tokens, texts.PART_STOPS)


async def say_and_answer(
    interaction: Interaction,
    agent: AgentView,
    task: TaskView,
    text: str,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Send a person's message to an agent and answer; of a task that has ended, with how to continue it."""
    said = await say(interaction, agent, task, text, files)
    now = await parts_of(interaction).engine.look.task(task.id)
    if now.ended_at is None:
        await answer(interaction, said)
        return
    text, view = offer(now, parts_of(interaction).defaults)
    await answer(interaction, text, view=view)


async def edit_agent(
    interaction: Interaction,
    agent: AgentView,
    task: TaskView,
    instructions: str | None,
    model: str | None = None,
) -> str:
    """Change the agent's instructions, model or both, effective from its next step."""
    person = await require_right(interaction, Right.STEER, task)
    if model is not None:
        await require_model(interaction, model)
    await parts_of(interaction).engine.handle(
        EditAgent(agent.id, instructions, person.key, person.named, model)
    )
    name = plain(agent.name, 60)
    lines = [texts.EDITED.format(name=name)] if instructions is not None else []
    if model is not None:
        lines.append(words.MODEL_CHANGED.format(name=name, model=model_line(interaction, model)))
    return "\n".join(lines)


async def pause_agent(interaction: Interaction, agent: AgentView, task: TaskView) -> str:
    """Pause the agent: it starts no new turns."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(PauseAgent(agent.id, person.key, person.named))
    return texts.AGENT_PAUSED.format(name=plain(agent.name, 60))


async def resume_agent(interaction: Interaction, agent: AgentView, task: TaskView) -> str:
    """Resume the agent."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(ResumeAgent(agent.id, person.key, person.named))
    return texts.AGENT_RESUMED.format(name=plain(agent.name, 60))


async def dismiss_agent(interaction: Interaction, agent: AgentView, task: TaskView, reason: str) -> str:
    """Dismiss the agent from the task."""
    person = await require_right(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(DismissAgent(agent.id, person.key, reason, person.named))
    return texts.AGENT_DISMISSED.format(name=plain(agent.name, 60))


async def replace_agent(interaction: Interaction, agent: AgentView, task: TaskView, reason: str) -> str:
    """Replace the agent with a new one."""
    person = await require_right(interaction, Right.STEER, task)
    parts = parts_of(interaction)
    fresh = await parts.engine.look.agent(
        await parts.engine.handle(ReplaceAgent(agent.id, person.key, reason, by_name=person.named))
    )
    return texts.AGENT_REPLACED.format(name=plain(agent.name, 60), fresh=plain(fresh.name, 60))
