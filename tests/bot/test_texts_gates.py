"""Questions say in words what each way to answer them leads to; no effect is without a label or a right."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from bot.discord.access import GATE_RIGHTS
from bot.features.gates.buttons import gate_view
from bot.texts.gates import (
    CLOSED,
    LABELS,
    MEANS,
    answer_text,
    choice_named,
    closed_text,
    label,
    meanings,
    ways,
)
from engine.commands import Limits
from engine.domain.gate_rules import DEFAULTS, GateDefault
from engine.domain.gates import EFFECTS, Choice, GateBasis, GateEffect, GateKind, choices_of
from engine.queries import GateView

LIMITS = Limits(agents=60, cost_micros=5_000_000, tokens=3_000_001, minutes=241)
KINDS: tuple[GateKind, ...] = get_args(GateKind)


def gate_of(
    kind: GateKind, due_at: float | None = None, default: GateDefault | None = None, *, at_work: bool = False
) -> GateView:
    """An open gate of a kind; `at_work`: raised while a team works."""
    choices = choices_of(kind, ("Oak",), at_work=at_work)
    return GateView(1, 1, 1, kind, "Boss", "How to go on?", choices, due_at=due_at, default=default)


def test_every_effect_has_a_label_and_a_right() -> None:
    """An effect that the engine gets is one that people can read and that is decided who may use it."""
    effects = set(get_args(GateEffect))
    assert effects == set(LABELS) | {"option"}
    assert effects | {"text"} == set(GATE_RIGHTS) and all(GATE_RIGHTS.values())
    assert set(CLOSED) | {"person", "timeout"} == set(get_args(GateBasis))
    assert len(set(LABELS.values())) == len(LABELS)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "question"])
async def test_every_button_of_the_engines_questions_is_explained(kind: GateKind) -> None:
    """No button without a meaning and no meaning without a way; an agent's own question explains itself."""
    gates = [gate_of(kind), gate_of(kind, at_work=True)]
    for gate in gates:
        shown = gate_view(gate).children
        labels = {getattr(item, "label", None) or item.item.label for item in shown}  # type: ignore[attr-defined]
        named = {name for _, name in ways(gate) if not name.startswith("/")}
        assert named == labels
        assert "{" not in meanings(gate, LIMITS) and len(meanings(gate, LIMITS)) < 800
    offered = {way for gate in gates for way, _ in ways(gate)}
    assert offered == set(MEANS[kind]) >= set(EFFECTS[kind])


def test_a_raise_after_wrapping_up_promises_no_more_than_an_end() -> None:
    """The others have stopped by then; the boss alone goes on."""
    first: dict[GateKind, str] = {"cap": "work continues, within", "stall": "the boss is asked to continue."}
    for kind, before in first.items():
        gate = gate_of(kind)
        wrapped = replace(gate, choices=choices_of(kind, wrapped=True))
        assert before in meanings(gate, LIMITS) and "to its end" not in meanings(gate, LIMITS)
        assert before not in meanings(wrapped, LIMITS) and "to its end" in meanings(wrapped, LIMITS)


def test_an_agents_own_question_explains_itself() -> None:
    """Its options are its own words."""
    assert meanings(gate_of("question"), LIMITS) == ""


def test_numbers_stand_with_the_buttons() -> None:
    """What a raise or an approval allows is said as numbers."""
    assert "$7.50, 4,500,001 tokens and 120 more minutes" in meanings(gate_of("cap"), LIMITS)
    assert "within $0.15." in meanings(gate_of("share"), Limits(cost_micros=100_000))
    assert "60 agents, $5.00, 3,000,001 tokens, 241 minutes" in meanings(gate_of("plan"), LIMITS)


@pytest.mark.parametrize(
    ("kind", "default"), [(kind, default) for kind, found in DEFAULTS.items() for default in found]
)
def test_a_question_says_what_silence_leads_to(kind: GateKind, default: GateDefault) -> None:
    """When, and what then, for every default that a server may choose; and how it was closed, afterwards."""
    told = meanings(gate_of(kind, 1_700_000_600.5, default), LIMITS)
    assert "**No answer** by <t:1700000600:f>: " in told and "{" not in told
    assert "No answer" not in meanings(gate_of(kind), LIMITS)
    choice = next((one for one in choices_of(kind) if one.effect == default), None)
    late = replace(gate_of(kind), basis="timeout", choice_id=choice.id if choice else None)
    assert "in time" in closed_text(late, "Go on?") and "Go on?" in closed_text(late, "Go on?")


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_label_typed_is_its_choice_and_nothing_else_is(kind: GateKind) -> None:
    """Case and white space aside; a label with a word more is free text."""
    choices = choices_of(kind, ("Oak", "Ash"))
    for choice in choices:
        assert choice_named(choices, f"  {label(choice).upper()} ") == choice
        for words in (f"{label(choice)} please", f"do not {label(choice)}", choice.id + "!", ""):
            assert choice_named(choices, words) is None


def test_an_answer_reads_well() -> None:
    """Choice, caps and words."""
    approve = Choice("approve", "approve")
    assert answer_text(approve, "") == "Approve"
    assert answer_text(approve, "soon", Limits(agents=3)) == "Approve within 3 agents: soon"
    assert answer_text(Choice("o1", "option", "Oak"), "") == "Oak"
    assert answer_text(None, "Larch") == "Larch"
