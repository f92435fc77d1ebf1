"""Modal windows of gates, and what the message of an answered gate changes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import discord

from bot import texts
from bot.discord.context import Interaction
from bot.discord.formatting import escape
from bot.discord.interactions import acknowledge, answer, hold, requester, tidy
from bot.discord.lookup import gate_by_id
from bot.discord.windows import TextField, window
from bot.features.gates import actions as gate_actions
from bot.features.tasks.cap_fields import cap_asks, caps_of
from bot.outbox.render import QUESTION, call_text
from bot.outbox.split import excerpt
from bot.texts.gates import closed_text, question_text
from bot.texts.outbox import DEMONSTRATION
from engine.commands import AnswerGate
from engine.queries import GateView, TaskView


def gate_window(gate: GateView) -> discord.ui.Modal:
    """Answer a gate in words; the question stands above, since a window hides the message below it."""
    plan = gate.kind == "plan"
    title, label = (
        (texts.MODAL_PLAN, texts.MODAL_PLAN_LABEL) if plan else (texts.MODAL_ANSWER, texts.MODAL_ANSWER_LABEL)
    )
    return window(f"gate:{gate.id}", title, TextField("text", label), above=escape(gate.question))


def plan_cap_window(gate: GateView, task: TaskView) -> discord.ui.Modal:
    """Return the modal to approve a plan with lower caps."""
    return window(f"plancap:{gate.id}", texts.MODAL_PLAN_CAP, *cap_asks(task.limits))


async def answered(interaction: Interaction, gate_id: int, values: Mapping[str, str]) -> None:
    """Answer the gate in words."""
    if interaction.message is None:
        await hold(interaction)
    else:
        await acknowledge(interaction)
    gate, task = await gate_by_id(interaction, gate_id)
    given = gate_actions.answer_in_words(gate, values.get("text", ""), requester(interaction).key)
    await settle_gate(interaction, gate, task, given)


async def settle_gate(interaction: Interaction, gate: GateView, task: TaskView, given: AnswerGate) -> None:
    """Answer the gate and show the answer in place of the buttons, also if somebody else was first.

    Only where there is no message to change, or Discord does not change it, is the person told.
    """
    said, shown = "", False
    try:
        said = await gate_actions.answer_gate(interaction, gate, task, given)
    finally:
        now, _ = await gate_by_id(interaction, gate.id)
        if interaction.message is not None and now.basis is not None:
            shown = await tidy(interaction, **closed_message(now, task))
    if not shown:
        await answer(interaction, said)


def closed_message(gate: GateView, task: TaskView) -> dict[str, Any]:
    """Return the edit of an answered or closed gate's message: no buttons, and what became of it.

    A plan's card is kept, and so is what a demonstration says about itself.
    """
    asked = question_text(gate.kind, gate.question) if gate.call is None else call_text(gate.call)
    label = DEMONSTRATION["PlanProposed" if gate.kind == "plan" else "GateRaised"]
    recorded = f"\n{label}" if task.demonstration else ""
    return {"content": closed_text(gate, excerpt(asked, QUESTION) + recorded), "view": None}


async def plan_capped(interaction: Interaction, gate_id: int, values: Mapping[str, str]) -> None:
    """Approve a plan with the submitted caps. Raises ActionRefused for caps above the current ones."""
    await acknowledge(interaction)
    gate, task = await gate_by_id(interaction, gate_id)
    given = AnswerGate(gate.id, requester(interaction).key, "approve", limits=caps_of(values))
    await settle_gate(interaction, gate, task, given)
