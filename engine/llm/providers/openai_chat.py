"""Any OpenAI-compatible endpoint as a ChatModel: Chat Completions with tools, over the `openai` package."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from engine.errors import (
    Charge,
    ModelBadAnswer,
    ModelError,
    ModelMisconfigured,
    ModelRefused,
    ModelTooLong,
)
from engine.llm.faults import TooSlow, fault_of
from engine.llm.prices import cost_micros, most_micros
from engine.llm.providers.addresses import address_of, moved_to
from engine.llm.providers.answers import is_page, parse_answer, usage_in
from engine.llm.providers.catalog import Catalog, ModelFacts
from engine.llm.providers.counting import CutWatch, prompt_bytes, prompt_tokens, settled
from engine.llm.providers.endpoint import (
    Endpoint,
    Refusal,
    answered,
    check_key,
    connect,
    endpoint_of,
    fault_of_transport,
    free,
    post,
    too_slow,
)
from engine.llm.providers.families import usual_base
from engine.llm.providers.kept import Distrusted, kept_for, refuses_kept
from engine.llm.providers.learned import Learned
from engine.llm.providers.progress import StreamProgress, listening
from engine.llm.providers.quirks import Quirks
from engine.llm.providers.repairs import MOST_REPAIRS, Sent, learn, names_field, reported_window
from engine.llm.providers.streams import is_stream
from engine.llm.providers.wire import RequestBody, Target, ToolTexts, allowed_tools, messages_json
from engine.llm.reading import read_answer
from engine.llm.words import brief
from engine.ports import ChatAnswer, ChatRequest, Quote, Usage, Written
from engine.secrets import redact
from engine.settings import EngineSettings

__all__ = ["Endpoint", "OpenAIChat", "endpoint_of"]

PATH = "/chat/completions"
MOST_MOVES = 3

_log = logging.getLogger(__name__)


class OpenAIChat:
    """ChatModel over `openai.AsyncOpenAI`; one client and one connection pool, no retries of its own but
    those that change the request as a refusal asks for, each remembered for its (endpoint, model).

    `learned` keeps these over restarts. `say` gets each thing worth saying once, `tell` those of them that
    people should read. Raises NotConfigured without a key. Call `close()` at the end.
    """

    def __init__(
        self,
        settings: EngineSettings,
        endpoint: Endpoint | None = None,
        say: Callable[[str], None] = _log.warning,
        tell: Callable[[str], None] | None = None,
        learned: Learned | None = None,
    ) -> None:
        self._settings = settings
        self._endpoint = endpoint or endpoint_of(settings)
        self._say, self._people = say, tell
        self._said: set[str] = set()
        self._tools = ToolTexts()
        self._address = address_of(self._endpoint.base_url)
        self._url, self._moves = PATH, 0
        self._catalog = Catalog(
            settings,
            self._address.base,
            local=self._endpoint.local,
            notice=self._notify_once,
            learned=learned,
        )
        self._cuts: dict[str, CutWatch] = {}
        self._distrusted = Distrusted()
        self._client = connect(self._endpoint, settings)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def facts(self, role: str) -> ModelFacts:
        """Return the facts of a role's model as it is used now."""
        return self._catalog.facts(self._model_of(role))

    def window(self, role: str) -> int:
        """Return the tokens of prompt and answer of a role's model together, as far as known."""
        window, known = self._catalog.window(self._model_of(role))
        return min(window, self._settings.model_context_tokens) if known else window

    def quote(self, request: ChatRequest) -> Quote:
        """Return an upper estimate: the whole answer limit, no input assumed cached."""
        model = self._model(request)
        prompt = prompt_tokens(request, len(self._tool_text(request, self._catalog.quirks(model))))
        answer = self._catalog.answer_limit(model, prompt, request.max_tokens)
        rates = self._catalog.rates(model)
        return Quote(prompt + answer, most_micros(rates, prompt, answer), rates.guessed)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Answer `request` within `model_timeout_s`, at most 8 MB. Raises ModelError subclasses only."""
        check_key(self._endpoint)
        model = self._model(request)
        self._refuse_unpriced(model)
        request = self._distrusted.without(request)
        for _ in range(MOST_REPAIRS):
            quirks = self._catalog.quirks(model)
            sent, body = self._request(request, model, quirks)
            try:
                raw = await self._post(request, body)
            except Refusal as refusal:
                if refuses_kept(refusal.said.words) and self._distrusted.add(request):
                    request = self._distrusted.without(request)
                    continue
                if not self._repaired(model, quirks, refusal, sent):
                    fault = self._fault(model, refusal, sent)
                    fault.free = not refusal.late
                    raise fault from refusal
                continue
            return self._read(raw, request, model, quirks, sent)
        raise free(
            ModelMisconfigured(
                f"The endpoint refuses requests for {model} whatever their form. Set MODEL to another."
            )
        )

    # ------------------------------------------------------------ asking

    def _request(self, request: ChatRequest, model: str, quirks: Quirks) -> tuple[Sent, RequestBody]:
        tools = self._tool_text(request, quirks)
        prompt = prompt_tokens(request, len(tools))
        limit = self._catalog.answer_limit(model, prompt, request.max_tokens)
        own = self._settings.extra_for(request.role)
        head = self._head(request, model, quirks, limit) | own
        target = Target(self._origin(model), quirks, plain=self._endpoint.local)
        messages = messages_json(request.messages, target)
        sent = Sent(
            limit=limit,
            prompt=prompt,
            fields=_optional_fields(head, request, target),
            own=frozenset(own),
            tools=bool(tools),
            null_content=any(message.get("content") is None for message in messages),
            spoken_calls=any(m.tool_calls and m.content for m in request.messages) and not quirks.bare_calls,
            many_calls=any(len(message.tool_calls) > 1 for message in request.messages),
            system=not quirks.merge_system,
        )
        return sent, RequestBody(messages, head, tools)

    def _head(self, request: ChatRequest, model: str, quirks: Quirks, limit: int) -> dict[str, Any]:
        head: dict[str, Any] = {"model": model, quirks.limit_name: limit}
        if quirks.stream:
            head["stream"] = False
        if quirks.effort and request.tools:
            head["reasoning_effort"] = quirks.effort
        if quirks.cache_key:
            head["prompt_cache_key"] = f"{request.task_id}.{request.agent_id}"
        if self._endpoint.local:
            head |= _for_embedded(request)
        if self._reports_progress(request) or quirks.streams:
            head["stream"] = True
        if quirks.streams:
            head["stream_options"] = {"include_usage": True}
        return {name: value for name, value in head.items() if name not in quirks.drop}

    async def _post(self, request: ChatRequest, body: RequestBody) -> bytes:
        headers = {"Content-Type": "application/json", "Content-Length": str(body.size)}
        if self._endpoint.local:
            headers["X-Agent"] = f"{request.task_id}.{request.agent_id}"
        told = self._reports_progress(request)
        if request.heard is not None:
            request.heard(Written(read=0.0 if told else 1.0))
        progress = listening.set(StreamProgress(request.heard) if told and request.heard else None)
        statuses: list[int] = []
        answering = answered.set(statuses)
        try:
            async with asyncio.timeout(self._settings.model_timeout_s):
                return await post(self._client, self._url, body, headers)
        except (ModelError, Refusal):
            raise
        except TimeoutError as error:
            raise too_slow(self._settings) from error
        except Exception as error:
            fault = fault_of_transport(error, self._settings)
            # Whoever hangs up before the first byte of an answer has given none.
            fault.free = not statuses and not isinstance(fault, TooSlow)
            raise fault from error
        finally:
            listening.reset(progress)
            answered.reset(answering)

    def _reports_progress(self, request: ChatRequest) -> bool:
        """Return whether the endpoint tells how far its answer is; others answer at once, as a whole."""
        return self._endpoint.local and request.heard is not None

    def _tool_text(self, request: ChatRequest, quirks: Quirks) -> bytes:
        return self._tools.of(request.tools, quirks.schema_drop)

    def _origin(self, model: str) -> str:
        return f"{self._address.base or 'https://api.openai.com/v1'}|{model}"

    # ------------------------------------------------------------ refusals

    def _repaired(self, model: str, sent_with: Quirks, refusal: Refusal, sent: Sent) -> bool:
        """Whether the request is worth sending once more: it has another form now."""
        if 300 <= refusal.said.status < 400:
            return self._moved(refusal)
        if self._catalog.quirks(model) != sent_with:
            return True
        repaired = learn(sent_with, refusal.said, sent)
        if repaired is None:
            return False
        self._catalog.learn(model, repaired.quirks, repaired.said)
        return True

    def _moved(self, refusal: Refusal) -> bool:
        """Follow a redirect, from now on: the body goes to the new address as it is."""
        asked = str(self._client.base_url).rstrip("/") + PATH if self._url == PATH else self._url
        target = moved_to(asked, refusal.location) if refusal.location else None
        if target is None or target == self._url or self._moves >= MOST_MOVES:
            return False
        self._moves += 1
        base = re.sub(r"/chat/completions.*$", "", target)
        self._notify_once(
            f"moved|{target}",
            f"The model endpoint has moved: requests go to {base}. Set OPENAI_BASE_URL={base}.",
        )
        self._url = target
        return True

    def _fault(self, model: str, refusal: Refusal, sent: Sent) -> ModelError:
        said = refusal.said
        named = [name for name in sent.own if names_field(said.words, name)]
        error = fault_of(said)
        if 300 <= said.status < 400 and refusal.location:
            return _elsewhere(said.status, refusal.location)
        if named and not isinstance(error, ModelTooLong):
            return ModelMisconfigured(
                f"The endpoint refuses {', '.join(named)}, set by MODEL_EXTRA ({said.status}).{said.quoted} "
                "Change MODEL_EXTRA."
            )
        if isinstance(error, ModelTooLong):
            self._catalog.learn_window(model, reported_window(said, sent) or sent.prompt * 9 // 10)
        if isinstance(error, ModelMisconfigured) and said.status in (404, 405):
            return self._with_address(error)
        return error

    def _with_address(self, error: ModelMisconfigured) -> ModelMisconfigured:
        """Return the error of a 404 with the address that was called and the one most likely meant."""
        base = self._address.base
        if not base or "OPENAI_BASE_URL" not in str(error):
            return error
        usual = usual_base(base)
        likely = f" Try OPENAI_BASE_URL={usual}." if usual != base else ""
        return ModelMisconfigured(f"{error} The address called was {base}{PATH}.{likely}")

    def _refuse_unpriced(self, model: str) -> None:
        if self._settings.model_unpriced == "refuse" and self._catalog.rates(model).guessed:
            why = f"No price is known for {model}, and MODEL_UNPRICED=refuse."
            raise free(ModelMisconfigured(f"{why} Set MODEL_PRICES to its price."))

    # ------------------------------------------------------------ answers

    def _read(self, raw: bytes, request: ChatRequest, model: str, quirks: Quirks, sent: Sent) -> ChatAnswer:
        unasked = not (quirks.stream or quirks.streams or self._reports_progress(request))
        if unasked and is_stream(raw):
            self._catalog.learn(model, replace(quirks, stream=True), "requests now ask for no stream")
        try:
            answer = parse_answer(raw, model, self._origin(model))
        except ModelError as error:
            fault = self._with_address(error) if isinstance(error, ModelMisconfigured) else error
            self._charge(fault, raw, model, sent)
            raise fault from error
        rates = self._catalog.rates_of_answer(answer.model, model)
        answer = settled(answer, sent.prompt, sent.limit, rates)
        self._watch_prompt(model, request, quirks, answer)
        return read_answer(answer, request.tools, quirks.filler)

    def _charge(self, fault: ModelError, raw: bytes, model: str, sent: Sent) -> None:
        """Note in the error what the endpoint charges for a body that is no answer."""
        name, usage, cost = usage_in(raw, model)
        withheld = isinstance(fault, ModelRefused | ModelBadAnswer) and not fault.free
        if not usage.total and withheld:  # what was read is charged
            usage = Usage(sent.prompt, estimated=True)
        fault.free = not usage.total and cost is None and (fault.free or is_page(raw))
        if usage.total or cost is not None:
            rates = self._catalog.rates_of_answer(name, model)
            micros = cost_micros(rates, usage) if cost is None else cost
            used = (usage.prompt, usage.completion, micros, usage.cached)
            fault.charge = Charge(name, *used, guessed=rates.guessed and cost is None)

    def _watch_prompt(self, model: str, request: ChatRequest, quirks: Quirks, answer: ChatAnswer) -> None:
        if self._endpoint.local:
            return
        size = prompt_bytes(request, len(self._tool_text(request, quirks)))
        if self._cuts.setdefault(model, CutWatch()).seems_cut(size, answer.usage):
            read = answer.usage.prompt
            self._notify_once(
                f"cut|{model}",
                f"The server of {model} seems to read only {read:,} tokens of prompts and to drop the rest "
                "silently. Raise its context (num_ctx, OLLAMA_CONTEXT_LENGTH), or set "
                f"MODEL_CONTEXT_TOKENS={read}.",
            )

    def _notify_once(self, key: str, text: str) -> None:
        if key in self._said:
            return
        self._said.add(key)
        self._say(text)
        if self._people is not None and key.split("|", maxsplit=1)[0] in ("cut", "price", "moved"):
            self._people(redact(text))

    def _model(self, request: ChatRequest) -> str:
        return self._model_of(request.role, request.model)

    def _model_of(self, role: str, named: str = "") -> str:
        return self._endpoint.model or named or self._settings.model_for(role)


def _for_embedded(request: ChatRequest) -> dict[str, Any]:
    """Return the fields that the embedded model's endpoint knows."""
    fields: dict[str, Any] = {}
    if request.offer is not None:
        fields["tool_choice"] = allowed_tools(request)
    if request.warmth:
        fields["temperature"] = request.warmth
    if request.brief:
        fields["brief"] = request.brief
    return fields


def _optional_fields(head: dict[str, Any], request: ChatRequest, target: Target) -> frozenset[str]:
    """Names of what an endpoint may refuse and need not get."""
    named = frozenset({"name"} if target.quirks.tool_names else ())
    return frozenset(head) - {"model", target.quirks.limit_name} | _kept_fields(request, target) | named


def _kept_fields(request: ChatRequest, target: Target) -> frozenset[str]:
    """Names of the opaque fields that go back with the messages."""
    names: set[str] = set()
    for message in request.messages:
        own, extras = kept_for(message.kept, target.origin)
        names.update(own, *extras)
    return frozenset(names)


def _elsewhere(status: int, location: str) -> ModelMisconfigured:
    """Return the error for a redirect that is not followed with the key, with the address it names."""
    parts = urlsplit(location)
    path = re.sub(r"/chat/completions.*$", "", parts.path)
    target = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
    return ModelMisconfigured(
        f"The model endpoint redirects to {brief(target, 200)} ({status}), where the key is not sent. "
        "If that is the endpoint, set OPENAI_BASE_URL to it."
    )
