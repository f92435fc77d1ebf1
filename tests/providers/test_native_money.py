"""What calls over the native APIs are booked at: answered, withheld, failed, broken off, cancelled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from engine.errors import Charge, ModelBadAnswer, ModelError, ModelRefused, ModelUnavailable
from engine.llm.faults import RateLimited, TooSlow, UnusableAnswer
from engine.llm.providers.clients import NativeTarget
from engine.llm.providers.native import NativeChat
from engine.ports import ChatMessage, ChatRequest
from engine.settings import Price
from tests.engine.llm.conftest import settings_with
from tests.providers.stage import Body, Provider, carry_out, refusal, serving
from tests.providers.test_native import claude, gemini, responses

READ, WRITTEN = 3_000, 50
INPUT, OUTPUT = 2.0, 10.0
COUNTED = round(READ * INPUT + WRITTEN * OUTPUT)
HOUR_S = 3_600.0

COUNTS = {
    "anthropic": {"input_tokens": READ, "output_tokens": WRITTEN},
    "google": {"promptTokenCount": READ, "candidatesTokenCount": WRITTEN, "totalTokenCount": READ + WRITTEN},
    "openai-responses": {"input_tokens": READ, "output_tokens": WRITTEN, "total_tokens": READ + WRITTEN},
}


@dataclass(frozen=True)
class Api:
    """A native API: its path, its model, how it is set, and an answer with a call in its form."""

    name: str
    path: str
    model: str
    answer: Callable[[Body, int], Body]
    base: str = ""

    def body(self, usage: Any = "counted", **changes: Any) -> Body:
        """An answer to an empty history; None leaves a field out."""
        empty: Body = {"messages": [], "contents": [], "input": []}
        field = "usageMetadata" if self.name == "google" else "usage"
        made = {**self.answer(empty, 1), field: COUNTS[self.name] if usage == "counted" else usage, **changes}
        return {name: value for name, value in made.items() if value is not None or name == "usage"}

    def chat(self, url: str, **changes: Any) -> NativeChat:
        """A chat with it."""
        prices = {"model_prices": {self.model: Price(input=INPUT, output=OUTPUT)}}
        target = NativeTarget(self.name, self.model, url + self.base, "k", "THE_API_KEY")
        return NativeChat(settings_with(**{**prices, **changes}), target, say=lambda text: None)


GOOGLE_PATH = "/v1beta/models/gemini-3-pro-preview:generateContent"
CLAUDE = Api("anthropic", "/v1/messages", "claude-sonnet-4-5", claude)
GEMINI = Api("google", GOOGLE_PATH, "gemini-3-pro-preview", gemini)
GPT = Api("openai-responses", "/v1/responses", "gpt-5.6", responses, "/v1")
APIS = (CLAUDE, GEMINI, GPT)
each_api = pytest.mark.parametrize("api", APIS, ids=[api.name for api in APIS])
REQUEST = ChatRequest(1, 1, "boss", (ChatMessage("user", "hello " * 100),), ())


async def fault(api: Api, brain: Callable[[Body, int], Any], **changes: Any) -> ModelError:
    """The error of one request to a provider with that brain."""
    async with serving(Provider(brain, path=api.path)) as provider:
        chat = api.chat(provider.url, **changes)
        try:
            with pytest.raises(ModelError) as caught:
                await chat.complete(REQUEST)
        finally:
            await chat.close()
    return caught.value


@each_api
async def test_an_answer_without_usage_counts_by_its_estimate(api: Api) -> None:
    """It is an answer all the same: proxies leave the usage out."""
    async with serving(Provider(lambda body, number: api.body(usage=None), path=api.path)) as provider:
        chat = api.chat(provider.url)
        answer = await chat.complete(REQUEST)
        quote = chat.quote(REQUEST)
        await chat.close()
    assert [call.name for call in answer.tool_calls] == ["write_file"]
    assert answer.usage.estimated and answer.usage.prompt > 100 and answer.usage.completion > 10
    assert answer.cost_micros is not None and 0 < answer.cost_micros < quote.cost_micros


def _withheld() -> list[tuple[Api, Body]]:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": COUNTS["google"]}
    said = {"type": "refusal", "refusal": "I cannot."}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [said]}
    cut = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    return [
        (CLAUDE, CLAUDE.body(content=[], stop_reason="refusal")),
        (GEMINI, blocked),
        (GEMINI, GEMINI.body(candidates=[{"finishReason": "SAFETY", "index": 0}])),
        (GPT, GPT.body(output=[], **cut)),
        (GPT, GPT.body(output=[message])),
    ]


@pytest.mark.parametrize(("api", "body"), _withheld())
async def test_what_a_filter_withheld_is_charged_as_counted(api: Api, body: Body) -> None:
    """What was read and thought before is paid for."""
    error = await fault(api, lambda _body, _number: body)
    assert type(error) is ModelRefused
    assert error.charge == Charge(api.model, READ, WRITTEN, COUNTED)


async def test_what_a_filter_withheld_uncounted_is_charged_by_the_prompt() -> None:
    """Google leaves the usage out of some of them."""
    error = await fault(
        GEMINI, lambda body, number: {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    )
    assert type(error) is ModelRefused and error.charge is not None and error.charge.prompt > 100


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
async def test_a_call_that_google_could_not_read_is_told_and_charged(reason: str) -> None:
    """The same request again would be answered the same way."""
    body = GEMINI.body(candidates=[{"finishReason": reason, "index": 0}])
    error = await fault(GEMINI, lambda _body, _number: body)
    assert type(error) is ModelBadAnswer
    assert error.charge == Charge(GEMINI.model, READ, WRITTEN, COUNTED)


FAILED: list[tuple[Any, type[ModelError], str]] = [
    ({"code": "server_error", "message": "The model failed."}, ModelUnavailable, "The model failed"),
    (
        {"code": "rate_limit_exceeded", "message": "Rate limit reached, try again in 1.5s"},
        RateLimited,
        "rate",
    ),
    ({"code": "invalid_prompt", "message": "flagged as violating our usage policy"}, ModelRefused, "filter"),
]


@pytest.mark.parametrize(("said", "kind", "words"), FAILED)
@pytest.mark.parametrize("counted", [True, False])
async def test_a_response_that_failed_is_sorted_and_charged(
    said: Body, kind: type[ModelError], words: str, counted: bool
) -> None:
    """Responses says with 200 that a call failed; it costs what is counted, or nothing."""
    body = GPT.body(usage="counted" if counted else None, status="failed", output=[], error=said)
    error = await fault(GPT, lambda _body, _number: body)
    assert type(error) is kind and words in str(error)
    assert error.charge == (Charge(GPT.model, READ, WRITTEN, COUNTED) if counted else None)
    assert error.free is not counted


@each_api
async def test_an_error_in_a_200_is_what_it_says_and_free(api: Api) -> None:
    """Gateways answer for a provider that is overloaded."""
    error = await fault(api, lambda b, n: {"type": "error", "error": {"message": "Overloaded", "code": 529}})
    assert isinstance(error, ModelUnavailable) and "Overloaded" in str(error)
    assert error.free and error.charge is None


@each_api
async def test_a_page_in_place_of_an_answer_is_free(api: Api) -> None:
    """A portal answered, no model."""
    error = await fault(api, lambda b, n: (200, "<html><title>Sign in</title></html>"))
    assert type(error) is UnusableAnswer and "Sign in" in str(error) and error.free


@each_api
async def test_a_refusal_is_free(api: Api) -> None:
    """Providers charge for answers."""
    error = await fault(api, lambda body, number: refusal(503, "Service unavailable"))
    assert isinstance(error, ModelUnavailable) and error.free and error.charge is None


class Breaking(Provider):
    """Hangs up: before its answer where there is none, else in its middle."""

    def __init__(self, path: str, begun: bytes) -> None:
        super().__init__(path=path)
        self.begun = begun

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Break off."""
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "90000"})
        if self.begun:
            await response.prepare(request)
            await response.write(self.begun)
        assert request.transport is not None
        request.transport.abort()
        return response


@each_api
@pytest.mark.parametrize("begun", [True, False])
async def test_a_connection_that_broke_is_free_only_before_the_answer_began(api: Api, begun: bool) -> None:
    """Whoever answers has begun to charge; nobody says how much, so that the reservation counts."""
    raw = json.dumps(api.body()).encode()[:100] if begun else b""
    async with serving(Breaking(api.path, raw)) as provider:
        chat = api.chat(provider.url)
        with pytest.raises(ModelUnavailable) as caught:
            await chat.complete(REQUEST)
        await chat.close()
    assert caught.value.free is not begun and caught.value.charge is None


async def _never(_body: Body, _number: int) -> None:
    await asyncio.sleep(HOUR_S)


@each_api
async def test_an_answer_that_came_too_late_is_not_free(api: Api) -> None:
    """The model may have gone on to write it."""
    error = await fault(api, _never, model_timeout_s=0.2)
    assert type(error) is TooSlow and not error.free


@each_api
async def test_a_cancelled_call_ends_as_cancelled(api: Api) -> None:
    """Nothing between takes it for an error of the endpoint: who cancelled books it by its estimate."""
    async with serving(Provider(_never, path=api.path)) as provider:
        chat = api.chat(provider.url)
        asked = asyncio.ensure_future(chat.complete(REQUEST))
        await provider.reached(1)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await chat.close()


async def test_claudes_reservation_holds_what_writing_to_its_cache_costs() -> None:
    """Its requests mark the prompt for the cache; what is written there costs a quarter more than reading."""
    quotes = []
    for api in (CLAUDE, GPT):
        chat = api.chat("http://127.0.0.1:1", model_prices={api.model: Price(input=INPUT, output=0)})
        quotes.append(chat.quote(REQUEST).cost_micros)
        await chat.close()
    assert quotes[0] == pytest.approx(1.25 * quotes[1], abs=2)


@each_api
async def test_a_task_is_booked_at_what_was_counted(api: Api, tmp_path: Path) -> None:
    """Its first answer is withheld, the others do the work: the sum is that of all usages."""

    def brain(body: Body, number: int) -> Body:
        return withheld[api.name] if number == 1 else api.answer(body, number)

    withheld = {given.name: body for given, body in _withheld()}
    provider = Provider(brain, path=api.path)
    seen = await carry_out(
        provider,
        tmp_path,
        base=api.base,
        model=f"{api.name}:{api.model}",
        model_prices={api.model: {"input": INPUT, "output": OUTPUT}},
    )
    assert seen.state == "done", seen.words
    cached = {"anthropic": 1_000}.get(api.name, 0)
    each = (READ + cached) * INPUT + WRITTEN * OUTPUT
    assert seen.cost_micros == COUNTED + (len(provider.bodies) - 1) * each
