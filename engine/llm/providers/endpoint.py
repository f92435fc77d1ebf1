"""One endpoint over HTTP: the client, reading of bodies, and errors of the transport."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2

from engine.errors import ModelError, ModelMisconfigured, ModelUnavailable, NotConfigured
from engine.llm.faults import ErrorReply, TooSlow, read_error_reply
from engine.llm.providers.addresses import address_of, cleaned_key, odd_in_key
from engine.llm.providers.progress import listening
from engine.llm.words import brief
from engine.settings import EngineSettings

if TYPE_CHECKING:
    import openai

MAX_BODY = 8_000_000
CONNECT_S = 10.0
LATE_S = 30.0
_GATEWAY_TIMEOUTS = frozenset({408, 504, 524})
SPARE_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address of a model.

    `model` overrides the settings' names per role. A `local` one costs nothing and gets the agent's name
    (header `X-Agent`), so that it can keep that agent's prompt in memory.
    """

    base_url: str
    api_key: str
    model: str = ""
    local: bool = False


class Refusal(Exception):
    """Raised when the endpoint answers with an error; never leaves the providers.

    `said` is the error response, `location` the target of a redirect. `late`: a gateway gave up waiting for
    the model, whose answer may be charged all the same.
    """

    def __init__(self, said: ErrorReply, location: str = "", *, late: bool = False) -> None:
        super().__init__(said.words)
        self.said, self.location, self.late = said, location, late


def endpoint_of(settings: EngineSettings) -> Endpoint:
    """Return the configured endpoint. Raises NotConfigured if there is neither key nor base URL."""
    key = cleaned_key(settings.openai_api_key.get_secret_value())
    if not key and not settings.openai_base_url.strip():
        raise NotConfigured("No model is configured. Set OPENAI_API_KEY, or use the embedded model.")
    return Endpoint(settings.openai_base_url, key or "none")


def connect(endpoint: Endpoint, settings: EngineSettings) -> openai.AsyncOpenAI:
    """Return a client over aiohttp (a fifth of the CPU of the SDK's default transport with 590 concurrent
    calls)."""
    import openai  # noqa: PLC0415 - a fifth of the program's start, and only who calls an endpoint needs it

    http = openai.DefaultAioHttpClient(**transport_options(settings))
    address, key = address_of(endpoint.base_url), cleaned_key(endpoint.api_key)
    headers = {"Accept-Encoding": "identity"}
    if address.azure and not odd_in_key(key):
        headers["api-key"] = key
    return openai.AsyncOpenAI(
        api_key="odd" if odd_in_key(key) else key or "none",
        base_url=address.base or None,
        timeout=timeout_of(settings),
        max_retries=0,
        http_client=http,
        default_headers=headers,
        default_query=dict(address.query) or None,
    )


def timeout_of(settings: EngineSettings) -> httpx2.Timeout:
    """Return how long a request may take: its connection less, its wait for one of the pool any time."""
    return httpx2.Timeout(settings.model_timeout_s, connect=CONNECT_S, pool=None)


def transport_options(settings: EngineSettings) -> dict[str, Any]:
    """Return what every HTTP client is made with: room for all calls at once, and hooks that limit and note
    answers."""
    connections = settings.model_concurrency + SPARE_CONNECTIONS
    return {
        "timeout": timeout_of(settings),
        "limits": httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
        "event_hooks": {"response": [_cap_body]},
    }


def check_key(endpoint: Endpoint) -> None:
    """Raise ModelMisconfigured for a key that no header can carry."""
    odd = odd_in_key(cleaned_key(endpoint.api_key))
    if odd:
        raise free(
            ModelMisconfigured(
                f"OPENAI_API_KEY holds a character that no key has ({odd!r}). Copy the key once more."
            )
        )


def free(error: ModelError) -> ModelError:
    """Return the error of a call that was not sent, so that it costs nothing."""
    error.free = True
    return error


async def post(client: openai.AsyncOpenAI, path: str, body: Any, headers: dict[str, str]) -> bytes:
    """Send a body and return the body of the answer. Raises Refusal, or the transport's error."""
    import openai  # noqa: PLC0415 - see `connect`, which has loaded it

    options: Any = {"headers": headers, "follow_redirects": False}
    began = time.monotonic()
    try:
        response = await client.post(path, cast_to=httpx2.Response, content=body, options=options)
    except openai.APIStatusError as error:
        raw = _text_of(error.response) or error.body  # the SDK's own keeps only what is inside `error`
        names = {name.lower(): value for name, value in error.response.headers.items()}
        said = read_error_reply(error.status_code, raw, names, time.time())
        late = is_late(error.status_code, began)
        raise Refusal(said, names.get("location", ""), late=late) from error
    return response.content


def is_late(status: int, began: float) -> bool:
    """Return whether a gateway gave up waiting for the model, whose answer may be charged all the same;
    `began` by the monotonic clock."""
    return status in _GATEWAY_TIMEOUTS and time.monotonic() - began >= LATE_S


def _text_of(response: httpx2.Response) -> str:
    try:
        return response.text
    except (httpx2.ResponseNotRead, UnicodeDecodeError, LookupError):
        return ""


answered: ContextVar[list[int] | None] = ContextVar("answered", default=None)
"""Gets the status of the answer to the request that this task makes, once it begins."""


@dataclass(slots=True)
class RawAnswer:
    """The body of an answer as it came, for who has only what a library made of it; `complete` may add what
    the library needs to read it; `ended`: it came to its end. The body of a refusal is not kept."""

    complete: Callable[[bytes], bytes]
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False


raw_answer: ContextVar[RawAnswer | None] = ContextVar("raw_answer", default=None)
"""Gets the body of the answer to the request that this task makes."""


async def _cap_body(response: httpx2.Response) -> None:
    """Limit how much of a body is read; a compressed one (unasked for) can expand a thousandfold."""
    if (statuses := answered.get()) is not None:
        statuses.append(response.status_code)
    limit = MAX_BODY // 16 if response.headers.get("content-encoding") else MAX_BODY
    whole = raw_answer.get() if response.status_code == httpx2.codes.OK else None
    response.stream = _CappedStream(response.stream, limit, whole)


class TooLong(Exception):
    """A body passed its limit; never leaves this module."""


class _CappedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: Any, limit: int, whole: RawAnswer | None) -> None:
        self._inner = inner
        self._left = limit
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        listener = listening.get()
        async for chunk in self._inner:
            self._left -= len(chunk)
            if self._left < 0:
                raise TooLong
            if listener is not None:
                listener.feed(chunk)
            if self._whole is None:
                yield chunk
            else:
                self._whole.body += chunk
        if self._whole is not None:
            self._whole.ended = True
            yield self._whole.complete(bytes(self._whole.body))

    async def aclose(self) -> None:
        await self._inner.aclose()


def too_slow(settings: EngineSettings) -> TooSlow:
    """Return the error for a model that took longer than the setting allows."""
    return TooSlow(
        f"The model did not answer within {settings.model_timeout_s:g} seconds. If it needs longer, set "
        "MODEL_TIMEOUT_S higher; each such call may be paid for."
    )


def fault_of_transport(error: Exception, settings: EngineSettings) -> ModelError:
    """Return the engine's error for any error of the SDK or its transport other than a refusal."""
    if isinstance(error, TooLong) or isinstance(error.__cause__, TooLong):
        # No model writes so much: the endpoint is broken, and no other words to it would help.
        return ModelUnavailable(
            "The model endpoint's answer was endless (over 8 MB) and was dropped. Try again later."
        )
    root = _root(error)
    if isinstance(root, (TimeoutError, httpx2.TimeoutException)):
        return too_slow(settings)
    return ModelUnavailable(
        f"The connection to the model endpoint failed ({_in_words(root)}). Try again later; if it keeps "
        "failing, check OPENAI_BASE_URL."
    )


def _in_words(error: BaseException) -> str:
    """Return why a connection failed as the system says it, without its number and our address of it."""
    fault = _of_system(error)
    if isinstance(fault, socket.gaierror):
        return fault.strerror or "its name is not known"
    if fault is not None and fault.errno:
        return os.strerror(fault.errno)
    return brief(str(error) or type(error).__name__, 160)


def _of_system(error: BaseException | None) -> OSError | None:
    """Return the first error below this one that has the system's number; TLS has numbers of its own."""
    while error is not None and not isinstance(error, ssl.SSLError):
        if isinstance(error, OSError) and error.errno:
            return error
        within = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        error = within or error.__cause__ or error.__context__
    return None


def _root(error: BaseException) -> BaseException:
    """What happened first; the SDK calls every lost connection a timeout."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
