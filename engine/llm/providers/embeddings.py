"""Embeddings over the same endpoint as the chat."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from engine.errors import ModelError, ModelMisconfigured, ModelUnavailable, NotConfigured
from engine.llm.faults import UnusableAnswer, fault_of
from engine.llm.prices import FREE, Rates, cost_micros, input_rates, most_micros
from engine.llm.providers.counting import TOKENS_PER_MESSAGE, size_of
from engine.llm.providers.endpoint import (
    Endpoint,
    Refusal,
    connect,
    endpoint_of,
    fault_of_transport,
    post,
)
from engine.llm.providers.usage import parse_usage, reported_cost
from engine.ports import Embedding, Quote, Usage
from engine.settings import EngineSettings

log = logging.getLogger(__name__)

MAX_BATCH = 256
MAX_CHARACTERS = 8_000


class OpenAIEmbedder:
    """Embedder over `openai.AsyncOpenAI` with `EMBEDDING_MODEL`.

    Texts go in batches of 256 and are cut at 8,000 characters (models take about 8,000 tokens). Raises
    NotConfigured when EMBEDDING_MODEL is not set. Call `close()` at the end.
    """

    def __init__(self, settings: EngineSettings, endpoint: Endpoint | None = None) -> None:
        if not settings.embedding_model:
            raise NotConfigured("No embedding model is set. Set EMBEDDING_MODEL to recall by meaning.")
        self._model = settings.embedding_model
        self._settings, self._timeout_s = settings, settings.model_timeout_s
        self._endpoint = endpoint or endpoint_of(settings)
        self._client = connect(self._endpoint, settings)
        self._rates: Rates | None = None

    @property
    def model(self) -> str:
        """Return the name of EMBEDDING_MODEL."""
        return self._model

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def quote(self, texts: Sequence[str]) -> Quote:
        """Return the upper estimate of one token a byte; no tokenizer makes more of a text."""
        tokens, rates = _most_tokens(texts), self._price()
        return Quote(tokens, most_micros(rates, tokens, 0), rates.guessed)

    async def embed(self, texts: Sequence[str]) -> Embedding:
        """One vector a text, all of the same length. Raises ModelError subclasses only."""
        self._refuse_unpriced()
        vectors: list[list[float]] = []
        parts: list[Embedding] = []
        for start in range(0, len(texts), MAX_BATCH):
            try:
                part = await self._batch(texts[start : start + MAX_BATCH])
            except ModelError as error:
                error.free = error.free and start == 0
                raise
            parts.append(part)
            vectors += map(list, part.vectors)
        if len({len(vector) for vector in vectors}) > 1:
            raise UnusableAnswer("The embedding endpoint sent vectors of different lengths. Try again.")
        usage = Usage(
            sum(part.usage.prompt for part in parts), estimated=any(part.usage.estimated for part in parts)
        )
        cost, guessed = sum(part.cost_micros for part in parts), any(part.guessed for part in parts)
        return Embedding(vectors, usage, cost, guessed)

    def _price(self) -> Rates:
        """Return the rates: free for a local endpoint, the ceiling where nobody knows the price."""
        if self._endpoint.local:
            return FREE
        if self._rates is None:
            settings = self._settings
            found = (settings.model_prices, settings.model_ceiling_price)
            self._rates = input_rates(self._model, self._endpoint.base_url, *found)
            if self._rates.guessed:
                log.warning(
                    "No price is known for the embedding model %s: it counts as %s. Set MODEL_PRICES.",
                    self._model,
                    self._rates,
                )
        return self._rates

    def _refuse_unpriced(self) -> None:
        if self._settings.model_unpriced == "refuse" and self._price().guessed:
            error = ModelMisconfigured(
                f"No price is known for {self._model}, and MODEL_UNPRICED=refuse. Set MODEL_PRICES to its "
                "price."
            )
            error.free = True
            raise error

    async def _batch(self, texts: Sequence[str]) -> Embedding:
        # Empty input is refused by some endpoints, so a space stands for it.
        body = {"model": self._model, "input": [text[:MAX_CHARACTERS] or " " for text in texts]}
        raw = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await post(self._client, "/embeddings", raw, {"Content-Type": "application/json"})
        except Refusal as refusal:
            error = fault_of(refusal.said)
            error.free = True
            raise error from refusal
        except TimeoutError as error:
            raise ModelUnavailable("The embedding endpoint did not answer in time. Try again.") from error
        except Exception as error:
            raise fault_of_transport(error, self._settings) from error
        vectors = parse_vectors(answer, len(texts))
        reported = json.loads(answer).get("usage")
        counted, told = parse_usage(reported), reported_cost(reported)
        usage = counted if counted.prompt else Usage(_most_tokens(texts), estimated=True)
        rates = self._price()
        cost = cost_micros(rates, Usage(usage.prompt)) if told is None else told
        return Embedding(vectors, usage, cost, rates.guessed and told is None)


def _most_tokens(texts: Sequence[str]) -> int:
    return sum(size_of(text[:MAX_CHARACTERS]) + TOKENS_PER_MESSAGE for text in texts)


def parse_vectors(raw: bytes, count: int) -> list[list[float]]:
    """Vectors by `index`, as numbers or base64 of little-endian 32-bit floats. Raises UnusableAnswer."""
    try:
        rows: list[Mapping[str, Any]] = json.loads(raw)["data"]
        ordered = sorted(rows, key=lambda row: int(row.get("index", 0)))
        vectors = [_vector(row["embedding"]) for row in ordered]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, struct.error) as error:
        raise UnusableAnswer("The embedding endpoint's answer held no vectors. Try again.") from error
    if len(vectors) != count or not all(vectors):
        raise UnusableAnswer(f"The embedding endpoint sent {len(vectors)} vectors, not {count}. Try again.")
    return vectors


def _vector(value: Any) -> list[float]:
    if isinstance(value, str):
        packed = base64.b64decode(value, validate=True)
        return list(struct.unpack(f"<{len(packed) // 4}f", packed))
    return [float(number) for number in value]
