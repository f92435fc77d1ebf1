"""What people do to tasks and agents, by command or by button: right, engine command, answering words."""

from __future__ import annotations

from collections.abc import Mapping

import discord

from bot import texts
from bot.access import Person, Right, gate_rights
from bot.desk import Interaction, Refused, demand, parts_of
from bot.discord.identities import message_ref
from bot.texts_gates import answer_words, choice_named
from bot.words import cut, escape, plain
from engine.commands import (
    AnswerGate,
    DismissAgent,
    EditAgent,
    Limits,
    PauseAgent,
    PauseTask,
    RaiseCap,
    ReplaceAgent,
    ResumeAgent,
    ResumeTask,
    SayToAgent,
    StopTask,
)
from engine.domain.gates import TAKES_TEXT, Choice, choice_of
from engine.errors import WrongState
from engine.queries import AgentView, GateView, TaskView

DELIVERED = "📨"


async def pause_task(interaction: Interaction, task: TaskView) -> str:
    """Pause; the words to answer with. Raises Refused and the engine's errors, as all below."""
    person = await demand(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(PauseTask(task.id, person.key))
    return texts.TASK_PAUSED.format(id=task.id)


async def resume_task(interaction: Interaction, task: TaskView) -> str:
    """Go on."""
    person = await demand(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(ResumeTask(task.id, person.key))
    return texts.TASK_RESUMED.format(id=task.id)


async def stop_task(interaction: Interaction, task: TaskView, reason: str = "") -> str:
    """End for good."""
    person = await demand(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(StopTask(task.id, person.key, reason))
    return texts.TASK_STOPPED.format(id=task.id)


def limits_of(
    dollars: float | None, agents: int | None, minutes: int | None, tokens: int | None = None
) -> Limits:
    """Caps as the engine counts them. Raises Refused for a budget that is none."""
    if dollars is not None and not 0 < dollars < 1_000_000:  # also catches NaN
        raise Refused(texts.BAD_BUDGET)
    micros = None if dollars is None else round(dollars * 1_000_000)
    return Limits(agents=agents, cost_micros=micros, minutes=minutes, tokens=tokens)


def above(limits: Limits, default: Limits) -> bool:
    """Whether any cap asked for is above the default, so that it needs the right to spend."""
    pairs = [(getattr(limits, name), getattr(default, name)) for name in Limits.__slots__]
    return any(asked is not None and usual is not None and asked > usual for asked, usual in pairs)


async def demand_start(interaction: Interaction, limits: Limits) -> Person:
    """The person, who may start tasks with these caps. Raises Refused."""
    person = await demand(interaction, Right.START)
    if above(limits, parts_of(interaction).defaults):
        await demand(interaction, Right.SPEND)
    return person


async def raise_cap(interaction: Interaction, task: TaskView, limits: Limits) -> str:
    """New caps; resumes a task that paused at its old ones."""
    person = await demand(interaction, Right.SPEND, task)
    parts = parts_of(interaction)
    await parts.engine.handle(RaiseCap(task.id, limits, person.key))
    now = (await parts.engine.look.task(task.id)).limits
    return texts.TASK_CAPPED.format(id=task.id, caps=texts.caps(now))


async def cap_agent(interaction: Interaction, agent: AgentView, task: TaskView, limits: Limits) -> str:
    """What an agent and all below it may use. Lowering takes the right to steer, raising that to spend."""
    had = agent.budget.caps if agent.budget else Limits()
    person = await demand(interaction, Right.SPEND if above(limits, had) else Right.STEER, task)
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
    """Words of a person to an agent, by window or command.

    They are shown in the agent's place first, so that others can follow, and so that the marks for
    delivered and read and the answer have a message to hang on; taken back when the engine refuses.
    """
    person = await demand(interaction, Right.STEER, task)
    parts = parts_of(interaction)
    shown = await _shown(interaction, agent, person.name, text, files or {})
    ref = message_ref(shown.channel.id, shown.id)
    try:
        await parts.routes.note_incoming(ref, person.id, agent.id, text, parts.now())
        await parts.engine.handle(SayToAgent(agent.id, text, person.key, person.name, ref, dict(files or {})))
    except Exception:
        await shown.delete()
        raise
    await shown.add_reaction(DELIVERED)
    return texts.SAID.format(name=plain(agent.name, 60))


async def _shown(
    interaction: Interaction, agent: AgentView, who: str, text: str, files: Mapping[str, bytes]
) -> discord.Message:
    channel_id = await parts_of(interaction).routes.channel_of(agent.group_id) or interaction.channel_id or 0
    words = "\n".join([escape(text), *(f"`{path}`" for path in files)])
    told = texts.SPOKEN.format(who=plain(who, 60), to=plain(agent.name, 60), text=cut(words, 1800))
    client: discord.Client = interaction.client
    return await client.get_partial_messageable(channel_id).send(told, silent=True)


async def answer_gate(interaction: Interaction, gate: GateView, task: TaskView, given: AnswerGate) -> str:
    """A person's answer; the engine lets exactly one through. The right comes from the choice's effect.

    Raises Refused for a choice that the gate does not have, and for words where it takes none.
    """
    await demand(interaction, Right.APPROVE, task)
    choice = answerable(gate, given.choice_id)
    for right in gate_rights(choice):
        await demand(interaction, right, task)
    if given.limits is not None and above(given.limits, task.limits):
        raise Refused(texts.PLAN_CAP_ABOVE)
    await parts_of(interaction).engine.handle(given)
    words = answer_words(choice, given.text, given.limits)
    return texts.ANSWERED.format(answer=plain(words, 300))


def answerable(gate: GateView, choice_id: str | None) -> Choice | None:
    """The gate's choice, None for an answer in words.

    Raises WrongState for a gate that is closed, Refused for an answer that it does not take.
    """
    if gate.basis is not None:
        raise WrongState(texts.GATE_CLOSED)
    choice = choice_of(gate.choices, choice_id)
    if choice is None and choice_id is not None:
        raise Refused(texts.NO_CHOICE)
    if choice is None and gate.kind not in TAKES_TEXT:
        raise Refused(texts.CAP_IN_WORDS)
    return choice


def answer_in_words(gate: GateView, words: str, by: str) -> AnswerGate:
    """What somebody typed: the choice whose label it is, letter by letter, else free text."""
    choice = choice_named(gate.choices, words)
    return AnswerGate(gate.id, by, choice.id) if choice else AnswerGate(gate.id, by, text=words)


async def edit_agent(interaction: Interaction, agent: AgentView, task: TaskView, instructions: str) -> str:
    """New instructions from its next turn on."""
    person = await demand(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(EditAgent(agent.id, instructions, person.key))
    return texts.EDITED.format(name=plain(agent.name, 60))


async def pause_agent(interaction: Interaction, agent: AgentView, task: TaskView) -> str:
    """No new turns."""
    person = await demand(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(PauseAgent(agent.id, person.key))
    return texts.AGENT_PAUSED.format(name=plain(agent.name, 60))


async def resume_agent(interaction: Interaction, agent: AgentView, task: TaskView) -> str:
    """Go on."""
    person = await demand(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(ResumeAgent(agent.id, person.key))
    return texts.AGENT_RESUMED.format(name=plain(agent.name, 60))


async def dismiss_agent(interaction: Interaction, agent: AgentView, task: TaskView, reason: str) -> str:
    """Out of the task."""
    person = await demand(interaction, Right.STEER, task)
    await parts_of(interaction).engine.handle(DismissAgent(agent.id, person.key, reason))
    return texts.AGENT_DISMISSED.format(name=plain(agent.name, 60))


async def replace_agent(interaction: Interaction, agent: AgentView, task: TaskView, reason: str) -> str:
    """A fresh agent in its place."""
    person = await demand(interaction, Right.STEER, task)
    parts = parts_of(interaction)
    fresh = await parts.engine.look.agent(
        await parts.engine.handle(ReplaceAgent(agent.id, person.key, reason))
    )
    return texts.AGENT_REPLACED.format(name=plain(agent.name, 60), fresh=plain(fresh.name, 60))
