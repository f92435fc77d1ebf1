"""Modal windows that survive a restart: what they are about is in their custom id, not in memory.

A window is shown with `window`; its submission arrives as an interaction whose custom id starts with the
window's kind, and goes to the function registered for that kind (`bot/cogs/windows.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import discord

from bot import deeds, texts
from bot.desk import Interaction, Refused, agent_by_id, answer, asker, gate_by_id, hold, task_by_id
from bot.texts_gates import answer_words
from bot.words import cut, plain
from engine.commands import AnswerGate, Limits
from engine.queries import AgentView, GateView, TaskView

Submitted = Callable[[Interaction, int, Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ask:
    """One text input; labels are cut at Discord's 45 characters, values at its 4,000."""

    name: str
    label: str
    default: str = ""
    long: bool = True
    required: bool = True
    most: int = 4000


def window(custom_id: str, title: str, *asks: Ask) -> discord.ui.Modal:
    """A modal with these inputs; nothing happens in memory when it is submitted."""
    modal = discord.ui.Modal(title=cut(title, 45), custom_id=custom_id, timeout=900)
    for ask in asks:
        style = discord.TextStyle.paragraph if ask.long else discord.TextStyle.short
        box: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id=ask.name,
            style=style,
            default=cut(ask.default, ask.most) or None,
            required=ask.required,
            max_length=ask.most,
        )
        modal.add_item(discord.ui.Label(text=cut(ask.label, 45), component=box))
    return modal


def typed(data: Mapping[str, Any]) -> dict[str, str]:
    """Input name -> what was typed, from the raw data of a modal submission."""
    return {str(box["custom_id"]): str(box.get("value") or "") for box in _inputs(data.get("components", []))}


def _inputs(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for component in components:
        if component.get("custom_id") is not None:
            yield component
        yield from _inputs(component.get("components", []))
        if "component" in component:
            yield from _inputs([component["component"]])


# ---------------------------------------------------------------- the windows there are


def say_window(agent: AgentView) -> discord.ui.Modal:
    """Write to an agent."""
    ask = Ask("text", texts.MODAL_REPLY_LABEL)
    return window(f"say:{agent.id}", texts.MODAL_REPLY.format(name=agent.name), ask)


def edit_window(agent: AgentView) -> discord.ui.Modal:
    """Change an agent's instructions."""
    ask = Ask("text", texts.MODAL_EDIT_LABEL, default=agent.instructions)
    return window(f"edit:{agent.id}", texts.MODAL_EDIT.format(name=agent.name), ask)


def gate_window(gate: GateView) -> discord.ui.Modal:
    """Answer a gate in words."""
    plan = gate.kind == "plan"
    title, label = (
        (texts.MODAL_PLAN, texts.MODAL_PLAN_LABEL) if plan else (texts.MODAL_ANSWER, texts.MODAL_ANSWER_LABEL)
    )
    return window(f"gate:{gate.id}", title, Ask("text", label))


def cap_window(task: TaskView) -> discord.ui.Modal:
    """Raise a task's caps; empty fields stay as they are."""
    return window(f"cap:{task.id}", texts.MODAL_CAP.format(id=task.id), *_cap_asks(task.limits))


def agent_cap_window(agent: AgentView) -> discord.ui.Modal:
    """Cap what an agent and all below it may use; empty fields stay as they are.

    Minutes count from when they are sent, so the old ones are not filled in.
    """
    caps = replace(agent.budget.caps, minutes=None) if agent.budget else Limits()
    return window(f"agentcap:{agent.id}", texts.MODAL_AGENT_CAP.format(name=agent.name), *_cap_asks(caps))


def plan_cap_window(gate: GateView, task: TaskView) -> discord.ui.Modal:
    """Approve a plan within caps."""
    return window(f"plancap:{gate.id}", texts.MODAL_PLAN_CAP, *_cap_asks(task.limits))


def _cap_asks(caps: Limits) -> list[Ask]:
    numbers = (
        ("dollars", texts.MODAL_CAP_DOLLARS, f"{caps.cost_micros / 1e6:.2f}" if caps.cost_micros else ""),
        ("tokens", texts.MODAL_CAP_TOKENS, str(caps.tokens or "")),
        ("agents", texts.MODAL_CAP_AGENTS, str(caps.agents or "")),
        ("minutes", texts.MODAL_CAP_MINUTES, str(caps.minutes or "")),
    )
    return [
        Ask(name, label, default, long=False, required=False, most=12) for name, label, default in numbers
    ]


# ---------------------------------------------------------------- what happens when they are submitted


async def said(interaction: Interaction, agent_id: int, values: Mapping[str, str]) -> None:
    """Deliver the words to the agent."""
    await hold(interaction)
    agent, task = await agent_by_id(interaction, agent_id)
    await answer(interaction, await deeds.say(interaction, agent, task, values["text"]))


async def edited(interaction: Interaction, agent_id: int, values: Mapping[str, str]) -> None:
    """Give the agent its new instructions."""
    await hold(interaction)
    agent, task = await agent_by_id(interaction, agent_id)
    await answer(interaction, await deeds.edit_agent(interaction, agent, task, values["text"]))


async def answered(interaction: Interaction, gate_id: int, values: Mapping[str, str]) -> None:
    """Answer the gate in words."""
    if interaction.message is None:
        await hold(interaction)
    else:
        await interaction.response.defer()
    gate, task = await gate_by_id(interaction, gate_id)
    given = deeds.answer_in_words(gate, values.get("text", ""), asker(interaction).key)
    await settle_gate(interaction, gate, task, given)


async def settle_gate(interaction: Interaction, gate: GateView, task: TaskView, given: AnswerGate) -> None:
    """Answer, tell the person, and take the buttons off; also when somebody else was first."""
    try:
        await answer(interaction, await deeds.answer_gate(interaction, gate, task, given))
    finally:
        now, _ = await gate_by_id(interaction, gate.id)
        if interaction.message is not None and now.basis is not None:
            await interaction.edit_original_response(**closed_message(now))


def closed_message(gate: GateView) -> dict[str, Any]:
    """What the message of an answered or closed gate changes to; a plan's card stays to be read."""
    changed: dict[str, Any] = {"view": closed_view(gate)}
    if gate.kind == "plan":
        answered = gate.basis in ("person", "timeout")
        changed["content"] = texts.PLAN_ANSWERED if answered else texts.PLAN_MOOT
    return changed


def closed_view(gate: GateView) -> discord.ui.View:
    """One dead button that says what was answered, if anything."""
    view = discord.ui.View(timeout=None)
    words = " ".join(answer_words(gate.chosen, gate.text, gate.limits).split())
    label, style = texts.GATE_MOOT, discord.ButtonStyle.secondary
    if gate.basis == "person":
        label, style = cut(texts.ANSWERED.format(answer=words), 80), discord.ButtonStyle.success
    elif gate.basis == "timeout":
        label = texts.GATE_TIMEOUT
    view.add_item(discord.ui.Button(label=label, style=style, disabled=True, custom_id=f"closed:{gate.id}"))
    return view


async def capped(interaction: Interaction, task_id: int, values: Mapping[str, str]) -> None:
    """Raise the caps that changed."""
    await hold(interaction)
    task = await task_by_id(interaction, task_id)
    await answer(interaction, await deeds.raise_cap(interaction, task, _caps(values)))


async def agent_capped(interaction: Interaction, agent_id: int, values: Mapping[str, str]) -> None:
    """Cap an agent's part of the task."""
    await hold(interaction)
    agent, task = await agent_by_id(interaction, agent_id)
    await answer(interaction, await deeds.cap_agent(interaction, agent, task, _caps(values)))


async def plan_capped(interaction: Interaction, gate_id: int, values: Mapping[str, str]) -> None:
    """Approve a plan within caps. Raises Refused for higher ones than now: an approval raises none."""
    await interaction.response.defer()
    gate, task = await gate_by_id(interaction, gate_id)
    given = AnswerGate(gate.id, asker(interaction).key, "approve", limits=_caps(values))
    await settle_gate(interaction, gate, task, given)


def _caps(values: Mapping[str, str]) -> Limits:
    return deeds.limits_of(
        _dollars(values.get("dollars", "")),
        _whole(values.get("agents", "")),
        _whole(values.get("minutes", "")),
        _whole(values.get("tokens", "")),
    )


def _dollars(text: str) -> float | None:
    cleaned = text.strip().lstrip("$").replace(",", ".")
    try:
        return float(cleaned) if cleaned else None
    except ValueError:
        raise Refused(texts.BAD_BUDGET) from None


def _whole(text: str) -> int | None:
    cleaned = text.strip()
    if not cleaned:
        return None
    if not cleaned.isdecimal() or int(cleaned) == 0:
        raise Refused(texts.BAD_NUMBER.format(value=plain(cleaned, 20)))
    return int(cleaned)


WINDOWS: Mapping[str, Submitted] = {
    "say": said,
    "edit": edited,
    "gate": answered,
    "cap": capped,
    "agentcap": agent_capped,
    "plancap": plan_capped,
}
