"""Parse answers in Chat Completions form from JSON by hand; pure.

Not through the SDK's models: that costs a fifth of the CPU, and odd answers (missing choices, null content,
arguments that are not JSON, a stream nobody asked for) pass through instead of raising.
"""

from __future__ import annotations

import codecs
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from engine.errors import EngineError, ModelBadAnswer, ModelRefused
from engine.llm.faults import UnusableAnswer, fault_in_body, fault_without_answer
from engine.llm.providers.kept import kept_of
from engine.llm.providers.streams import Joined, joined
from engine.llm.storable import storable, storable_json
from engine.llm.words import page_title
from engine.ports import ChatAnswer, ToolCall, Usage

MAX_TEXT = 200_000
MAX_ARGUMENTS = 1_000_000
MAX_CALLS = 64

_CUT = frozenset(
    {"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"}
)
_FILTERED = frozenset({"content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii"})
MALFORMED = frozenset({"malformed_function_call", "unexpected_tool_call", "tool_call_error"})
_THOUGHTS = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_text", "summary_text"})
"""Types of parts that are no words to anybody."""

_CALL_PARTS = frozenset({"tool_use", "tool_call", "function_call"})
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
    usage = _usage_in(body, choice)
    finish = (_text_of(choice.get("finish_reason")) or "stop").lower()
    listed = _listed_calls(message)
    calls = _tool_calls(listed)
    text = _text_of(message.get("content"))
    if hidden is not None and not text and not calls:
        raise hidden
    if not text and isinstance(message.get("refusal"), str):
        text, finish = message["refusal"], "refusal"
    _raise_if_withheld(finish, bool(text or calls), choice)
    if len(text) > MAX_TEXT or any(len(call.arguments) >= MAX_ARGUMENTS for call in calls):
        finish = "length"
    return ChatAnswer(
        text=storable(text[:MAX_TEXT]),
        tool_calls=calls,
        usage=parse_usage(usage),
        model=storable(_text_of(body.get("model")) or asked),
        finish_reason="length" if finish in _CUT else storable(finish),
        cost_micros=reported_cost(usage),
        kept=kept_of(message, listed, origin),
    )


def usage_in(raw: bytes, asked: str) -> tuple[str, Usage, int | None]:
    """Return (model, usage, cost) as far as a body says them, whatever else it holds."""
    try:
        body = _decoded(raw).body
    except EngineError:
        return asked, Usage(), None
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    used = _usage_in(body, choice)
    return storable(_text_of(body.get("model")) or asked), parse_usage(used), reported_cost(used)


def is_page(raw: bytes) -> bool:
    """Return whether a body is a web page, which no model wrote."""
    return page_title(_unicode(raw[:20_000])) is not None


def _raise_if_withheld(finish: str, answered: bool, choice: Mapping[str, Any]) -> None:
    if answered:
        return
    if finish in _FILTERED:
        raise ModelRefused(FILTERED, tell=TELL_FILTERED)
    if finish in MALFORMED:
        raise ModelBadAnswer(UNREAD_CALL)
    if finish == "error" or choice.get("error"):
        raise fault_in_body({"error": choice.get("error") or "error"}, time.time()) or unusable(
            "was an error"
        )


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
    if not isinstance(body, dict):
        raise unusable("was no JSON object")
    return Joined(body, ended=True)


def _unicode(raw: bytes) -> str:
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16")):
        if raw.startswith(mark):
            return raw.decode(encoding, "replace")
    return raw.decode("utf-8", "replace")


def _json_in(text: str) -> Any:
    """Return the one JSON value of a text, None for none; comments of a stream around it are left out."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    lines = (line for line in text.splitlines() if not line.startswith(":") and line.strip() != "[DONE]")
    try:
        return json.loads("\n".join(lines))
    except (ValueError, RecursionError):
        return None


def unusable(what: str) -> UnusableAnswer:
    """Return the error for a 200 whose body is not an answer."""
    return UnusableAnswer(
        f"The model endpoint's answer {what}. The request can be repeated; "
        "if it stays so, check OPENAI_BASE_URL."
    )


def _first_choice(body: Mapping[str, Any], hidden: EngineError | None) -> Mapping[str, Any]:
    choices = body.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    if isinstance(body.get("message"), dict) and "role" in body["message"]:  # as Ollama's own API
        return {"message": body["message"], "finish_reason": body.get("done_reason")}
    raise hidden or fault_without_answer(body, time.time()) or unusable("held no choice")


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message of a choice; some call it `delta`, and old ones have a text only."""
    message = _mapping(choice.get("message")) or _mapping(choice.get("delta"))
    return message or {"content": choice.get("text")}


def _usage_in(body: Mapping[str, Any], choice: Mapping[str, Any]) -> Any:
    """Return what was counted, wherever it stands."""
    return body.get("usage") or choice.get("usage") or _mapping(body.get("x_groq")).get("usage")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text_of(value: Any) -> str:
    """Text, or the joined text parts some endpoints send instead; parts that are thoughts are left out."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(part if isinstance(part, str) else _text_of(_mapping(part)) for part in value)
    if isinstance(value, dict) and value.get("type") not in _THOUGHTS:
        return _text_of(value.get("text"))
    return ""


def _listed_calls(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    listed = message.get("tool_calls")
    if isinstance(listed, str):
        listed = _json_in(listed)
    listed = [listed] if isinstance(listed, dict) else listed
    found = [call for call in listed if isinstance(call, dict)] if isinstance(listed, list) else []
    if not found and isinstance(message.get("function_call"), dict):
        found = [{"function": message["function_call"]}]
    content = message.get("content")
    if not found and isinstance(content, list):  # calls among the parts, as in Anthropic's form
        found = [part for part in content if isinstance(part, dict) and part.get("type") in _CALL_PARTS]
    return found[:MAX_CALLS]


def _tool_calls(listed: Sequence[Mapping[str, Any]]) -> tuple[ToolCall, ...]:
    calls: list[ToolCall] = []
    seen: set[str] = set()
    for number, call in enumerate(listed):
        function = _mapping(call.get("function")) or call
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
        raw = function.get("parameters", function.get("input"))
    if raw is None:
        return "{}"
    text = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)
    return storable_json(text[:MAX_ARGUMENTS])


def parse_usage(usage: Any) -> Usage:
    """Return the tokens as the provider counted them; cached input in OpenAI's, DeepSeek's or Anthropic's
    fields, counted in the prompt where the provider did not."""
    reported = _mapping(usage)
    details = _mapping(reported.get("prompt_tokens_details")) or _mapping(
        reported.get("input_tokens_details")
    )
    read, written = (_count(reported.get(f"cache_{what}_input_tokens")) for what in ("read", "creation"))
    cached = _count(details.get("cached_tokens")) or _count(reported.get("prompt_cache_hit_tokens")) or read
    prompt = _count(reported.get("prompt_tokens"))
    if not prompt:
        prompt = _count(reported.get("input_tokens"))
        prompt += read + written if prompt else 0
    if cached > prompt > 0:  # it is the part that was not cached
        prompt += cached
    completion = _count(reported.get("completion_tokens")) or _count(reported.get("output_tokens"))
    total = _count(reported.get("total_tokens"))
    # Some count thinking in the total only; what was thought is paid for all the same.
    return Usage(
        prompt=prompt,
        cached=cached,
        completion=max(completion, total - prompt if prompt else completion),
        written=min(written, prompt),
    )


def reported_cost(usage: Any) -> int | None:
    """What the provider says the call cost, in micro-dollars; None where it does not say."""
    reported = _mapping(usage)
    cost = reported.get("cost")
    if isinstance(cost, Mapping):
        cost = cost.get("total_cost")
    upstream = _mapping(reported.get("cost_details")).get("upstream_inference_cost")
    ticks = reported.get("cost_in_usd_ticks")
    if isinstance(ticks, int | float):
        cost = ticks / 1e10
    dollars = _dollars(cost) + (_dollars(upstream) if reported.get("is_byok") else 0.0)
    return round(dollars * 1e6) if dollars > 0 else None


def _dollars(value: Any) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9
    return float(value) if known else 0.0


def _count(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 13:
        value = int(value)
    return int(value) if isinstance(value, (int, float)) and 0 < value < 1e12 else 0
