"""Build requests in Chat Completions form, adapted to an endpoint's quirks; pure."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.llm.providers.kept import kept_for
from engine.llm.providers.quirks import Quirks
from engine.ports import ChatMessage, ChatRequest, ToolCall, ToolSpec

MAX_TOOL_LISTS = 256
BETWEEN = "Done."
"""Said by the assistant between a tool's result and a person's words: Mistral's format has to have it."""

THOUGHTS_STAND_IN = " "
SIGNATURE_STAND_IN = "skip_thought_signature_validator"
"""Google's documented stand-in for a signature that is not there."""


@dataclass(frozen=True, slots=True)
class Target:
    """Target of a request: `origin` names endpoint and model; `plain` leaves out what only strict remote
    endpoints need (set for the embedded model)."""

    origin: str
    quirks: Quirks
    plain: bool = False


def messages_json(messages: Sequence[ChatMessage], target: Target) -> list[dict[str, Any]]:
    """Return the messages in the form that this endpoint accepts."""
    quirks = target.quirks
    if quirks.merge_system:
        messages = list(_without_system(messages))
    if quirks.one_call:
        messages = list(_one_call_each(messages))
    made: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        if message.role == "user" and made and made[-1]["role"] == "tool" and not target.plain:
            made.append(_between(quirks))
        names |= {call.id: call.name for call in message.tool_calls}
        made.append(_message_json(message, target))
        if message.role == "tool" and quirks.tool_names and "name" not in quirks.drop:
            made[-1]["name"] = names.get(message.tool_call_id or "", "tool")
    return made


def _between(quirks: Quirks) -> dict[str, Any]:
    made = {"role": "assistant", "content": BETWEEN}
    if "thoughts" in quirks.stand_ins and "reasoning_content" not in quirks.drop:
        made["reasoning_content"] = THOUGHTS_STAND_IN
    return made


def _message_json(message: ChatMessage, target: Target) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    if message.role != "assistant":
        return body
    quirks = target.quirks
    own, extras = kept_for(message.kept, target.origin)
    if message.tool_calls:
        said = "" if quirks.bare_calls else message.content
        body["content"] = said or quirks.filler or None
        body["tool_calls"] = [
            _call_json(call, extras[n] if n < len(extras) else {}, quirks, signed=any(extras))
            for n, call in enumerate(message.tool_calls)
        ]
    body |= {name: value for name, value in own.items() if name not in quirks.drop}
    if "thoughts" in quirks.stand_ins and not any(name.startswith("reasoning") for name in own):
        body["reasoning_content"] = THOUGHTS_STAND_IN
    return body


def _call_json(call: ToolCall, extra: Mapping[str, Any], quirks: Quirks, *, signed: bool) -> dict[str, Any]:
    made = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    made |= {name: value for name, value in extra.items() if name not in quirks.drop}
    if "signature" in quirks.stand_ins and not signed and "extra_content" not in quirks.drop:
        made["extra_content"] = {"google": {"thought_signature": SIGNATURE_STAND_IN}}
    return made


def _without_system(messages: Sequence[ChatMessage]) -> Iterator[ChatMessage]:
    rules = "\n\n".join(message.content for message in messages if message.role == "system")
    for message in messages:
        if message.role == "user" and rules:
            yield replace(message, content=f"{rules}\n\n{message.content}")
            rules = ""
        elif message.role != "system":
            yield message


def _one_call_each(messages: Sequence[ChatMessage]) -> Iterator[ChatMessage]:
    """Yield an answer with several calls as several answers with one call, each before its result."""
    waiting: dict[str, ChatMessage] = {}
    for message in messages:
        if len(message.tool_calls) > 1:
            for number, call in enumerate(message.tool_calls):
                text = message.content if number == 0 else ""
                waiting[call.id] = replace(message, content=text, tool_calls=(call,), kept="")
            continue
        if message.tool_call_id in waiting:
            yield waiting.pop(message.tool_call_id)
        yield message


class ToolTexts:
    """JSON of tool lists, made once for each list of the same tools, which agents share over many calls."""

    def __init__(self) -> None:
        self._made: dict[tuple[tuple[int, ...], frozenset[str]], tuple[tuple[ToolSpec, ...], bytes]] = {}

    def of(self, tools: tuple[ToolSpec, ...], without: frozenset[str] = frozenset()) -> bytes:
        """The JSON array of `tools`, keywords `without` left out of their schemas; nothing for none."""
        if not tools:
            return b""
        key = (tuple(map(id, tools)), without)
        kept = self._made.get(key)  # the tools are kept beside it, so that their ids are no others'
        if kept is not None:
            return kept[1]
        if len(self._made) >= MAX_TOOL_LISTS:
            self._made.clear()
        listed = [_tool_json(tool, without) for tool in tools]
        made = json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        self._made[key] = (tools, made)
        return made


def _tool_json(tool: ToolSpec, without: frozenset[str]) -> dict[str, Any]:
    parameters = without_keywords(dict(tool.parameters), without) if without else dict(tool.parameters)
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def without_keywords(schema: Any, names: frozenset[str]) -> Any:
    """Return `schema` without the keywords `names`; properties of these names are kept."""
    if isinstance(schema, list):
        return [without_keywords(item, names) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: {name: without_keywords(inner, names) for name, inner in value.items()}
        if key == "properties" and isinstance(value, Mapping)
        else without_keywords(value, names)
        for key, value in schema.items()
        if key not in names
    }


def allowed_tools(request: ChatRequest) -> dict[str, Any] | str:
    """Return the `tool_choice` that restricts the model to the offered tools (Chat Completions, allowed
    tools)."""
    if not request.offer:
        return "none"
    named = [{"type": "function", "function": {"name": name}} for name in request.offer]
    mode = "auto" if request.talk else "required"
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named}}


class RequestBody:
    """A body that is sent once, in pieces: `head` (model and limits) and messages, then `tools` as JSON.

    Hundreds of calls wait at once: they share one copy of their tools' JSON, and keep nothing of their own
    once it is sent. Lone surrogates become `?`.
    """

    __slots__ = ("_pieces", "size")

    def __init__(self, messages: list[dict[str, Any]], head: Mapping[str, Any], tools: bytes) -> None:
        text = json.dumps({**head, "messages": messages}, ensure_ascii=False, separators=(",", ":"))
        own = (f'{text[:-1]},"tools":' if tools else text).encode("utf-8", "replace")
        self._pieces = [own, tools, b"}"] if tools else [own]
        self.size = sum(map(len, self._pieces))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces; each is released once it is sent."""
        pieces = self._pieces
        while pieces:
            yield pieces.pop(0)
