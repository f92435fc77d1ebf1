"""Modal windows of gates, and what the message of an answered gate changes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import discord

from bot import texts
from bot.discord.context import Interaction
from bot.discord.formatting import cut
from bot.discord.interactions import answer, hold, requester
from bot.discord.lookup import gate_by_id
from bot.discord.windows import TextField, window
from bot.features.gates import actions as gate_actions
from bot.features.tasks.cap_fields import cap_asks, caps_of
from bot.texts.gates import answer_text
from engine.commands import AnswerGate
from engine.queries import GateView, TaskView


def gate_window(gate: GateView) -> discord.ui.Modal:
    """Answer a gate in words."""
    plan = gate.kind == "plan"
    title, label = (
        (texts.MODAL_PLAN, texts.MODAL_PLAN_LABEL) if plan else (texts.MODAL_ANSWER, texts.MODAL_ANSWER_LABEL)
    )
    return window(f"gate:{gate.id}", title, TextField("text", label))


def plan_cap_window(gate: GateView, task: TaskView) -> discord.ui.Modal:
    """Return the modal to approve a plan with lower caps."""
    return window(f"plancap:{gate.id}", texts.MODAL_PLAN_CAP, *cap_asks(task.limits))


async def answered(interaction: Interaction, gate_id: int, values: Mapping[str, str]) -> None:
    """Answer the gate in words."""
    if interaction.message is None:
        await hold(interaction)
    else:
        await interaction.response.defer()
    gate, task = await gate_by_id(interaction, gate_id)
    given = gate_actions.answer_in_words(gate, values.get("text", ""), requester(interaction).key)
    await settle_gate(interaction, gate, task, given)


async def settle_gate(interaction: Interaction, gate: GateView, task: TaskView, given: AnswerGate) -> None:
    """Answer the gate, report to the person and remove the buttons, also if somebody else was first."""
    try:
        await answer(interaction, await gate_actions.answer_gate(interaction, gate, task, given))
    finally:
        now, _ = await gate_by_id(interaction, gate.id)
        if interaction.message is not None and now.basis is not None:
            await interaction.edit_original_response(**closed_message(now))


def closed_message(gate: GateView) -> dict[str, Any]:
    """Return the edit of an answered or closed gate's message; a plan's card is kept."""
    changed: dict[str, Any] = {"view": closed_view(gate)}
    if gate.kind == "plan":
        answered = gate.basis in ("person", "timeout")
        changed["content"] = texts.PLAN_ANSWERED if answered else texts.PLAN_MOOT
    return changed


def closed_view(gate: GateView) -> discord.ui.View:
    """Return one disabled button that shows how the gate was closed."""
    view = discord.ui.View(timeout=None)
    words = " ".join(answer_text(gate.chosen, gate.text, gate.limits).split())
    label, style = texts.GATE_MOOT, discord.ButtonStyle.secondary
    if gate.basis == "person":
        label, style = cut(texts.ANSWERED.format(answer=words), 80), discord.ButtonStyle.success
    elif gate.basis == "timeout":
        label = cut(texts.ANSWERED_BY_NOBODY.format(answer=words), 80)
        if gate.kind == "plan":
            label = texts.GATE_TIMEOUT
    view.add_item(discord.ui.Button(label=label, style=style, disabled=True, custom_id=f"closed:{gate.id}"))
    return view


async def plan_capped(interaction: Interaction, gate_id: int, values: Mapping[str, str]) -> None:
    """Approve a plan with the submitted caps. Raises ActionRefused for caps above the current ones."""
    await interaction.response.defer()
    gate, task = await gate_by_id(interaction, gate_id)
    given = AnswerGate(gate.id, requester(interaction).key, "approve", limits=caps_of(values))
    await settle_gate(interaction, gate, task, given)
