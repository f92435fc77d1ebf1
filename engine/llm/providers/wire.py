"""Chat Completions on the wire: requests to JSON and answers from JSON, pure.

Answers are read by hand, not through the SDK's pydantic models: that costs a fifth of the CPU, and odd
answers (missing choices, null content, arguments that are no JSON) pass through instead of raising.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from engine.errors import EngineError, ModelRefused
from engine.llm.faults import UnusableAnswer, fault_in_body
from engine.llm.storable import storable, storable_json
from engine.ports import ChatAnswer, ChatMessage, ChatRequest, ToolCall, ToolSpec, Usage

MAX_TEXT = 200_000
MAX_ARGUMENTS = 1_000_000
MAX_CALLS = 64
MAX_TOOL_LISTS = 256


def message_json(message: ChatMessage) -> dict[str, Any]:
    """One message as the API wants it."""
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        body["content"] = message.content or None
        body["tool_calls"] = [_call_json(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    return body


def _call_json(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


class ToolTexts:
    """JSON of tool lists, made once for each list (roles share one tuple over thousands of calls)."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[tuple[ToolSpec, ...], bytes]] = {}

    def of(self, tools: tuple[ToolSpec, ...]) -> bytes:
        """The JSON array of `tools`, nothing for none."""
        if not tools:
            return b""
        kept = self._made.get(id(tools))
        if kept is not None and kept[0] is tools:
            return kept[1]
        if len(self._made) >= MAX_TOOL_LISTS:
            self._made.clear()
        text = json.dumps([_tool_json(tool) for tool in tools], ensure_ascii=False, separators=(",", ":"))
        made = text.encode("utf-8", "replace")
        self._made[id(tools)] = (tools, made)
        return made


def _tool_json(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def allowed_tools(request: ChatRequest) -> dict[str, Any] | str:
    """The `tool_choice` that holds the model to what the request offers (Chat Completions, allowed tools)."""
    if not request.offer:
        return "none"
    named = [{"type": "function", "function": {"name": name}} for name in request.offer]
    mode = "auto" if request.talk else "required"
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named}}


class RequestBody:
    """A body to be sent once, in pieces: `head` (model and limits) and messages, then `tools` as JSON.

    Hundreds of calls wait at once: they share one copy of their tools' JSON, and keep nothing of their own
    once it is sent. Lone surrogates become `?`.
    """

    __slots__ = ("_pieces", "size")

    def __init__(self, request: ChatRequest, head: Mapping[str, Any], tools: bytes) -> None:
        body = {**head, "messages": [message_json(message) for message in request.messages]}
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        own = (f'{text[:-1]},"tools":' if tools else text).encode("utf-8", "replace")
        self._pieces = [own, tools, b"}"] if tools else [own]
        self.size = sum(map(len, self._pieces))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces, each given away."""
        pieces = self._pieces
        while pieces:
            yield pieces.pop(0)


def parse_answer(raw: bytes, asked: str) -> ChatAnswer:
    """The answer in a 200 body; `asked` names the model when the body does not.

    Texts are storable and capped (`MAX_TEXT`, `MAX_ARGUMENTS`; what is cut has finish_reason "length"), at
    most `MAX_CALLS` calls. Raises UnusableAnswer for a body without an answer, ModelRefused when a
    content filter took it, or the error an endpoint hid in a 200.
    """
    body = _decoded(raw)
    hidden = fault_in_body(body)
    if hidden is not None:
        raise hidden
    choice = _first_choice(body)
    message = _mapping(choice.get("message"))
    finish = _text_of(choice.get("finish_reason")) or "stop"
    calls = _tool_calls(message)
    text = _text_of(message.get("content"))
    if not text and isinstance(message.get("refusal"), str):
        text, finish = message["refusal"], "refusal"
    if finish == "content_filter" and not text and not calls:
        raise ModelRefused("The endpoint's content filter withheld the answer. Word the request differently.")
    if len(text) > MAX_TEXT or any(len(call.arguments) >= MAX_ARGUMENTS for call in calls):
        finish = "length"
    return ChatAnswer(
        text=storable(text[:MAX_TEXT]),
        tool_calls=calls,
        usage=parse_usage(body.get("usage")),
        model=storable(_text_of(body.get("model")) or asked),
        finish_reason=storable(finish),
    )


def _decoded(raw: bytes) -> Mapping[str, Any]:
    try:
        try:
            body = json.loads(raw)
        except UnicodeDecodeError:
            body = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise unusable("was not JSON") from error
    if not isinstance(body, dict):
        raise unusable("was no JSON object")
    return body


def unusable(what: str) -> EngineError:
    """The error for a 200 whose body is no answer."""
    return UnusableAnswer(f"The model endpoint's answer {what}. The request can be repeated.")


def _first_choice(body: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise unusable("held no choice")
    return choices[0]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text_of(value: Any) -> str:
    """Text, or the joined text parts some endpoints send instead."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_text_of(_mapping(part).get("text")) for part in value)
    return ""


def _tool_calls(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    listed = message.get("tool_calls")
    found = [call for call in listed if isinstance(call, dict)] if isinstance(listed, list) else []
    if not found and isinstance(message.get("function_call"), dict):
        found = [{"function": message["function_call"]}]
    calls: list[ToolCall] = []
    seen: set[str] = set()
    for number, call in enumerate(found[:MAX_CALLS]):
        function = _mapping(call.get("function"))
        identity = storable(_text_of(call.get("id")))
        if not identity or identity in seen:
            identity = f"call_{number}_{len(identity)}"
        seen.add(identity)
        calls.append(ToolCall(identity, storable(_text_of(function.get("name"))), _arguments(function)))
    return tuple(calls)


def _arguments(function: Mapping[str, Any]) -> str:
    """The raw text; some endpoints send the object itself."""
    raw = function.get("arguments")
    if raw is None:
        return "{}"
    text = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)
    return storable_json(text[:MAX_ARGUMENTS])


def parse_usage(usage: Any) -> Usage:
    """Tokens as the provider counted them; cached input in OpenAI's or DeepSeek's field."""
    told = _mapping(usage)
    details = _mapping(told.get("prompt_tokens_details"))
    cached = _count(details.get("cached_tokens")) or _count(told.get("prompt_cache_hit_tokens"))
    return Usage(
        prompt=_count(told.get("prompt_tokens")),
        cached=cached,
        completion=_count(told.get("completion_tokens")),
    )


def _count(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 < value < 1e12 else 0
