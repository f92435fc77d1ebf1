"""Parse answers in Chat Completions form from JSON by hand; pure.

Not through the SDK's models: that costs a fifth of the CPU, and odd answers (missing choices, null content,
arguments that are not JSON, a stream nobody asked for) pass through instead of raising.
"""

from __future__ import annotations

import codecs
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.errors import EngineError, ModelBadAnswer, ModelRefused
from engine.llm.faults import UnusableAnswer, fault_in_body, fault_without_answer
from engine.llm.providers.kept import kept_of
from engine.llm.providers.other_forms import choice_of_other_api
from engine.llm.providers.streams import Joined, is_stream, joined
from engine.llm.providers.usage import parse_usage, reported_cost, usage_of
from engine.llm.storable import storable, storable_json
from engine.llm.words import page_title
from engine.ports import ChatAnswer, ToolCall, Usage

MAX_TEXT = 200_000
MAX_ARGUMENTS = 1_000_000
MAX_CALLS = 64

_CUT = frozenset(
    {
        "length",
        "max_length",
        "length_limit",
        "length_exceeded",
        "max_tokens",
        "max_output_tokens",
        "max_completion_tokens",
        "max_new_tokens",
        "max_tokens_reached",
        "token_limit",
        "token_limit_reached",
        "output_limit",
        "limit",
        "incomplete",
        "model_length",
        "context_length",
        "context_length_exceeded",
        "context_window_exceeded",
        "model_context_window_exceeded",
        "time_limit",
        "max_time",
        "repetition",
        "repetition_truncation",
    }
)
_FILTERED = frozenset(
    {
        "content_filter",
        "content_filtered",
        "safety",
        "image_safety",
        "recitation",
        "prohibited_content",
        "blocklist",
        "blocked",
        "spii",
        "sensitive",
        "error_toxic",
        "moderation",
        "refusal",
        "guardrail_intervened",
    }
)
_BROKEN = frozenset(
    {
        "error",
        "server_error",
        "network_error",
        "engine_overloaded",
        "insufficient_system_resource",
        "failed",
        "abort",
        "aborted",
        "cancelled",
        "canceled",
        "user_cancelled",
        "timeout",
        "interrupted",
    }
)
"""What stands for an answer that the endpoint did not bring to its end."""

MALFORMED = frozenset(
    {
        "malformed_function_call",
        "malformed_tool_call",
        "malformed_response",
        "unexpected_tool_call",
        "too_many_tool_calls",
        "tool_call_error",
        "tool_calls_error",
    }
)
_THOUGHTS = frozenset(
    {"thinking", "redacted_thinking", "reasoning", "reasoning_text", "reasoning_content", "summary_text"}
    | {"thought", "thoughts"}
)
"""Types of parts that are no words to anybody."""

_THOUGHT_FIELDS = ("reasoning_content", "reasoning", "reasoning_text", "thinking")

_NAMES = ("name", "tool_name", "function")
_ARGUMENTS = ("arguments", "parameters", "input", "args")
_CALLS = ("tool_calls", "toolCalls", "tool_call", "function_call")
_FINISH = ("finish_reason", "finishReason", "stop_reason")
_WRAPPERS = ("data", "result", "response", "output", "body")
_SAID = ("text", "value", "refusal", "content", "parts")
_decoder = json.JSONDecoder(strict=False)
_CALL_PARTS = frozenset({"tool_use", "tool_call", "function_call"})
_CALL_FIELDS = ("toolUse", "functionCall")
FILTERED = "The endpoint's content filter withheld the answer. Ask the agent in other words."
UNREAD_CALL = "Your last tool call could not be read by the endpoint. Call one tool again, with plain JSON."
TELL_FILTERED = "The endpoint's content filter withheld your last answer. Say it in other words."


def parse_answer(raw: bytes, asked: str, origin: str) -> ChatAnswer:
    """Return the answer in a 200 body; `asked` is the model's name if the body has none, `origin` marks what
    is kept.

    Texts are storable and capped (`MAX_TEXT`, `MAX_ARGUMENTS`; cut ones have finish_reason "length"), at most
    `MAX_CALLS` calls. Raises UnusableAnswer for a body without an answer, ModelRefused if a content filter
    removed it, ModelBadAnswer for a call the endpoint could not read, or the error that an endpoint put into
    a 200.
    """
    whole = _decoded(raw)
    body = whole.body
    hidden = fault_in_body(body, time.time())
    if not whole.ended:
        raise hidden or unusable("broke off")
    choice = _first_choice(body, hidden)
    message = _message(choice)
    usage = usage_of(body, choice)
    finish = _finish_of(choice)
    listed = _listed_calls(message) or _listed_calls({name: choice.get(name) for name in _CALLS})
    calls = _tool_calls(listed)
    text = _text_of(message.get("content")) or _as_written(message.get("content"))
    if hidden is not None and not text and not calls:
        raise hidden
    if not text and not calls and isinstance(message.get("refusal"), str):
        text, finish = message["refusal"], "refusal"
    _raise_if_withheld(finish, text, bool(calls), choice)
    if len(text) > MAX_TEXT or any(len(call.arguments) >= MAX_ARGUMENTS for call in calls):
        finish = "length"
    return ChatAnswer(
        text=storable(text[:MAX_TEXT]),
        tool_calls=calls,
        usage=parse_usage(usage),
        model=storable(_text_of(body.get("model")) or asked),
        finish_reason="length" if finish in _CUT else storable(finish),
        cost_micros=reported_cost(usage, body, message),
        kept=kept_of(message, listed, origin),
        thoughts="" if text or calls else storable(_thoughts_of(message)[:MAX_TEXT]),
    )


def _finish_of(choice: Mapping[str, Any]) -> str:
    """Return why an answer ended, in one spelling: some write `MAX_TOKENS`, `content-filter`, `maxTokens`."""
    said = next((found for name in _FINISH if (found := _text_of(choice.get(name)))), "")
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", said).lower()
    plain = re.sub(r"[\s-]+", "_", plain.rpartition(":")[2].strip())
    return plain.removeprefix("finish_reason_").removeprefix("finish_") or "stop"


def usage_in(raw: bytes, asked: str) -> tuple[str, Usage, int | None]:
    """Return (model, usage, cost) as far as a body says them, whatever else it holds."""
    try:
        body = _decoded(raw).body
    except EngineError:
        return asked, Usage(), None
    choices = body.get("choices")
    choice = next(iter(_choices_of(choices)), {})
    used = usage_of(body, choice)
    cost = reported_cost(used, body, _message(choice))
    return storable(_text_of(body.get("model")) or asked), parse_usage(used), cost


def is_page(raw: bytes) -> bool:
    """Return whether a body is a web page, which no model wrote."""
    return page_title(_unicode(raw[:20_000])) is not None


def _raise_if_withheld(finish: str, text: str, called: bool, choice: Mapping[str, Any]) -> None:
    """Raise for an answer that its endpoint did not finish, or cannot read. Words that came before a filter
    are an answer; a call before it may be cut, and is none."""
    if finish in MALFORMED:
        raise ModelBadAnswer(UNREAD_CALL)
    if finish in _FILTERED and (called or not text):
        raise ModelRefused(FILTERED, tell=TELL_FILTERED)
    if finish in _BROKEN or choice.get("error"):
        said = fault_in_body({"error": choice.get("error")}, time.time())
        raise said or unusable("was broken off by the endpoint")


def _decoded(raw: bytes) -> Joined:
    """Return the body, however it came. Raises UnusableAnswer when it is no JSON object."""
    text = _unicode(raw)
    body = _json_in(text)
    if body is None:
        streamed = joined(text)
        if streamed is not None:
            return streamed
        title = page_title(text)
        raise unusable("was not JSON" if title is None else f'was a web page ("{title}"), not JSON')
    if isinstance(body, list) and body and isinstance(body[0], dict):
        body = body[0]
    if isinstance(body, str):  # JSON in JSON
        body = _json_in(body)
    if not isinstance(body, dict):
        raise unusable("was no JSON object")
    return Joined(_unwrapped(body), ended=True)


def _unwrapped(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the answer that some gateways put into a field of their own."""
    if "choices" in body:
        return body
    for name in _WRAPPERS:
        inner = body.get(name)
        inner = _json_in(inner) if isinstance(inner, str) and inner.lstrip().startswith("{") else inner
        if "choices" in (found := _mapping(inner)):
            return {**body, **found}
    return body


def _unicode(raw: bytes) -> str:
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16")):
        if raw.startswith(mark):
            return raw.decode(encoding, "replace")
    return raw.decode("utf-8", "replace")


def _json_in(text: str) -> Any:
    """Return the one JSON value of a text, None for none; comments of a stream around it are left out."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        pass
    lines = (line for line in text.splitlines() if not line.startswith(":") and line.strip() != "[DONE]")
    try:
        return json.loads("\n".join(lines), strict=False)
    except (ValueError, RecursionError):
        return _json_among(text)


def _json_among(text: str) -> Any:
    """Return the answer between a server's own lines, such as warnings before it; None for none, a page or a
    stream."""
    begin = text[:2_000].find("{")
    if begin < 0 or page_title(text) is not None or is_stream(text.encode("utf-8", "replace")):
        return None
    try:
        body, _ = _decoder.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(body, dict) and ("error" in body or "message" in _mapping(_first_of(body)))
    return body if whole else None


def _first_of(body: Mapping[str, Any]) -> Any:
    return next(iter(_choices_of(body.get("choices"))), None)


def _choices_of(choices: Any) -> list[Mapping[str, Any]]:
    """Return the choices; some send one without a list, or by number."""
    if isinstance(choices, dict):
        choices = [choices] if {"message", "delta", "text"} & choices.keys() else list(choices.values())
    return [one for one in choices if isinstance(one, dict)] if isinstance(choices, list) else []


def unusable(what: str) -> UnusableAnswer:
    """Return the error for a 200 whose body is not an answer."""
    return UnusableAnswer(
        f"The model endpoint's answer {what}. The request can be repeated; "
        "if it stays so, check OPENAI_BASE_URL."
    )


def _first_choice(body: Mapping[str, Any], hidden: EngineError | None) -> Mapping[str, Any]:
    if choices := _choices_of(body.get("choices")):
        return _gathered(choices)
    if (choice := choice_of_other_api(body)) is not None:
        return choice
    raise hidden or fault_without_answer(body, time.time()) or unusable("held no choice")


def _gathered(choices: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the one answer that was asked for: some gateways put words and calls into a choice each."""
    first = choices[0]
    if len(choices) == 1:
        return first
    messages = [_message(choice) for choice in choices]
    calls: list[Any] = []
    for message in messages:
        calls += [call for call in _listed_calls(message) if call not in calls]
    if not calls:
        return first
    text = next((found for message in messages if (found := _text_of(message.get("content")))), None)
    return {**first, "message": {**messages[0], "content": text, "tool_calls": calls}}


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message of a choice; some call it `delta`, list it, or have a text only."""
    listed = choice.get("messages")
    last = listed[-1] if isinstance(listed, list) and listed else None
    said = next((one for one in (choice.get("message"), choice.get("delta"), last) if one), None)
    return _mapping(said) or {"content": said or choice.get("text")}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text_of(value: Any) -> str:
    """Text, or the joined text parts some endpoints send instead; parts that are thoughts are left out."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        return "".join(part if isinstance(part, str) else _text_of(_mapping(part)) for part in value)
    if isinstance(value, dict) and value.get("type") not in _THOUGHTS and value.get("thought") is not True:
        return _text_of(next((value[name] for name in _SAID if value.get(name)), None))
    return ""


def _as_written(content: Any) -> str:
    """Return an object in the place of a text, which a gateway made of a model's JSON, as JSON again."""
    plain = (
        isinstance(content, dict)
        and content
        and not {"type", "thought", *_SAID, *_CALL_FIELDS} & content.keys()
    )
    return json.dumps(content, ensure_ascii=False) if plain else ""


def _thoughts_of(message: Mapping[str, Any]) -> str:
    return next((found for name in _THOUGHT_FIELDS if (found := _text_of(message.get(name)))), "")


def _listed_calls(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the calls of a message under any name and in any list; without those that say nothing."""
    found: list[Mapping[str, Any]] = []
    for name in _CALLS:
        found = found or list(_flat(message.get(name)))
    content = message.get("content")
    parts = content if isinstance(content, list) else _mapping(content).get("parts")
    if not found and isinstance(parts, list):  # calls among the parts, as in Anthropic's form
        for part in map(_mapping, parts):
            inner = next((part[name] for name in _CALL_FIELDS if isinstance(part.get(name), dict)), None)
            found += [part] if part.get("type") in _CALL_PARTS else [inner] if inner else []
    return [call for call in found if _is_call(call)][:MAX_CALLS]


def _flat(listed: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the calls of a list, of lists in it, of an object by number, or of JSON text."""
    if isinstance(listed, str):
        listed = _json_in(listed)
    if isinstance(listed, dict):
        numbered = bool(listed) and all(key.isdigit() for key in listed)
        listed = list(listed.values()) if numbered else [listed]
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, list):
            yield from _flat(one)
        elif isinstance(one, dict):
            yield one


def _is_call(call: Mapping[str, Any]) -> bool:
    """Return whether a call says anything: some send an empty one beside the real ones."""
    function = _function(call)
    return bool(_name(function)) or _arguments(function, call) not in ("", "{}")


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    given = call.get("function")
    if isinstance(given, str) and given.lstrip().startswith("{"):
        given = _json_in(given)
    return _mapping(given) or _mapping(call.get("custom")) or call


def _name(function: Mapping[str, Any]) -> str:
    return next((found for key in _NAMES if (found := _text_of(function.get(key)))), "")


def _tool_calls(listed: Sequence[Mapping[str, Any]]) -> tuple[ToolCall, ...]:
    calls: list[ToolCall] = []
    seen: set[str] = set()
    for number, call in enumerate(listed):
        function = _function(call)
        identity = storable(_text_of(call.get("id")))
        if not identity or identity in seen:
            identity = f"call_{number}_{len(identity)}"
        seen.add(identity)
        calls.append(ToolCall(identity, storable(_name(function)), _arguments(function, call)))
    return tuple(calls)


def _arguments(function: Mapping[str, Any], call: Mapping[str, Any]) -> str:
    """The raw text, wherever it stands; some endpoints send the object itself."""
    given = [place.get(name) for place in (function, call) for name in _ARGUMENTS]
    raw = next((one for one in given if one not in (None, "")), "" if "" in given else None)
    if raw is None:
        return "{}"
    text = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)
    return storable_json(text[:MAX_ARGUMENTS])
