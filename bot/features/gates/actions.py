"""Answer a gate: check the right, send the engine command, return the answer text."""

from __future__ import annotations

from dataclasses import replace

from bot import texts
from bot.discord.access import Right, gate_rights
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import plain
from bot.discord.interactions import require_right
from bot.features.tasks.actions import above
from bot.texts import refusals
from bot.texts.gates import answer_text, choice_named
from engine.commands import (
    AnswerGate,
)
from engine.domain.gates import TAKES_TEXT, Choice, choice_of
from engine.queries import GateView, TaskView


async def answer_gate(interaction: Interaction, gate: GateView, task: TaskView, given: AnswerGate) -> str:
    """A person's answer; the engine lets exactly one through. The right comes from the choice's effect.

    Raises ActionRefused for a choice that the gate does not have, and for words where it takes none.
    """
    person = await require_right(interaction, Right.APPROVE, task)
    choice = answerable(gate, given.choice_id)
    for right in gate_rights(choice):
        await require_right(interaction, right, task)
    if given.limits is not None and above(given.limits, task.limits):
        raise ActionRefused(refusals.PLAN_CAP_ABOVE)
    await parts_of(interaction).engine.handle(replace(given, by_name=person.named))
    words = answer_text(choice, given.text, given.limits)
    return texts.ANSWERED.format(answer=plain(words, 300))


def answerable(gate: GateView, choice_id: str | None) -> Choice | None:
    """The gate's choice, None for an answer in words.

    Raises ActionRefused for a gate that is closed, and for an answer that it does not take.
    """
    if gate.basis is not None:
        raise ActionRefused(refusals.GATE_CLOSED)
    choice = choice_of(gate.choices, choice_id)
    if choice is None and choice_id is not None:
        raise ActionRefused(refusals.NO_CHOICE)
    if choice is None and gate.kind not in TAKES_TEXT:
        raise ActionRefused(refusals.CAP_IN_WORDS)
    return choice


def answer_in_words(gate: GateView, words: str, by: str) -> AnswerGate:
    """Return the answer for typed text: the choice with exactly this label, else free text."""
    choice = choice_named(gate.choices, words)
    return AnswerGate(gate.id, by, choice.id) if choice else AnswerGate(gate.id, by, text=words)
