"""What models cost: the operator's word, the data package, a ceiling; never nothing."""

from __future__ import annotations

import pytest
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot

from engine.llm.prices import cost_micros, known_model, most_micros, own_rates, rates_of
from engine.llm.providers.catalog import Catalog
from engine.ports import Usage
from engine.settings import Price
from tests.engine.llm.conftest import settings_with


@pytest.mark.parametrize(
    ("model", "base_url"),
    [
        ("gpt-4o-mini", ""),
        ("gpt-4o-mini-2024-07-18", ""),
        ("gpt-5.6", ""),
        ("claude-sonnet-4-5", "http://127.0.0.1:4000/v1"),
        ("anthropic/claude-sonnet-4.5", "https://openrouter.ai/api/v1"),
        ("openai/gpt-4o", "http://localhost:4000"),
        ("gemini-3-pro-preview", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ("deepseek-chat", "https://api.deepseek.com"),
        ("grok-4", "https://api.x.ai/v1"),
        ("mistral-large-latest", "https://api.mistral.ai/v1"),
        ("llama-3.3-70b-versatile", "https://api.groq.com/openai/v1"),
    ],
)
def test_the_models_people_buy_have_a_price(model: str, base_url: str) -> None:
    """By the endpoint's address, else by the name alone."""
    rates = known_model(model, base_url).rates
    assert rates is not None
    assert rates.tiers[0].input > 0


def test_what_nobody_knows_has_none() -> None:
    """The caller takes the ceiling then."""
    assert known_model("nobody-knows", "http://127.0.0.1:1/v1").rates is None


def test_the_operators_price_goes_first_under_any_form_of_the_name() -> None:
    """With a vendor before it, or a date after it."""
    own = {"gpt-4o": Price(input=1, output=2)}
    for name in ("gpt-4o", "openai/gpt-4o", "gpt-4o-2024-08-06"):
        rates = own_rates(name, own)
        assert rates is not None
        assert rates.tiers[0].input == 1


def test_long_prompts_cost_what_their_tier_says() -> None:
    """Claude and Gemini ask more for all tokens of a call over 200,000."""
    rates = known_model("claude-sonnet-4-5", "https://api.anthropic.com").rates
    assert rates is not None
    assert rates.at(1_000).input < rates.at(250_000).input
    assert most_micros(rates, 250_000, 0) == 250_000 * rates.at(250_000).input


def test_cached_and_written_tokens_are_priced_apart() -> None:
    """Each token once, at its own price."""
    rates = rates_of(Price(input=4, output=8, cached=1), "MODEL_PRICES")
    assert cost_micros(rates, Usage(100, 40, 10, written=20)) == 40 * 4 + 40 * 1 + 20 * 5 + 10 * 8


def test_newer_prices_count_from_the_next_call_on() -> None:
    """MODEL_PRICES_UPDATE: no release and no restart is needed."""
    catalog = Catalog(
        settings_with(model_prices_update=True),
        "https://api.openai.com/v1",
        local=False,
        notice=lambda *_: None,
    )
    before = catalog.rates("gpt-4o")
    newer = DataSnapshot([p for p in get_snapshot().providers if p.id == "anthropic"], from_auto_update=True)
    set_custom_snapshot(newer)
    try:
        assert catalog.rates("gpt-4o").guessed
    finally:
        set_custom_snapshot(None)
    assert catalog.rates("gpt-4o") == before
    assert not before.guessed
