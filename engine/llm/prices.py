"""Prices of models: the operator's `MODEL_PRICES`, else the data package `genai-prices`, else a ceiling.

Never zero by default: a model with an unknown price is counted at `MODEL_CEILING_PRICE`, so that a money cap
holds for it, or refused with `MODEL_UNPRICED=refuse`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from engine.ports import Usage
from engine.settings import Price

OPENAI = "https://api.openai.com/v1"
Source = Literal["MODEL_PRICES", "price list", "ceiling", "free"]

_DATED = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8}|latest)$")
_VARIANT = re.compile(r":(?:free|nitro|floor|online|thinking|extended|exacto|beta)$")
_ROUTE = re.compile(r"^(?:openai|azure|anthropic|gemini|google|vertex_ai|bedrock|openrouter|mistral|groq)/")


@dataclass(frozen=True, slots=True)
class Tier:
    """Dollars a million tokens of a call whose prompt has at least `start` tokens."""

    start: int
    input: float
    output: float
    cached: float
    written: float


@dataclass(frozen=True, slots=True)
class Rates:
    """What a model costs, by the size of the prompt; `source` says who knows."""

    tiers: tuple[Tier, ...]
    source: Source = "price list"

    @property
    def guessed(self) -> bool:
        """Return True if the price is unknown and the ceiling is used."""
        return self.source == "ceiling"

    def at(self, prompt: int) -> Tier:
        """Return the tier for a prompt of `prompt` tokens."""
        return next((tier for tier in reversed(self.tiers) if prompt >= tier.start), self.tiers[0])

    def __str__(self) -> str:
        first = self.tiers[0]
        return f"${first.input:g} in, ${first.output:g} out a million tokens ({self.source})"


FREE = Rates((Tier(0, 0.0, 0.0, 0.0, 0.0),), "free")


@dataclass(frozen=True, slots=True)
class KnownModel:
    """What the data package knows of a model; 0 and None where it does not."""

    rates: Rates | None = None
    window: int = 0


def rates_of(price: Price, source: Source) -> Rates:
    """Return an operator's price as rates."""
    cached = price.input if price.cached is None else price.cached
    return Rates((Tier(0, price.input, price.output, cached, price.input * 1.25),), source)


def own_rates(model: str, own: Mapping[str, Price]) -> Rates | None:
    """Return the operator's price: by exact name, without its date, without its vendor (`openai/gpt-4o`)."""
    for name in _names(model):
        if name in own:
            return rates_of(own[name], "MODEL_PRICES")
    return None


def known_model(model: str, base_url: str) -> KnownModel:
    """Return what the data package knows: first by the endpoint's address, then by the model's name alone."""
    if _VARIANT.search(model) and model.endswith(":free"):
        return KnownModel(FREE)
    for name in _names(model):
        for address in (base_url or "https://api.openai.com/v1", None):
            found = _looked_up(name, address)
            if found is not None:
                return KnownModel(_listed(found), found.context_window or 0)
    return KnownModel()


def input_rates(model: str, base_url: str, own: Mapping[str, Price], ceiling: Price) -> Rates:
    """Return the rates of a model that only reads, as for embeddings, where none is listed for answers."""
    known = own_rates(model, own) or known_model(model, base_url).rates or _listed_input(model, base_url)
    return known or rates_of(ceiling, "ceiling")


def _listed_input(model: str, base_url: str) -> Rates | None:
    # The package knows the names of OpenAI's embedding models only together with its address.
    for name in _names(model):
        for address in (base_url or OPENAI, None, OPENAI):
            found = _looked_up(name, address)
            price = found and getattr(found.get_prices(datetime.now(tz=UTC)), "input_mtok", None)
            if price is not None:
                each = float(
                    max(price.base, *(tier.price for tier in price.tiers))
                    if hasattr(price, "tiers")
                    else price
                )
                return Rates((Tier(0, each, 0.0, each, each),))
    return None


def _names(model: str) -> Iterator[str]:
    seen = dict.fromkeys((model, _VARIANT.sub("", model), _DATED.sub("", model)))
    seen |= dict.fromkeys(_ROUTE.sub("", name) for name in list(seen))
    seen |= dict.fromkeys(name.rsplit("/", 1)[-1] for name in list(seen))
    return iter(seen)


def snapshot() -> object:
    """The price data in use now; another object once they were updated."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - see `_looked_up`

    return get_snapshot()


def keep_current() -> Callable[[], None]:
    """Fetch newer price data each hour in the background, as the package publishes them -> how to stop."""
    from genai_prices import UpdatePrices  # noqa: PLC0415 - see `_looked_up`

    updates = UpdatePrices()
    updates.start()
    stop: Callable[[], None] = updates.stop
    return stop


def _looked_up(name: str, address: str | None) -> Any:
    # Imported here: the data take a moment to load, and only endpoints that cost something need them.
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415

    try:
        return get_snapshot().find_provider_model(name, None, None, address)[1]
    except LookupError:
        return None


def _listed(model: Any) -> Rates | None:
    """The package's prices of today as rates; None where a token has no price."""
    prices = model.get_prices(datetime.now(tz=UTC))
    if getattr(prices, "input_mtok", None) is None or getattr(prices, "output_mtok", None) is None:
        return None
    starts = {0}
    for name in ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"):
        value = getattr(prices, name, None)
        starts |= {tier.start for tier in getattr(value, "tiers", ())}
    return Rates(tuple(_tier(prices, start) for start in sorted(starts)))


def _tier(prices: Any, start: int) -> Tier:
    def at(name: str, default: float) -> float:
        value = getattr(prices, name, None)
        if value is None:
            return default
        if hasattr(value, "tiers"):
            value = next((tier.price for tier in reversed(value.tiers) if start >= tier.start), value.base)
        return float(value)

    given = at("input_mtok", 0.0)
    return Tier(
        start,
        given,
        at("output_mtok", 0.0),
        at("cache_read_mtok", given),
        at("cache_write_mtok", given * 1.25),
    )


def cost_micros(rates: Rates, usage: Usage) -> int:
    """Return the micro-dollars of a call, rounded up; dollars a million tokens are micro-dollars a token."""
    tier = rates.at(usage.prompt)
    cached = min(usage.cached, usage.prompt)
    written = min(usage.written, usage.prompt - cached)
    plain = usage.prompt - cached - written
    return math.ceil(
        round(
            plain * tier.input
            + cached * tier.cached
            + written * tier.written
            + usage.completion * tier.output,
            6,
        )
    )


def most_micros(rates: Rates, prompt: int, completion: int, *, marked: bool = False) -> int:
    """Return the most that a call may cost: nothing is assumed cached, and everything written to the cache
    where the request marks it for that, which costs more than reading."""
    tier = rates.at(prompt)
    read = max(tier.input, tier.cached, tier.written if marked else 0.0)
    return math.ceil(prompt * read + completion * tier.output)
