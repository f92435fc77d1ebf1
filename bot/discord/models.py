"""Which models people may name for a task, and which of them cost what nobody can count."""

from __future__ import annotations

from dataclasses import dataclass

from engine.llm.prices import known_model, own_rates
from engine.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class Models:
    """What the operator allows: `names` (None: anything), and those of them that have no price; the `usual`
    ones, and whether these are the `embedded` model.

    The usual models are never `unpriced` here: that they are used is the operator's own choice.
    """

    names: tuple[str, ...] | None = None
    unpriced: frozenset[str] = frozenset()
    usual: tuple[str, ...] = ()
    embedded: bool = False

    @classmethod
    def of(cls, settings: EngineSettings) -> Models:
        """As the settings say."""
        usual, names = settings.usual_models(), settings.models()
        unpriced = frozenset(n for n in names if n not in usual and not _priced(n, settings))
        return cls(names, unpriced, usual, not settings.has_endpoint)


def _priced(model: str, settings: EngineSettings) -> bool:
    own = own_rates(model, settings.model_prices)
    return own is not None or known_model(model, settings.openai_base_url).rates is not None
