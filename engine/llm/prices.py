"""What models cost: a small built-in table, overridden by `MODEL_PRICES`.

The table holds list prices in US dollars a million tokens as published on the providers' price pages,
as of October 2025. Prices change: set `MODEL_PRICES` for exact books or for models not listed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from engine.ports import Usage
from engine.settings import Price

AS_OF = "2025-10"

KNOWN: Mapping[str, Price] = {
    "gpt-4o": Price(input=2.50, output=10.00, cached=1.25),
    "gpt-4o-mini": Price(input=0.15, output=0.60, cached=0.075),
    "gpt-4.1": Price(input=2.00, output=8.00, cached=0.50),
    "gpt-4.1-mini": Price(input=0.40, output=1.60, cached=0.10),
    "gpt-4.1-nano": Price(input=0.10, output=0.40, cached=0.025),
    "gpt-5": Price(input=1.25, output=10.00, cached=0.125),
    "gpt-5-mini": Price(input=0.25, output=2.00, cached=0.025),
    "gpt-5-nano": Price(input=0.05, output=0.40, cached=0.005),
    "o3": Price(input=2.00, output=8.00, cached=0.50),
    "o4-mini": Price(input=1.10, output=4.40, cached=0.275),
    "deepseek-chat": Price(input=0.28, output=0.42, cached=0.028),
    "deepseek-reasoner": Price(input=0.28, output=0.42, cached=0.028),
}

_DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


def find_price(model: str, own: Mapping[str, Price]) -> Price | None:
    """The model's price: by exact name, without its date, without its vendor (`openai/gpt-4o`); own first."""
    undated = _DATED.sub("", model)
    for name in (model, undated, undated.rsplit("/", 1)[-1]):
        price = own.get(name) or KNOWN.get(name)
        if price is not None:
            return price
    return None


def cost_micros(price: Price, usage: Usage) -> int:
    """Micro-dollars of a call, rounded up; dollars a million tokens are micro-dollars a token."""
    cached = min(usage.cached, usage.prompt)
    rate = price.input if price.cached is None else price.cached
    return math.ceil((usage.prompt - cached) * price.input + cached * rate + usage.completion * price.output)


def most_micros(price: Price, prompt: int, completion: int) -> int:
    """Most a call of so many tokens may cost: nothing is taken to be cached."""
    return math.ceil(prompt * max(price.input, price.cached or 0.0) + completion * price.output)
