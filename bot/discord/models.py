"""Which models people may name for a task, and which of them cost what nobody can count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.texts.steering import NO_PRICE, SMALL_MODEL
from engine.llm.prices import Rates, known_model, own_rates
from engine.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class Models:
    """What the operator allows: `names` (None: anything), and those of them that have no price; the `usual`
    ones, and whether these are the `embedded` model.

    The usual models are never `unpriced` here: that they are used is the operator's own choice. `usual`:
    the model of each role; `price`: what a model costs, in words.
    """

    names: tuple[str, ...] | None = None
    unpriced: frozenset[str] = frozenset()
    usual: tuple[str, ...] = ()
    embedded: bool = False
    price: Callable[[str], str] = lambda _model: ""

    @classmethod
    def of(cls, settings: EngineSettings) -> Models:
        """As the settings say."""
        usual, names = settings.usual_models(), settings.models()
        unpriced = frozenset(n for n in names if n not in usual and not _rates(n, settings))
        embedded = not settings.has_endpoint
        return cls(names, unpriced, usual, embedded, lambda model: _words(_rates(model, settings)))

    @property
    def usual_name(self) -> str:
        """Return what works where a task names no model, "" if unknown."""
        return SMALL_MODEL if self.embedded else next(iter(self.usual), "")


def _rates(model: str, settings: EngineSettings) -> Rates | None:
    return own_rates(model, settings.model_prices) or known_model(model, settings.openai_base_url).rates


def _words(rates: Rates | None) -> str:
    return str(rates) if rates is not None else NO_PRICE
