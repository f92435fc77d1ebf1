"""Questions say in words what each of their buttons leads to."""

from __future__ import annotations

import pytest

from bot.texts_gates import MEANS, meanings
from bot.views.gate import gate_view
from engine.commands import Limits
from engine.events import GateKind, get_args
from engine.store.apply import PLAN_OPTIONS
from engine.store.caps import CAP_OPTIONS
from engine.store.intervene import AUDIT_OPTIONS, STALL_OPTIONS
from engine.store.shares import SHARE_OPTIONS

OPTIONS: dict[GateKind, tuple[str, ...]] = {
    "plan": PLAN_OPTIONS,
    "cap": CAP_OPTIONS,
    "share": SHARE_OPTIONS,
    "audit": AUDIT_OPTIONS,
    "stall": STALL_OPTIONS,
}
LIMITS = Limits(agents=60, cost_micros=5_000_000, tokens=3_000_001, minutes=241)


@pytest.mark.parametrize("kind", get_args(GateKind))
async def test_every_button_of_the_engines_questions_is_explained(kind: GateKind) -> None:
    """No button without a meaning, whatever the engine offers; an agent's own question explains itself."""
    view = gate_view(1, OPTIONS.get(kind, ()))
    labels = {getattr(item, "label", None) or item.item.label for item in view.children}  # type: ignore[attr-defined]
    named = {name for name in MEANS[kind] if not name.startswith("/")}
    assert named == (labels if kind in OPTIONS else set())
    assert "{" not in meanings(kind, LIMITS) and len(meanings(kind, LIMITS)) < 700


def test_numbers_stand_with_the_buttons() -> None:
    """What a raise or an approval allows is said as numbers."""
    assert "$7.50, 4,500,001 tokens and 120 more minutes" in meanings("cap", LIMITS)
    assert "60 agents, $5.00, 3,000,001 tokens, 241 minutes" in meanings("plan", LIMITS)


def test_a_plan_says_what_silence_leads_to() -> None:
    """Where no answer counts as one, when is said."""
    assert "No answer" in meanings("plan", LIMITS, 1_700_000_600.5)
    assert "<t:1700000600:R>" in meanings("plan", LIMITS, 1_700_000_600.5)
    assert "No answer" not in meanings("cap", LIMITS)
