"""Any OpenAI-compatible endpoint as a ChatModel: Chat Completions with tools, over the `openai` package."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import openai

from engine.errors import ModelError, ModelRefused, ModelUnavailable, NotConfigured
from engine.llm.faults import brief, fault_of_status, told_by
from engine.llm.prices import cost_micros, find_price, most_micros
from engine.llm.providers.wire import RequestBody, ToolTexts, allowed_tools, parse_answer
from engine.ports import ChatAnswer, ChatRequest, Quote
from engine.settings import EngineSettings, Price

MAX_BODY = 8_000_000
CONNECT_S = 10.0
BYTES_PER_TOKEN = 3
TOKENS_PER_MESSAGE = 8
SPARE_CONNECTIONS = 8

_log = logging.getLogger(__name__)
_FREE = Price(input=0.0, output=0.0)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is. `model` overrides the settings' per-role names; `local` costs nothing and is
    told which agent asks (header `X-Agent`), so that it can keep that agent's prompt in memory."""

    base_url: str
    api_key: str
    model: str = ""
    local: bool = False

    @property
    def is_openai(self) -> bool:
        """Whether it is OpenAI's own API, which takes fields that others refuse."""
        return not self.base_url or "//api.openai.com" in self.base_url


class OpenAIChat:
    """ChatModel over `openai.AsyncOpenAI`; one client and one connection pool, no retries of its own.

    `say` gets each thing worth saying once (an unknown price, a changed parameter). Raises NotConfigured
    without a key. Call `close()` at the end.
    """

    def __init__(
        self,
        settings: EngineSettings,
        endpoint: Endpoint | None = None,
        say: Callable[[str], None] = _log.warning,
    ) -> None:
        self._settings = settings
        self._endpoint = endpoint or endpoint_of(settings)
        self._say = say
        self._said: set[str] = set()
        self._tools = ToolTexts()
        self._limit_name = "max_completion_tokens" if self._endpoint.is_openai else "max_tokens"
        self._client = connect(self._endpoint, settings)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def quote(self, request: ChatRequest) -> Quote:
        """Upper estimate: a token for every 3 bytes of UTF-8 (English has 4 and more, code 3 and more, other
        scripts about one character of 3 bytes), 8 a message, the tools' JSON, and the whole answer limit;
        no input taken to be cached. Text made to be unusual, such as hexadecimal digests, can exceed it.
        """
        prompt = sum(_size(m.content) for m in request.messages)
        prompt += sum(_size(c.arguments) + _size(c.name) + 24 for m in request.messages for c in m.tool_calls)
        prompt += len(self._tools.of(request.tools))
        tokens = prompt // BYTES_PER_TOKEN + TOKENS_PER_MESSAGE * (len(request.messages) + 1)
        answer = request.max_tokens or self._settings.model_max_tokens
        price = self._price(self._model(request))
        return Quote(tokens + answer, most_micros(price, tokens, answer) if price else 0)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Answer `request` within `model_timeout_s`, at most 8 MB. Raises ModelError subclasses only."""
        try:
            async with asyncio.timeout(self._settings.model_timeout_s):
                raw = await self._post(request)
        except ModelError:
            raise
        except TimeoutError as error:
            raise ModelUnavailable("The model did not answer in time. It can be tried again.") from error
        except Exception as error:
            raise fault_of(error) from error
        model = self._model(request)
        return self._priced(parse_answer(raw, model), model)

    async def _post(self, request: ChatRequest) -> bytes:
        try:
            return await self._send(request)
        except openai.BadRequestError as error:
            if not self._other_limit_name(error):
                raise
        return await self._send(request)

    async def _send(self, request: ChatRequest) -> bytes:
        head: dict[str, Any] = {
            "model": self._model(request),
            self._limit_name: request.max_tokens or self._settings.model_max_tokens,
        }
        agent = f"{request.task_id}.{request.agent_id}"
        if self._endpoint.local and request.offer is not None:
            head["tool_choice"] = allowed_tools(request)
        if self._endpoint.is_openai:
            head["prompt_cache_key"] = agent
        body = RequestBody(request, head, self._tools.of(request.tools))
        headers = {"Content-Type": "application/json", "Content-Length": str(body.size)}
        if self._endpoint.local:
            headers["X-Agent"] = agent
        response = await self._client.post(
            "/chat/completions", cast_to=httpx2.Response, content=body, options={"headers": headers}
        )
        return response.content

    def _other_limit_name(self, error: openai.BadRequestError) -> bool:
        """Newer models refuse `max_tokens`, other endpoints know nothing else: change once, and say so."""
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[
            self._limit_name
        ]
        if self._limit_name not in told_by(error.body) or "limit" in self._said:
            return False
        self._said.add("limit")
        self._say(f"The model endpoint refuses {self._limit_name}; {other} is used instead.")
        self._limit_name = other
        return True

    def _model(self, request: ChatRequest) -> str:
        return self._endpoint.model or self._settings.model_for(request.role)

    def _price(self, model: str) -> Price | None:
        if self._endpoint.local:
            return _FREE
        return find_price(model, self._settings.model_prices)

    def _priced(self, answer: ChatAnswer, asked: str) -> ChatAnswer:
        price = self._price(answer.model) or self._price(asked)
        if price is not None:
            return replace(answer, cost_micros=cost_micros(price, answer.usage))
        if answer.model not in self._said:
            self._said.add(answer.model)
            self._say(
                f"No price is known for {brief(answer.model, 80)}: tokens are counted, money is not. "
                "Set MODEL_PRICES to change that."
            )
        return answer


def endpoint_of(settings: EngineSettings) -> Endpoint:
    """The configured endpoint. Raises NotConfigured when there is neither key nor base URL."""
    key = settings.openai_api_key.get_secret_value()
    if not key and not settings.openai_base_url:
        raise NotConfigured("No model is configured. Set OPENAI_API_KEY, or use the embedded model.")
    return Endpoint(settings.openai_base_url, key or "none")


def connect(endpoint: Endpoint, settings: EngineSettings) -> openai.AsyncOpenAI:
    """A client over aiohttp (a fifth of the CPU of the SDK's default transport at 590 calls at once)."""
    connections = settings.model_concurrency + SPARE_CONNECTIONS
    timeout = httpx2.Timeout(settings.model_timeout_s, connect=CONNECT_S, pool=None)
    http = openai.DefaultAioHttpClient(
        timeout=timeout,
        limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
        event_hooks={"response": [_cap_body]},
    )
    return openai.AsyncOpenAI(
        api_key=endpoint.api_key,
        base_url=endpoint.base_url or None,
        timeout=timeout,
        max_retries=0,
        http_client=http,
        default_headers={"Accept-Encoding": "identity"},
    )


async def _cap_body(response: httpx2.Response) -> None:
    """Bound what is read of a body; a compressed one (unasked for) can unpack a thousandfold."""
    limit = MAX_BODY // 16 if response.headers.get("content-encoding") else MAX_BODY
    response.stream = _CappedStream(response.stream, limit)


class TooLong(Exception):
    """A body passed its limit; never leaves this module."""


class _CappedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: Any, limit: int) -> None:
        self._inner = inner
        self._left = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._left -= len(chunk)
            if self._left < 0:
                raise TooLong
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def fault_of(error: Exception) -> ModelError:
    """The engine's error for anything the SDK or its transport raises."""
    if isinstance(error, TooLong) or isinstance(error.__cause__, TooLong):
        return ModelRefused("The model's answer was endless (over 8 MB) and was dropped. Ask for less.")
    if isinstance(error, openai.APIStatusError):
        told = told_by(error.body) if error.body is not None else error.message
        return fault_of_status(error.status_code, told, error.response.headers, time.time())
    root = _root(error)
    if isinstance(root, (TimeoutError, httpx2.TimeoutException)):
        return ModelUnavailable("The model endpoint did not answer in time. It can be tried again.")
    reason = brief(str(root) or type(root).__name__, 160)
    return ModelUnavailable(f"The connection to the model endpoint failed ({reason}). It can be tried again.")


def _root(error: BaseException) -> BaseException:
    """What happened first; the SDK calls every lost connection a timeout."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _size(text: str) -> int:
    """Bytes of UTF-8, surrogates or not."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
