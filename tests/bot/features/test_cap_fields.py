"""Caps as people type them into a window."""

from __future__ import annotations

import pytest

from bot.discord.errors import ActionRefused
from bot.features.tasks.cap_fields import cap_asks, caps_of
from engine.commands import Limits


@pytest.mark.parametrize(
    ("typed", "micros"),
    [
        ("2.50", 2_500_000),
        ("2,50", 2_500_000),
        ("$ 3", 3_000_000),
        ("1,000", 1_000_000_000),
        ("$1,000.00", 1_000_000_000),
        ("12,500", 12_500_000_000),
        ("999,999.99", 999_999_990_000),
    ],
)
def test_money_is_read_as_it_is_written(typed: str, micros: int) -> None:
    """A comma before two digits is a decimal one; before three it parts thousands, as the bot writes them."""
    assert caps_of({"dollars": typed}) == Limits(cost_micros=micros)


@pytest.mark.parametrize("typed", ["1.000,50", "0", "-1", "nan", "1,00,000", "a lot"])
def test_what_is_no_amount_is_refused(typed: str) -> None:
    """With one that would do."""
    with pytest.raises(ActionRefused, match=r"2\.50"):
        caps_of({"dollars": typed})


def test_no_number_is_too_large_for_the_store() -> None:
    """Agents and minutes have 32 bits in PostgreSQL, tokens 64."""
    bits = {"tokens": 64, "agents": 32, "minutes": 32}
    most = {field.name: field.most for field in cap_asks(Limits())}
    for name, size in bits.items():
        assert int("9" * most[name]) < 2 ** (size - 1), name
