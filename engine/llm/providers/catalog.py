"""Facts about each model at one endpoint: price, window, the shape of its requests, learned repairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.llm.prices import FREE, KnownModel, Rates, known_model, own_rates, rates_of, snapshot
from engine.llm.providers.families import first_quirks
from engine.llm.providers.learned import Learned
from engine.llm.providers.quirks import Quirks
from engine.settings import EngineSettings

LEAST_ANSWER = 256
_MARGIN = 64


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts about one model as it is used now, for people: endpoint, way of use, price and limits."""

    model: str
    endpoint: str
    family: str
    price: str
    guessed: bool
    window: int
    answer: int
    repaired: tuple[str, ...]


class Catalog:
    """Facts by model at one endpoint. Shared by all calls; what is learned holds from the next call on."""

    def __init__(
        self,
        settings: EngineSettings,
        base_url: str,
        *,
        local: bool,
        notice: Callable[[str, str], None],
        learned: Learned | None = None,
    ) -> None:
        """`notice(key, text)` gets each thing worth saying; the same key is said once. `learned` keeps what
        is learned over restarts."""
        self._learned = learned
        self._settings, self._base_url, self._local, self._notice = settings, base_url, local, notice
        self._quirks: dict[str, Quirks] = {}
        self._known: dict[str, KnownModel] = {}
        self._rates: dict[str, Rates] = {}
        self._snapshot: object = None

    def quirks(self, model: str) -> Quirks:
        """Return the request shape that the endpoint wants for `model`."""
        found = self._quirks.get(model)
        if found is None:
            kept = self._learned.get(self._base_url, model) if self._learned else None
            found = self._quirks[model] = kept or first_quirks(self._base_url, model)
        return found

    def learn(self, model: str, quirks: Quirks, said: str = "") -> None:
        """Store another request shape for `model`."""
        self._quirks[model] = quirks
        if self._learned:
            self._learned.put(self._base_url, model, quirks)
        if said:
            self._notice(f"{model}|{said}", f"The endpoint of {model} was asked in another way: {said}.")

    def learn_window(self, model: str, tokens: int) -> None:
        """Register that a prompt of `tokens` tokens was too long."""
        quirks = self.quirks(model)
        if tokens > 0 and (not quirks.window or tokens < quirks.window):
            self.learn(model, replace(quirks, window=tokens))

    def rates(self, model: str) -> Rates:
        """Return the prices of `model`; the ceiling if they are unknown."""
        if self._settings.model_prices_update:
            self._forget_old_prices()
        found = self._rates.get(model)
        if found is None:
            found = self._rates[model] = self._find_rates(model)
        return found

    def _forget_old_prices(self) -> None:
        current = snapshot()
        if current is not self._snapshot:
            self._snapshot = current
            self._rates.clear()
            self._known.clear()

    def rates_of_answer(self, answered: str, asked: str) -> Rates:
        """Return the prices of the model that answered (routers choose one), else of the one asked for."""
        return self.rates(asked) if answered == asked else self._known_rates(answered) or self.rates(asked)

    def _known_rates(self, model: str) -> Rates | None:
        if self._local:
            return FREE
        return own_rates(model, self._settings.model_prices) or self._data(model).rates

    def _find_rates(self, model: str) -> Rates:
        rates = self._known_rates(model)
        if rates is not None:
            return rates
        rates = rates_of(self._settings.model_ceiling_price, "ceiling")
        self._notice(
            f"price|{model}",
            f"No price is known for {model}: it counts as {rates}. Set MODEL_PRICES to the real price.",
        )
        return rates

    def _data(self, model: str) -> KnownModel:
        found = self._known.get(model)
        if found is None:
            found = self._known[model] = known_model(model, self._base_url)
        return found

    def window(self, model: str) -> tuple[int, bool]:
        """Return (tokens of prompt and answer together, whether that is known rather than assumed)."""
        configured = self._settings.model_context_tokens
        learned, listed = self.quirks(model).window, 0 if self._local else self._data(model).window
        if self._local or "model_context_tokens" in self._settings.model_fields_set:
            return min(configured, learned or configured), True
        known = min((size for size in (learned, listed) if size), default=0)
        return (known, True) if known else (configured, False)

    def answer_limit(self, model: str, prompt: int, asked: int | None) -> int:
        """Return the tokens an answer may have: the requested ones within the model's, the operator's and the
        window's limits."""
        settings, quirks = self._settings, self.quirks(model)
        limit = asked or settings.model_max_tokens
        limit = min(limit, max(settings.model_max_tokens_raised, settings.model_max_tokens))
        limit = min(limit, quirks.most_answer or limit)
        window, known = self.window(model)
        if asked and not known:
            return limit
        left = window - prompt - _MARGIN
        return min(limit, max(left, LEAST_ANSWER if known else settings.model_max_tokens // 4))

    def facts(self, model: str) -> ModelFacts:
        """Return the model's facts as it is used now."""
        quirks, rates = self.quirks(model), self.rates(model)
        window, known = self.window(model)
        return ModelFacts(
            model=model,
            endpoint="embedded" if self._local else self._base_url or "https://api.openai.com/v1",
            family=quirks.family,
            price=str(rates),
            guessed=rates.guessed,
            window=window if known else 0,
            answer=self.answer_limit(model, 0, None),
            repaired=quirks.repaired,
        )
