"""Native APIs (Anthropic Messages, Google, OpenAI Responses) as a ChatModel, over pydantic-ai's model layer.

Its adapters keep thinking blocks and signatures, transform schemas and set cache marks. Needs the extra
[native]; imported only where a model's name asks for it, such as `anthropic:claude-sonnet-4-5`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_ai import exceptions
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, infer_model
from pydantic_ai.tools import ToolDefinition

from engine.errors import (
    Charge,
    ModelBadAnswer,
    ModelError,
    ModelMisconfigured,
    ModelRefused,
    ModelTooLong,
)
from engine.llm.faults import TooSlow, UnusableAnswer, fault_of, read_error_reply
from engine.llm.prices import cost_micros, most_micros
from engine.llm.providers.answers import FILTERED, MALFORMED, TELL_FILTERED, UNREAD_CALL
from engine.llm.providers.catalog import Catalog, ModelFacts
from engine.llm.providers.clients import NativeTarget, connected
from engine.llm.providers.counting import prompt_tokens, settled, size_of
from engine.llm.providers.endpoint import (
    RawAnswer,
    answered,
    fault_of_transport,
    free,
    is_late,
    raw_answer,
    too_slow,
)
from engine.llm.providers.kept import MAX_KEPT, Distrusted, refuses_kept
from engine.llm.providers.learned import Learned
from engine.llm.providers.native_bodies import fault_in_raw, usage_of, with_usage
from engine.llm.providers.repairs import MOST_REPAIRS, Sent, learn, reported_window
from engine.llm.reading import read_answer
from engine.llm.storable import storable, storable_json
from engine.llm.words import brief, error_text
from engine.ports import ChatAnswer, ChatMessage, ChatRequest, Quote, ToolCall, ToolSpec, Usage, Written
from engine.secrets import redact
from engine.settings import EngineSettings

_log = logging.getLogger(__name__)
_parts: TypeAdapter[list[ModelResponsePart]] = TypeAdapter(list[ModelResponsePart])
_CACHE_MARKS = {
    "anthropic_cache_instructions": True,
    "anthropic_cache_tool_definitions": True,
    "anthropic_cache_messages": True,
}
_LEARNED = ("longest answer", "window")


class NativeChat:
    """ChatModel of one model behind its own API. Raises NotConfigured when the extra or a key is missing.

    Call `close()` at the end.
    """

    def __init__(
        self,
        settings: EngineSettings,
        target: NativeTarget,
        say: Callable[[str], None] = _log.warning,
        tell: Callable[[str], None] | None = None,
        learned: Learned | None = None,
    ) -> None:
        self._settings, self._target = settings, target
        self._say, self._people = say, tell
        self._said: set[str] = set()
        where = f"{target.provider}:{target.base_url}"
        self._catalog = Catalog(settings, where, local=False, notice=self._notify_once, learned=learned)
        self._connected = connected(target, settings)
        name = f"{target.provider}:{target.model}"
        self._model: Model = infer_model(name, lambda _: self._connected.provider)
        self._distrusted = Distrusted()
        self._tools: dict[int, tuple[tuple[ToolSpec, ...], int, list[ToolDefinition]]] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._connected.close()

    def facts(self, role: str) -> ModelFacts:
        """Return the model's facts as it is used now."""
        return self._catalog.facts(self._target.model)

    def window(self, role: str) -> int:
        """Return the tokens of prompt and answer together, as far as known."""
        window, known = self._catalog.window(self._target.model)
        return min(window, self._settings.model_context_tokens) if known else window

    def quote(self, request: ChatRequest) -> Quote:
        """Return an upper estimate: the whole answer limit, no input assumed cached."""
        prompt, limit = self._sizes(request)
        rates = self._catalog.rates(self._target.model)
        marked = self._target.provider == "anthropic"
        return Quote(prompt + limit, most_micros(rates, prompt, limit, marked=marked), rates.guessed)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Answer `request` within `model_timeout_s`. Raises ModelError subclasses only."""
        name = self._target.model
        if self._settings.model_unpriced == "refuse" and self._catalog.rates(name).guessed:
            raise free(
                ModelMisconfigured(
                    f"No price is known for {name}, and MODEL_UNPRICED=refuse. Set MODEL_PRICES to its price."
                )
            )
        request = self._distrusted.without(request)
        for _ in range(MOST_REPAIRS):
            prompt, limit = self._sizes(request)
            began = time.monotonic()
            try:
                response = await self._ask(request, limit)
            except exceptions.ModelHTTPError as error:
                if refuses_kept(error_text(error.body)) and self._distrusted.add(request):
                    request = self._distrusted.without(request)
                    continue
                if not self._learned(error, Sent(limit, prompt)):
                    fault = self._fault(error, Sent(limit, prompt))
                    fault.free = not is_late(error.status_code, began)
                    raise fault from error
                continue
            return self._read(response, request, prompt, limit)
        raise free(
            ModelMisconfigured(f"The endpoint refuses requests for {name} whatever their limits. Set MODEL.")
        )

    # ------------------------------------------------------------ asking

    def _sizes(self, request: ChatRequest) -> tuple[int, int]:
        prompt = prompt_tokens(request, self._defined(request.tools)[0])
        return prompt, self._catalog.answer_limit(self._target.model, prompt, request.max_tokens)

    async def _ask(self, request: ChatRequest, limit: int) -> ModelResponse:
        settings: Any = {"max_tokens": limit, "timeout": self._settings.model_timeout_s, **_CACHE_MARKS}
        if self._target.provider == "openai-responses":
            settings["openai_prompt_cache_key"] = f"{request.task_id}.{request.agent_id}"
        if extra := self._settings.extra_for(request.role):
            settings["extra_body"] = extra
        parameters = ModelRequestParameters(function_tools=self._defined(request.tools)[1])
        messages = list(_messages(request.messages, self._target.origin))
        if request.heard is not None:
            request.heard(Written())
        statuses: list[int] = []
        answering = answered.set(statuses)
        whole = RawAnswer(with_usage)
        hearing = raw_answer.set(whole)
        try:
            async with asyncio.timeout(self._settings.model_timeout_s):
                response = await self._model.request(messages, settings, parameters)
        except exceptions.ModelHTTPError:
            raise
        except TimeoutError as error:
            raise too_slow(self._settings) from error
        except exceptions.UserError as error:
            wrong = ModelMisconfigured(f"{brief(str(error))} Change MODEL or the settings named.")
            raise free(wrong) from error
        except exceptions.ContentFilterError as error:
            counted = usage_of(bytes(whole.body))
            estimate = Usage(self._sizes(request)[0], estimated=True)
            raise self._withheld(counted if counted.total else estimate) from error
        except Exception as error:
            raise self._failed(error, statuses, whole) from error
        finally:
            raw_answer.reset(hearing)
            answered.reset(answering)
        hidden = None if response.parts else fault_in_raw(bytes(whole.body))
        if hidden is not None:
            raise self._charged(hidden, bytes(whole.body))
        return response

    def _failed(self, error: Exception, statuses: list[int], whole: RawAnswer) -> ModelError:
        """Return the error for a request without an answer that its library can read: what the body says,
        with its charge, else what the library says."""
        raw = bytes(whole.body)
        fault = fault_in_raw(raw) if whole.ended else None
        if fault is None and isinstance(error, exceptions.UnexpectedModelBehavior):
            fault = UnusableAnswer(
                f"The model's answer could not be read ({brief(str(error), 160)}). "
                "The request can be repeated."
            )
        if fault is None:
            fault = fault_of_transport(error, self._settings)
            # Whoever hangs up before the first byte of an answer has given none.
            fault.free = not statuses and not isinstance(fault, TooSlow)
        return self._charged(fault, raw)

    def _charged(self, fault: ModelError, raw: bytes) -> ModelError:
        """Return the fault with what its body counts, and the names of this API's settings."""
        usage = usage_of(raw)
        if usage.total:
            fault.free, fault.charge = False, self._charge(usage)
        return self._target.renamed(fault)

    def _charge(self, usage: Usage) -> Charge:
        name = self._target.model
        rates = self._catalog.rates(name)
        used = (usage.prompt, usage.completion, cost_micros(rates, usage), usage.cached)
        return Charge(name, *used, guessed=rates.guessed)

    def _defined(self, tools: tuple[ToolSpec, ...]) -> tuple[int, list[ToolDefinition]]:
        """(bytes, definitions) of a tool list, made once for each list."""
        kept = self._tools.get(id(tools))
        if kept is None or kept[0] is not tools:
            made = [
                ToolDefinition(
                    name=t.name, description=t.description, parameters_json_schema=dict(t.parameters)
                )
                for t in tools
            ]
            size = sum(size_of(t.name + t.description + json.dumps(t.parameters)) for t in tools)
            kept = self._tools[id(tools)] = (tools, size, made)
        return kept[1], kept[2]

    # ------------------------------------------------------------ refusals

    def _learned(self, error: exceptions.ModelHTTPError, sent: Sent) -> bool:
        said = read_error_reply(error.status_code, error.body, error.headers or {}, 0.0)
        quirks = self._catalog.quirks(self._target.model)
        repaired = learn(quirks, said, sent)
        if repaired is None or repaired.quirks.repaired[-1] not in _LEARNED:
            return False
        self._catalog.learn(self._target.model, repaired.quirks, repaired.said)
        return True

    def _fault(self, error: exceptions.ModelHTTPError, sent: Sent) -> ModelError:
        said = read_error_reply(error.status_code, error.body, error.headers or {}, 0.0)
        made = fault_of(replace(said, wait_s=error.retry_after if said.wait_s is None else said.wait_s))
        if isinstance(made, ModelTooLong):
            self._catalog.learn_window(
                self._target.model, reported_window(said, sent) or sent.prompt * 9 // 10
            )
        return self._target.renamed(made)

    # ------------------------------------------------------------ answers

    def _read(self, response: ModelResponse, request: ChatRequest, prompt: int, limit: int) -> ChatAnswer:
        calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
        text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
        used = response.usage
        answer = ChatAnswer(
            text=storable(text),
            tool_calls=tuple(
                ToolCall(
                    f"{part.tool_call_id}.{n}",
                    storable(part.tool_name),
                    storable_json(part.args_as_json_str()),
                )
                for n, part in enumerate(calls)
            ),
            usage=Usage(
                used.input_tokens, used.cache_read_tokens, used.output_tokens, used.cache_write_tokens
            ),
            model=storable(response.model_name or self._target.model),
            finish_reason=response.finish_reason or "stop",
            kept=_kept(response, self._target.origin),
        )
        rates = self._catalog.rates_of_answer(answer.model, self._target.model)
        answer = settled(answer, prompt, limit, rates)
        if response.finish_reason in ("content_filter", "error") and not calls and not text:
            filtered = response.finish_reason == "content_filter"
            raise self._withheld(answer.usage) if filtered else self._unread(answer, response)
        return read_answer(answer, request.tools)

    def _withheld(self, usage: Usage) -> ModelRefused:
        """Return the error for an answer that a filter withheld; what was read is charged all the same."""
        error = ModelRefused(FILTERED, tell=TELL_FILTERED)
        error.charge = self._charge(usage)
        return error

    def _unread(self, answer: ChatAnswer, response: ModelResponse) -> ModelError:
        """Return the error for an answer that its endpoint calls one: a call it could not read, or others."""
        said = str((response.provider_details or {}).get("finish_reason", "")).lower()
        error: ModelError = (
            ModelBadAnswer(UNREAD_CALL)
            if said in MALFORMED
            else UnusableAnswer("The model's answer was an error. The request can be repeated.")
        )
        error.charge = None if answer.usage.estimated else self._charge(answer.usage)
        return error

    def _notify_once(self, key: str, text: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self._say(text)
            if self._people is not None and key.startswith("price|"):
                self._people(redact(text))


# ---------------------------------------------------------------- history


def _kept(response: ModelResponse, origin: str) -> str:
    """The parts of an answer with texts and arguments left out: those are in the step already."""
    parts = [_hollow(part) for part in response.parts]
    if not any(isinstance(part, ThinkingPart) or _has_more(part) for part in parts):
        return ""
    made = {
        "for": origin,
        "provider": response.provider_name,
        "details": response.provider_details,
        "parts": _parts.dump_python(parts, mode="json"),
    }
    text = storable_json(json.dumps(made, ensure_ascii=False, separators=(",", ":"), default=str))
    return text if len(text) <= MAX_KEPT else ""


def _hollow(part: ModelResponsePart) -> ModelResponsePart:
    if isinstance(part, TextPart):
        return replace(part, content="")
    if isinstance(part, ToolCallPart):
        return replace(part, args=None)
    return part


def _has_more(part: Any) -> bool:
    return bool(getattr(part, "provider_details", None) or getattr(part, "id", None))


@dataclass(frozen=True, slots=True)
class _Past:
    """A kept answer: its parts and what its provider said of it."""

    parts: list[ModelResponsePart]
    provider: str | None
    details: Mapping[str, Any] | None


def _past(kept: str, origin: str) -> _Past | None:
    if not kept:
        return None
    try:
        stored = json.loads(kept)
        if stored.get("for") != origin or "parts" not in stored:
            return None
        return _Past(_parts.validate_python(stored["parts"]), stored.get("provider"), stored.get("details"))
    except (ValueError, ValidationError, AttributeError):
        return None


def _messages(messages: tuple[ChatMessage, ...], origin: str) -> Iterator[ModelMessage]:
    """The history in pydantic-ai's form: what follows one another on our side is one request."""
    waiting: list[Any] = []
    names: dict[str, str] = {}
    for message in messages:
        if message.role == "assistant":
            if waiting:
                yield ModelRequest(parts=waiting)
                waiting = []
            names |= {call.id: call.name for call in message.tool_calls}
            yield _response(message, origin)
        elif message.role == "tool":
            name = names.get(message.tool_call_id or "", "tool")
            waiting.append(
                ToolReturnPart(
                    tool_name=name, content=message.content, tool_call_id=message.tool_call_id or ""
                )
            )
        else:
            kind = SystemPromptPart if message.role == "system" else UserPromptPart
            waiting.append(kind(message.content))
    if waiting:
        yield ModelRequest(parts=waiting)


def _response(message: ChatMessage, origin: str) -> ModelResponse:
    plain: list[ModelResponsePart] = [TextPart(message.content)] if message.content else []
    calls = [ToolCallPart(c.name, c.arguments, tool_call_id=c.id) for c in message.tool_calls]
    past = _past(message.kept, origin)
    hollow = [part for part in past.parts if isinstance(part, ToolCallPart)] if past else []
    if past is None or len(hollow) != len(calls):
        return ModelResponse(parts=[*plain, *calls])
    for kept, call in zip(hollow, calls, strict=True):
        kept.tool_name, kept.args, kept.tool_call_id = call.tool_name, call.args, call.tool_call_id
    texts = iter([message.content] if message.content else [])
    parts: list[ModelResponsePart] = []
    for part in past.parts:
        if isinstance(part, TextPart):
            parts += [replace(part, content=text) for text in texts]
        else:
            parts.append(part)
    parts += [TextPart(text) for text in texts]
    details = dict(past.details) if past.details else None
    return ModelResponse(parts=parts, provider_name=past.provider, provider_details=details)
