"""The budget tree's rules."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.budget import Budget, amount, amounts, estimated_micros, is_near, spent_budget
from engine.ports import Quote

AMOUNTS = st.integers(0, 10_000)


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_a_budget_is_spent_by_spending_alone(cap: int, spent: int, reserved: int, need: int) -> None:
    """What others hold may come back, so it makes nobody's budget used up."""
    budget = Budget(1, None, cap, None, spent_micros=spent, reserved_micros=reserved)
    assert budget.is_spent(Quote(0, need)) == (spent + need > cap)


def test_a_call_waits_while_others_hold_what_they_may_not_use() -> None:
    """Full by reservations is not spent: only spending makes a budget be used up."""
    held = Budget(1, None, 100, None, spent_micros=10, reserved_micros=80)
    assert spent_budget([held], Quote(0, 20)) is None
    used = replace(held, spent_micros=90)
    assert spent_budget([used], Quote(0, 20)) is used


def test_the_nearest_cap_is_named_with_its_numbers() -> None:
    """Money at half, tokens at nine tenths: tokens."""
    budget = Budget(1, None, 100, 1_000, spent_micros=50, spent_tokens=900)
    assert budget.nearest() == ("tokens", 900, 1_000)
    assert Budget(1, 7, None, None).nearest()[2] == 0
    assert is_near(80, 100) and not is_near(79, 100) and not is_near(0, 0)


def test_money_is_estimated_at_the_price_of_the_quote() -> None:
    """Unknown prices give no estimate rather than a wrong one."""
    assert estimated_micros(Quote(1_000, 500), 10_000) == 5_000
    assert estimated_micros(Quote(1_000, 0), 10_000) == 0
    assert estimated_micros(None, 10_000) == 0
    assert (amount("cost", 1_500_000), amount("tokens", 1_500)) == ("$1.50", "1,500")


def test_what_is_used_of_a_small_cap_does_not_contradict_it() -> None:
    """Whole cents stay as they are; so does money of which a part of a cent decides nothing."""
    assert amounts("cost", 14_900, 20_000) == ("$0.0149", "$0.0200")
    assert amounts("cost", 400_000, 500_000) == ("$0.40", "$0.50")
    assert amounts("cost", 2_993_100, 3_000_000) == ("$2.99", "$3.00")
    assert amounts("tokens", 1_200, 5_000) == ("1,200", "5,000")
