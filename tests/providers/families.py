# ruff: noqa: E501 - one family a line
"""Each family of providers as it is publicly reported: what it refuses, and how its models answer.

Every rule names where it was reported. None of them was tried on the real service.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.providers.stage import Body, Rule, answer, call, refusal
from tests.providers.team import Action, Team

Shape = Callable[[str, Any, int], Body]


@dataclass(frozen=True)
class Family:
    """A provider: `rules` refuse requests, `shape` makes an answer with one call, `most` is its longest
    answer, `model` the name it is asked by."""

    name: str
    rules: tuple[Rule, ...] = ()
    shape: Shape = field(
        default=lambda name, arguments, n: answer(calls=[call(name, arguments, f"call_{n}")])
    )
    most: int = 100_000
    model: str = "mock-1"
    refusals: int = 2
    spoken: str = ""


def limit_of(body: Body) -> int:
    """The limit a request gives its answer."""
    return int(body.get("max_tokens") or body.get("max_completion_tokens") or 0)


def _assistants(body: Body) -> list[Body]:
    return [message for message in body["messages"] if message["role"] == "assistant"]


# ---------------------------------------------------------------- rules


def wants_completion_tokens(body: Body) -> Any:
    """openai-python#1724: newer models know only the other name."""
    if "max_tokens" in body:
        return refusal(400, "Unsupported parameter: 'max_tokens' is not supported with this model. "
                       "Use 'max_completion_tokens' instead.", code="unsupported_parameter")  # fmt: skip
    return None


def wants_effort_none(body: Body) -> Any:
    """litellm#34569: gpt-5.5 and 5.6 take tools in Chat Completions only without thinking."""
    if body.get("tools") and body.get("reasoning_effort") != "none":
        return refusal(400, "Function tools with reasoning_effort are not supported in /v1/chat/completions. "
                       "Use /v1/responses or set reasoning_effort to 'none'.")  # fmt: skip
    return None


def wants_thoughts_back(body: Body) -> Any:
    """api-docs.deepseek.com thinking_mode, continue#11600 for Kimi."""
    for message in _assistants(body):
        if message.get("tool_calls") and not message.get("reasoning_content"):
            return refusal(
                400, "The `reasoning_content` in the thinking mode must be passed back to the API."
            )
    return None


def wants_signatures_back(body: Body) -> Any:
    """ai.google.dev thought-signatures."""
    for message in _assistants(body):
        for made in message.get("tool_calls") or []:
            if not ((made.get("extra_content") or {}).get("google") or {}).get("thought_signature"):
                told = "Function call is missing a thought_signature in functionCall parts."
                return 400, [{"error": {"code": 400, "message": told, "status": "INVALID_ARGUMENT"}}]
    return None


_GOOGLE = {"type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems", "properties",
           "required", "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf",
           "propertyOrdering", "default", "items", "minimum", "maximum"}  # fmt: skip


def google_schemas(body: Body) -> Any:
    """Gemini's 22 keywords; sub2api#5506 and others for exclusiveMinimum."""

    def odd(schema: Body) -> set[str]:
        found = set(schema) - _GOOGLE
        for key, value in schema.items():
            inner = (
                list(value.values()) if key == "properties" else value if isinstance(value, list) else [value]
            )
            for one in inner:
                found |= odd(one) if isinstance(one, dict) else set()
        return found

    for tool in body.get("tools", []):
        if names := odd(tool["function"]["parameters"]):
            return 400, [
                {"error": {"code": 400, "message": f'Unknown name "{names.pop()}": Cannot find field.'}}
            ]
    return None


def mistral_ids(body: Body) -> Any:
    """opencode#1680."""
    for message in body["messages"]:
        for identity in [c["id"] for c in message.get("tool_calls") or []] + [
            message.get("tool_call_id", "a" * 9)
        ]:
            if not re.fullmatch(r"[a-zA-Z0-9]{9}", identity):
                return refusal(
                    400, f"Tool call id was {identity} but must be a-z, A-Z, 0-9, with a length of 9."
                )
    return None


def mistral_order(body: Body) -> Any:
    """hermes-agent#20154."""
    roles = [message["role"] for message in body["messages"]]
    if ("tool", "user") in pairwise(roles):
        return refusal(400, "Unexpected role 'user' after role 'tool'")
    return None


def known_fields_only(*known: str) -> Rule:
    """litellm on Mistral, nanobot#3939: extra fields are forbidden."""

    def rule(body: Body) -> Any:
        extra = set(body) - {"model", "messages", "tools", "max_tokens", "stream", *known}
        return (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", *extra]}]}) if extra else None

    return rule


def no_null_content(body: Body) -> Any:
    """lmstudio-bug-tracker#261, TencentDB-Agent-Memory#1313 for Cloudflare."""
    if any(message.get("content") is None for message in body["messages"]):
        return 400, {"error": "Invalid 'content': 'content' field must be a string or an array of objects."}
    return None


def no_empty_content(body: Body) -> Any:
    """vercel/ai#15378: Bedrock refuses empty and blank texts."""
    for message in body["messages"]:
        if message.get("content") is not None and not str(message["content"]).strip():
            return refusal(400, "messages: text content blocks must be non-empty")
    return None


def no_reasoning_content(body: Body) -> Any:
    """Groq: fields of other providers' thoughts are unsupported."""
    if any("reasoning_content" in message for message in body["messages"]):
        return refusal(400, "'messages.2' : property 'reasoning_content' is unsupported")
    return None


def at_most(tokens: int) -> Rule:
    """A longest answer: DeepSeek, Groq, OpenAI's older models word it so."""

    def rule(body: Body) -> Any:
        if limit_of(body) > tokens:
            return refusal(400, f"max_tokens is too large: {limit_of(body)}. This model supports at most {tokens} "
                           "completion tokens.")  # fmt: skip
        return None

    return rule


def window_of(tokens: int) -> Rule:
    """vLLM and llama.cpp: prompt and answer together."""

    def rule(body: Body) -> Any:
        size = len(json.dumps(body)) // 4
        if size + limit_of(body) > tokens:
            return refusal(400, f"This model's maximum context length is {tokens} tokens. However, you requested "
                           f"{size + limit_of(body)} tokens ({size} in the messages, {limit_of(body)} in the "
                           "completion).", code="context_length_exceeded")  # fmt: skip
        return None

    return rule


def one_call_a_message(body: Body) -> Any:
    """vLLM with Llama 3's template."""
    if any(len(message.get("tool_calls") or []) > 1 for message in body["messages"]):
        return refusal(400, "This model only supports single tool-calls at once!")
    return None


def streams_only(body: Body) -> Any:
    """Some models of DashScope."""
    if body.get("stream") is not True:
        return refusal(
            400,
            "This model only support stream mode, please enable the stream parameter to access the model.",
        )
    return None


# ---------------------------------------------------------------- shapes


def _with_message(**fields: Any) -> Shape:
    return lambda name, arguments, n: answer(calls=[call(name, arguments, f"call_{n}")], **fields)


def _signed(name: str, arguments: Body, n: int) -> Body:
    extra = {"google": {"thought_signature": f"sig{n}"}}
    return answer(calls=[call(name, arguments, f"function-call-{n}", extra_content=extra)])


def _object_arguments(name: str, arguments: Body, n: int) -> Body:
    made = call(name, {}, "")
    made["function"]["arguments"] = arguments
    return answer("", calls=[made])


def _hermes(name: str, arguments: Body, n: int) -> Body:
    text = json.dumps({"name": name, "arguments": arguments})
    return answer(f"<think>\nHm.\n</think>\n\n<tool_call>\n{text}\n</tool_call>")


def _prefixed(name: str, arguments: Body, n: int) -> Body:
    return answer(calls=[call(f"functions.{name}", arguments, f"call_{n}")])


def _streamed(name: str, arguments: Any, n: int) -> Body:
    """Chunks: thoughts, then a call whose arguments come in pieces without an id, then how it ended."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    calls = [call(name, "", f"call_{n}") | {"index": 0}]
    calls += [
        {"index": 0, "id": None, "function": {"name": None, "arguments": text[at : at + 4_000]}}
        for at in range(0, len(text), 4_000)
    ]
    deltas: list[Body] = [{"role": "assistant", "content": None, "reasoning_content": "Hm."}]
    deltas += [{"tool_calls": [each]} for each in calls]
    whole = answer()
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    return whole | {"chunks": chunks, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}


FAMILIES: tuple[Family, ...] = (
    Family("openai", (wants_completion_tokens, wants_effort_none), _prefixed, model="gpt-5.6", refusals=2),
    Family("openai-older", (at_most(4_096),), most=4_096, refusals=1),
    Family("gemini", (google_schemas, wants_signatures_back), _signed, refusals=0),
    Family("deepseek", (wants_thoughts_back, at_most(8_192)), _with_message(reasoning_content="Hm."), 8_192, refusals=1),
    Family("kimi", (wants_thoughts_back,), _with_message(reasoning_content="Hm."), refusals=0),
    Family("mistral", (mistral_ids, mistral_order, known_fields_only()), refusals=0),
    Family("groq", (no_reasoning_content, at_most(32_768)), _with_message(reasoning="Hm."), 32_768, refusals=0),
    Family("xai", (known_fields_only("reasoning_effort"),), _with_message(reasoning_content="Hm."), refusals=0),
    Family("qwen", (at_most(8_192),), _with_message(reasoning_content=""), 8_192, refusals=1),
    Family("openrouter", (no_empty_content,), _with_message(reasoning_details=[{"type": "reasoning.text", "text": "Hm."}]), refusals=0),
    Family("bedrock", (no_empty_content, no_null_content), refusals=1),
    Family("ollama", (), _object_arguments, refusals=0),
    Family("vllm", (window_of(32_768), one_call_a_message), _hermes, refusals=6),
    Family("llama.cpp", (window_of(12_000),), refusals=12),
    Family("lmstudio", (no_null_content,), refusals=1),
    Family("streams only", (streams_only,), _streamed, refusals=1),
    Family("litellm", (known_fields_only(),), _with_message(reasoning_content="Hm.", thinking_blocks=[{"type": "thinking", "thinking": "Hm.", "signature": "s"}]), refusals=0),
)  # fmt: skip


def brain_of(family: Family, team: Team) -> Callable[[Body, int], Body]:
    """A provider's model that plays the team."""

    def brain(body: Body, number: int) -> Body:
        limit = min(limit_of(body), family.most)
        action, cut = team.next(body, lambda made: len(json.dumps(made[1])) // 4 > limit)
        return _answer(family, action, cut, limit, number)

    return brain


def _answer(family: Family, action: Action, cut: bool, limit: int, number: int) -> Body:
    if isinstance(action, str):
        return answer(action)
    name, arguments = action
    if not cut:
        return family.shape(name, arguments, number)
    half = json.dumps(arguments)[: limit * 4]
    used = {"prompt_tokens": 3000, "completion_tokens": limit, "total_tokens": 3000 + limit}
    made = family.shape(name, half, number)
    made["choices"][0]["finish_reason"] = "length"
    return made | {"usage": used}
