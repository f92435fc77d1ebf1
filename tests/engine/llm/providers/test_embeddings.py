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
        return [list(vector) for vector in (await embedder.embed(texts)).vectors]
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


async def test_what_a_call_costs_is_counted_priced_or_at_the_ceiling(endpoint: ModelEndpoint) -> None:
    """By the endpoint's own figure, else its tokens at the listed price of input, else the ceiling; the quote
    is never less. Tokens that nobody tells are those of the quote."""
    told = {"usage": {"prompt_tokens": 1_000, "total_tokens": 1_000}}
    text = "x" * 8_000
    for name, usage, wanted in (
        ("text-embedding-3-small", told, (1_000, 20, False)),
        ("text-embedding-3-small", {}, (8_008, 161, False)),
        ("nobodys-model", told, (1_000, 5_000, True)),
        ("nobodys-model", {"usage": {"prompt_tokens": 9, "cost": 0.000007}}, (9, 7, False)),
    ):
        endpoint.then = says(rows([1.0]) | usage)
        embedder = OpenAIEmbedder(settings_with(embedding_model=name), Endpoint(endpoint.url, "k"))
        made, quote = await embedder.embed([text]), embedder.quote([text])
        await embedder.close()
        assert (made.usage.prompt, made.cost_micros, made.guessed) == wanted
        assert quote.tokens >= made.usage.prompt and quote.cost_micros >= made.cost_micros
        assert embedder.model == name
    endpoint.then = says(rows([1.0]) | told)
    local = OpenAIEmbedder(settings_with(embedding_model="e"), Endpoint(endpoint.url, "k", local=True))
    assert (await local.embed([text])).cost_micros == local.quote([text]).cost_micros == 0
    await local.close()


async def test_only_a_call_that_the_endpoint_refused_is_free(endpoint: ModelEndpoint) -> None:
    """A lost connection or a broken answer may be paid for; MODEL_UNPRICED=refuse asks nobody."""
    for reply, free in ((says({}, 400), True), (says(b"oops"), False), (fake.drops, False)):
        endpoint.then = reply
        with pytest.raises(ModelError) as caught:
            await embed(endpoint, "a")
        assert caught.value.free is free
    asked = len(endpoint.bodies)
    with pytest.raises(ModelError, match="MODEL_PRICES") as caught:
        await embed(endpoint, "a", model_unpriced="refuse")
    assert caught.value.free and len(endpoint.bodies) == asked
