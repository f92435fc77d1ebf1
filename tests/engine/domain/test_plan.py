"""Reading what people answer to a plan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.plan import PlanAnswer, read_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Approve", PlanAnswer(True)),
        ("approve, at most 20 agents and $2.50", PlanAnswer(True, agents=20, cost_micros=2_500_000)),
        ("Approve with 1,000,000 tokens in 30 minutes", PlanAnswer(True, tokens=1_000_000, minutes=30)),
        ("Approve with 0 agents", PlanAnswer(True)),
        ("Approve (nobody answered in time)", PlanAnswer(True)),
        ("only 3 agents, please", PlanAnswer(False)),
    ],
)
def test_answers_are_read(text: str, answer: PlanAnswer) -> None:
    """Caps count only in an approval; anything else is an edit in words."""
    assert read_answer(text) == answer


@given(st.text())
def test_any_answer_can_be_read(text: str) -> None:
    """Whatever people type, the caps read from it are positive."""
    answer = read_answer("approve " + text)
    values = (answer.agents, answer.cost_micros, answer.tokens, answer.minutes)
    assert answer.approved and all(value is None or value > 0 for value in values)
