"""The embedded model's OpenAI-compatible endpoint: translates tools to a JSON schema and answers back."""

from __future__ import annotations

import hmac
import itertools
import json
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp import web

from engine.llm.local.protocol.prompts import (
    EXPLAINED,
    EXPLAINED_TOKENS,
    Call,
    ask_for_text,
    ask_from_brief,
    is_sound,
    stop_of,
    text_of,
)
from engine.llm.local.protocol.stream import LOOPED, AnswerProgress, LoopWatch, StreamBroken, read_stream
from engine.llm.local.protocol.translate import (
    Script,
    answer_message,
    fitted,
    make_script,
    parse_call,
    same_call,
    without_tool,
)

MAX_REQUEST = 8_000_000
TEMPERATURES = (0.2, 0.6, 0.9)
DEFAULT_TOKENS = 1024
CALL_TOKENS = 800
TEXT_TRIES = 2
CHUNK = "chat.completion.chunk"
STREAMED = {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
"""llama.cpp tells of each token, and of its reading of the prompt."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """llama.cpp's own HTTP server inside this process."""

    url: str
    key: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to llama.cpp: free text (`short`: a few lines), under a `schema`, or up to `stop`.

    `path`: the file that the text is for; `varied`: its first version looped.
    """

    messages: list[dict[str, str]]
    schema: Mapping[str, Any] | None = None
    stop: str = ""
    attempt: int = 0
    short: bool = False
    path: str = ""
    varied: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's body, the agent that asks, and where the progress of its answer is told."""

    body: Mapping[str, Any]
    agent: str
    progress: AnswerProgress = field(default_factory=AnswerProgress)


class UpstreamError(Exception):
    """Raised when llama.cpp answers with an error; passed on with its status."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


class ChatEndpoint:
    """Serves `POST /v1/chat/completions` and `GET /v1/models`, protected by a bearer key.

    An answer that was cut off is sampled again at a higher temperature. So is a call identical to the
    agent's last one; the second time, that tool is left out, since small models repeat themselves
    endlessly otherwise. A text that was cut off or does not parse is written once more, as is one that goes
    round in circles, which is stopped where that is seen and then made less likely. Nothing that the
    model wrote is changed, except that it is cut to what an argument may hold.
    With `stream` an answer comes as one chunk, and chunks before it say how far it is (`progress`).
    A request's temperature is the lowest of its texts; calls are made at the endpoint's own.
    With `seed` an agent's n-th answer is sampled from (seed, agent, n), so the same conversation gets the
    same answers; without it, llama.cpp chooses.
    """

    def __init__(
        self,
        upstream: Upstream,
        key: str,
        alias: str,
        seed: int | None,
    ) -> None:
        self._upstream = upstream
        self._key = key
        self._alias = alias
        self._seed = seed
        self._counters: defaultdict[str, itertools.count[int]] = defaultdict(itertools.count)
        self._session: aiohttp.ClientSession | None = None

    def app(self) -> web.Application:
        """Return the application; requests to llama.cpp share one session."""
        app = web.Application(client_max_size=MAX_REQUEST, middlewares=[self._guard])
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.cleanup_ctx.append(self._connected)
        return app

    async def _connected(self, _app: web.Application) -> Any:
        headers = {"Authorization": f"Bearer {self._upstream.key}"}
        timeout = aiohttp.ClientTimeout(total=None)
        # llama.cpp closes a connection after a stream without saying so: one kept for later would fail.
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:
            self._session = session
            yield

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._key}".encode()):
            return _error(401, "The key of the embedded model's endpoint is wrong.")
        response: web.StreamResponse = await handler(request)
        return response

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": self._alias, "object": "model"}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.json()
            script = make_script(body)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _error(400, f"This is not a Chat Completions request ({type(error).__name__}: {error}).")
        agent = request.headers.get("X-Agent") or str(body.get("user", ""))
        if body.get("stream"):
            return await self._streamed(request, Asked(body, agent), script)
        try:
            return web.json_response(await self._answer(Asked(body, agent), script))
        except UpstreamError as error:
            return web.json_response(error.body, status=error.status)

    async def _streamed(self, request: web.Request, asked: Asked, script: Script) -> web.StreamResponse:
        """Answer as an event stream. It begins with llama.cpp's first sign of work, so that an error before
        that has its own status."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})

        async def send(chunk: Mapping[str, Any]) -> None:
            if not response.prepared:
                await response.prepare(request)
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

        async def report(progress: Mapping[str, Any]) -> None:
            await send({"object": CHUNK, "choices": [], "progress": progress})

        try:
            answer = await self._answer(replace(asked, progress=AnswerProgress(report)), script)
        except UpstreamError as error:
            if not response.prepared:
                return web.json_response(error.body, status=error.status)
            await send(error.body)
        else:
            choice = answer["choices"][0]
            delta = {"index": 0, "delta": choice["message"], "finish_reason": choice["finish_reason"]}
            await send({**answer, "object": CHUNK, "choices": [delta]})
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _answer(self, asked: Asked, script: Script) -> dict[str, Any]:
        body = asked.body
        if script.schema is None:
            stop = body.get("stop") or ""
            first = stop if isinstance(stop, str) else str(stop[0])
            return await self._ask(asked, ModelRequest(script.messages, stop=first))
        answer: dict[str, Any] = {}
        spent = UsageTotal()
        last = len(TEMPERATURES) - 1
        for attempt in range(len(TEMPERATURES)):
            question = ModelRequest(script.messages, script.schema, attempt=attempt)
            answer = await self._ask(asked, question)
            spent.add(answer["usage"])
            call = parse_call(answer["choices"][0]["message"]["content"] or "")
            if call is not None and attempt < last and same_call(call, body):
                script = without_tool(script, call.tool) if attempt == last - 1 else script
                continue
            if call is not None:
                call = fitted(call, body)
                await self._write_long(asked, script, call, spent)
                _put(answer, answer_message(call, f"call_{answer['id'][-12:]}"))
                break
        else:
            answer["choices"][0]["message"]["content"] = ""
        answer["usage"] = spent.usage()
        return answer

    async def _write_long(self, asked: Asked, script: Script, call: Call, spent: UsageTotal) -> None:
        argument = script.long.get(call.tool)
        if argument is None:
            return
        stop = stop_of(call, argument)
        short = argument in EXPLAINED
        if script.brief and not short:
            messages = ask_from_brief(script.brief, script.files, call)
        else:
            messages = script.plain + ask_for_text(call, argument)
        asked.progress.calls(call)
        question = ModelRequest(
            messages, stop=stop, short=short, path="" if short else str(call.arguments.get("path", ""))
        )
        for attempt in range(TEXT_TRIES):
            answer = await self._ask(asked, question)
            spent.add(answer["usage"])
            text = text_of(answer["choices"][0]["message"]["content"] or "", argument)
            call.arguments[argument] = text
            ended = answer["choices"][0]["finish_reason"]
            question = replace(question, attempt=attempt + 1, varied=ended == LOOPED)
            if (short or ended not in ("length", LOOPED)) and is_sound(
                str(call.arguments.get("path", "")), text
            ):
                return

    async def _ask(self, request: Asked, question: ModelRequest) -> dict[str, Any]:
        body = request.body
        temperature = TEMPERATURES[question.attempt]
        if question.schema is None:
            temperature = max(temperature, float(body.get("temperature") or 0.0))
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or DEFAULT_TOKENS
        if question.schema is not None or question.short:
            limit = min(limit, EXPLAINED_TOKENS if question.short else CALL_TOKENS)
        asked: dict[str, Any] = {
            "messages": question.messages,
            "temperature": temperature,
            "max_tokens": limit,
            "cache_prompt": True,
        }
        if self._seed is not None:
            number = next(self._counters[request.agent])
            asked["seed"] = zlib.crc32(f"{self._seed}/{request.agent}/{number}".encode())
        if question.schema is not None:
            wrapped = {"name": "call", "strict": True, "schema": question.schema}
            asked["response_format"] = {"type": "json_schema", "json_schema": wrapped}
        if question.short or question.varied:
            # Verbatim repetition of more than a few words is made unlikely (llama.cpp's DRY sampler).
            asked |= {"dry_multiplier": 0.8, "dry_allowed_length": 6}
        if question.stop:
            asked["stop"] = [question.stop]
        request.progress.begin(shown=question.schema is None)
        return await self._post(asked, request.progress, LoopWatch(question.path))

    async def _post(
        self, asked: Mapping[str, Any], progress: AnswerProgress, watch: LoopWatch
    ) -> dict[str, Any]:
        assert self._session is not None
        url = f"{self._upstream.url}/v1/chat/completions"
        async with self._session.post(url, data=json.dumps({**asked, **STREAMED}).encode()) as response:
            if response.status != 200:
                raise UpstreamError(response.status, await response.json(content_type=None))
            try:
                answer = await read_stream(response.content, progress, watch)
            except StreamBroken as error:
                raise UpstreamError(500, error.body) from error
            return {**answer, "model": self._alias}


class UsageTotal:
    """Token usage of all requests behind one answer."""

    def __init__(self) -> None:
        self._prompt = self._cached = self._completion = 0

    def add(self, usage: Mapping[str, Any]) -> None:
        """Add one request's usage as llama.cpp reports it."""
        self._prompt += usage["prompt_tokens"]
        self._cached += usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
        self._completion += usage["completion_tokens"]

    def usage(self) -> dict[str, Any]:
        """Return the total as a Chat Completions `usage` object."""
        return {
            "prompt_tokens": self._prompt,
            "completion_tokens": self._completion,
            "total_tokens": self._prompt + self._completion,
            "prompt_tokens_details": {"cached_tokens": self._cached},
        }


def _put(answer: dict[str, Any], message: dict[str, Any]) -> None:
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    answer["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "code": status}}, status=status)
