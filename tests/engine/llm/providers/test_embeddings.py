"""Embeddings over the real SDK against a loopback endpoint."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from engine.errors import ModelError, ModelRefused, ModelUnavailable, NotConfigured
from engine.llm.faults import UnusableAnswer
from engine.llm.providers.embeddings import OpenAIEmbedder
from engine.llm.providers.openai_chat import Endpoint
from tests.engine.llm.conftest import settings_with
from tests.fakes import model_endpoint as fake
from tests.fakes.model_endpoint import ModelEndpoint, says


def rows(*vectors: Any) -> dict[str, Any]:
    """An answer with vectors in reverse order, distinguished by their index."""
    listed = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return {"data": listed[::-1]}


async def embed(endpoint: ModelEndpoint, *texts: str, **changes: Any) -> list[list[float]]:
    """Embed with a fresh client."""
    embedder = OpenAIEmbedder(settings_with(embedding_model="e", **changes), Endpoint(endpoint.url, "k"))
    try:
        return await embedder.embed(texts)
    finally:
        await embedder.close()


async def test_vectors_come_in_the_order_of_the_texts(endpoint: ModelEndpoint) -> None:
    """The endpoint's order does not matter, its index does."""
    endpoint.then = says(rows([1, 0], [0, 1]))
    assert await embed(endpoint, "a", "b") == [[1.0, 0.0], [0.0, 1.0]]
    assert endpoint.bodies == [{"model": "e", "input": ["a", "b"]}]


async def test_base64_vectors_are_read(endpoint: ModelEndpoint) -> None:
    """The packed form that OpenAI's own client asks for is understood too."""
    endpoint.then = says(rows(base64.b64encode(struct.pack("<2f", 0.5, -2.0)).decode()))
    assert await embed(endpoint, "a") == [[0.5, -2.0]]


async def test_many_texts_go_in_batches(endpoint: ModelEndpoint) -> None:
    """257 texts are two requests."""
    endpoint.replies = [says(rows(*[[1.0]] * 256)), says(rows([2.0]))]
    vectors = await embed(endpoint, *["t"] * 257)
    assert vectors == [[1.0]] * 256 + [[2.0]]


async def test_nothing_asks_nobody(endpoint: ModelEndpoint) -> None:
    """No texts, no request."""
    assert await embed(endpoint) == []
    assert endpoint.bodies == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (says(rows([1.0])), UnusableAnswer),
        (says(rows([1.0], [1.0, 2.0])), UnusableAnswer),
        (says(rows([], [])), UnusableAnswer),
        (says(rows("!!", "!!")), UnusableAnswer),
        (says({"data": None}), UnusableAnswer),
        (says(b"oops"), UnusableAnswer),
        (says({}, 400), ModelRefused),
        (says({}, 500), ModelUnavailable),
        (fake.hangs, ModelUnavailable),
        (fake.drops, ModelUnavailable),
    ],
)
async def test_faults_become_engine_errors(
    endpoint: ModelEndpoint, reply: fake.Reply, kind: type[ModelError]
) -> None:
    """Wrong counts, lengths and bodies and all HTTP faults come out as engine errors."""
    endpoint.then = reply
    with pytest.raises(kind):
        await embed(endpoint, "a", "b", model_timeout_s=0.5)


def test_without_a_model_it_is_not_configured() -> None:
    """The message names the setting."""
    with pytest.raises(NotConfigured, match="EMBEDDING_MODEL"):
        OpenAIEmbedder(settings_with())
