"""Embeddings over the same endpoint as the chat."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from engine.errors import ModelUnavailable, NotConfigured
from engine.llm.faults import UnusableAnswer, fault_of
from engine.llm.providers.endpoint import (
    Endpoint,
    Refusal,
    connect,
    endpoint_of,
    fault_of_transport,
    post,
)
from engine.settings import EngineSettings

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
        self._client = connect(endpoint or endpoint_of(settings), settings)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, all of the same length. Raises ModelError subclasses only."""
        vectors: list[list[float]] = []
        for start in range(0, len(texts), MAX_BATCH):
            vectors += await self._batch(texts[start : start + MAX_BATCH])
        if len({len(vector) for vector in vectors}) > 1:
            raise UnusableAnswer("The embedding endpoint sent vectors of different lengths. Try again.")
        return vectors

    async def _batch(self, texts: Sequence[str]) -> list[list[float]]:
        # Empty input is refused by some endpoints, so a space stands for it.
        body = {"model": self._model, "input": [text[:MAX_CHARACTERS] or " " for text in texts]}
        raw = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await post(self._client, "/embeddings", raw, {"Content-Type": "application/json"})
        except Refusal as refusal:
            raise fault_of(refusal.said) from refusal
        except TimeoutError as error:
            raise ModelUnavailable("The embedding endpoint did not answer in time. Try again.") from error
        except Exception as error:
            raise fault_of_transport(error, self._settings) from error
        return parse_vectors(answer, len(texts))


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
