# ruff: noqa: E501 - one habit a line, as it is sent
"""Habits of endpoints that came after the first table of them: each through the real adapter on loopback.

Named by who is publicly reported to have them; none was tried on the real service.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import (
    ModelBadAnswer,
    ModelError,
    ModelKeyRejected,
    ModelMisconfigured,
    ModelRefused,
    ModelUnavailable,
)
from engine.llm.faults import RateLimited, UnusableAnswer
from engine.llm.providers.endpoint import Endpoint
from engine.llm.providers.families import usual_base
from engine.llm.providers.openai_chat import OpenAIChat
from engine.ports import ChatAnswer, ChatMessage, ChatRequest, ToolCall, ToolSpec
from tests.providers.stage import Body, Provider, answer, call, refusal, serving, settings_for

TEXT = {"type": "string"}
WRITE = ToolSpec(
    "write_file",
    "Write a file.",
    {"type": "object", "properties": {"path": TEXT, "content": TEXT}, "required": ["path", "content"]},
)
LOOK = ToolSpec("list_files", "List.", {"type": "object", "properties": {"prefix": TEXT}})
IDS = ("s00100000", "s00100001")
PAST = (
    ChatMessage("system", "rules " * 200),
    ChatMessage("user", "go " * 300),
    ChatMessage("assistant", "", tuple(ToolCall(each, "list_files", "{}") for each in IDS)),
    *(ChatMessage("tool", "none", tool_call_id=each) for each in IDS),
)
PRICE = {"mock-1": {"input": 1, "output": 2}}
COUNTED = {"prompt_tokens": 1_000, "completion_tokens": 50, "total_tokens": 1_050}
WROTE = call("write_file", {"path": "a", "content": "b"})


def told(
    content: Any = "hi", calls: list[Body] | None = None, finish: str | None = None, **message: Any
) -> Body:
    """An answer that counts 1,000 and 50 tokens."""
    return answer(content, calls, finish, COUNTED, **message)


async def ask(provider: Provider, folder: Path) -> ChatAnswer:
    """Ask once, with a past of two calls, through the adapter that agents use."""
    async with serving(provider):
        settings = settings_for(provider, folder, model_prices=PRICE, model_timeout_s=3.0)
        chat = OpenAIChat(settings, Endpoint(provider.url + "/v1", "k"), lambda _: None)
        try:
            return await chat.complete(ChatRequest(1, 7, "member", PAST, (WRITE, LOOK)))
        finally:
            await chat.close()


def saying(said: Any) -> Provider:
    """A provider that always says the same."""
    return Provider(lambda body, number: said)


# ---------------------------------------------------------------- what was used


USED: list[tuple[str, Any, tuple[int, int, int, int], bool]] = [
    ("completion only", {"completion_tokens": 200}, (-1, 0, 200, 0), True),
    ("prompt only", {"prompt_tokens": 900}, (900, 0, -1, 0), True),
    ("prompt of zero", {"prompt_tokens": 0, "completion_tokens": 200, "total_tokens": 200}, (-1, 0, 200, 0), True),
    ("total only", {"total_tokens": 5_000}, (5_000, 0, -1, 0), True),
    ("nulls", {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, (-1, 0, -1, 0), True),
    ("below zero", {"prompt_tokens": -1, "completion_tokens": -1}, (-1, 0, -1, 0), True),
    ("more than there is", {"prompt_tokens": 10**13, "completion_tokens": 5}, (-1, 0, 5, 0), True),
    ("texts", {"prompt_tokens": "1,000", "completion_tokens": "50"}, (1_000, 0, 50, 0), False),
    ("camel case", {"promptTokens": 1_000, "completionTokens": 50}, (1_000, 0, 50, 0), False),
    ("a list", [COUNTED], (1_000, 0, 50, 0), False),
    ("kimi's cache", {**COUNTED, "cached_tokens": 800}, (1_000, 800, 50, 0), False),
    ("openrouter's cache", {**COUNTED, "prompt_tokens_details": {"cached_tokens": 300, "cache_write_tokens": 500}}, (1_000, 300, 50, 500), False),
    ("bedrock's cache", {"inputTokens": 100, "outputTokens": 50, "cacheReadInputTokens": 900}, (1_000, 900, 50, 0), False),
    ("an answer in the total only", {"prompt_tokens": 1_000, "total_tokens": 1_705}, (1_000, 0, 705, 0), False),
    ("thoughts apart", {"prompt_tokens": 1_000, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 700}}, (1_000, 0, 705, 0), False),
    ("thoughts within", {"prompt_tokens": 1_000, "completion_tokens": 705, "completion_tokens_details": {"reasoning_tokens": 700}}, (1_000, 0, 705, 0), False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("usage", "wanted", "estimated"), [case[1:] for case in USED], ids=[c[0] for c in USED]
)
async def test_tokens_are_counted_under_any_name(
    usage: Any, wanted: tuple[int, int, int, int], estimated: bool, tmp_path: Path
) -> None:
    """What is not counted is estimated, each part for itself (-1): no part of a call is free."""
    got = await ask(saying(answer("word " * 200, usage=usage)), tmp_path)
    used = (got.usage.prompt, got.usage.cached, got.usage.completion, got.usage.written)
    assert all(found > 100 if want < 0 else found == want for found, want in zip(used, wanted, strict=True))
    assert got.usage.estimated is estimated
    assert got.cost_micros and got.cost_micros >= got.usage.completion * 2


@pytest.mark.parametrize(
    "counted",
    [
        {"prompt_eval_count": 1_000, "eval_count": 50},
        {"usageMetadata": {"promptTokenCount": 1_000, "candidatesTokenCount": 50, "totalTokenCount": 1_050}},
    ],
    ids=["ollama", "google"],
)
async def test_tokens_counted_beside_the_answer_are_found(counted: Body, tmp_path: Path) -> None:
    """Without a field `usage`."""
    got = await ask(saying({**answer("hi", usage=None), **counted}), tmp_path)
    assert (got.usage.prompt, got.usage.completion, got.usage.estimated) == (1_000, 50, False)


COSTS: list[tuple[str, Body, int]] = [
    ("a text", answer("hi", usage={**COUNTED, "cost": "0.0123"}), 12_300),
    ("dollars", answer("hi", usage={**COUNTED, "cost": "$0.0123"}), 12_300),
    ("deepinfra", answer("hi", usage={**COUNTED, "estimated_cost": 0.0123}), 12_300),
    ("total", answer("hi", usage={**COUNTED, "total_cost": 0.0123}), 12_300),
    ("perplexity", answer("hi", usage={**COUNTED, "cost": {"total_cost": 0.0123}}), 12_300),
    ("vercel", told(provider_metadata={"gateway": {"cost": "0.0123"}}), 12_300),
    ("less than a millionth", answer("hi", usage={**COUNTED, "cost": 4.2e-7}), 1),
    ("below zero", answer("hi", usage={**COUNTED, "cost": -1}), 1_100),
    ("nothing", answer("hi", usage={**COUNTED, "cost": 0}), 1_100),
    ("more than there is", answer("hi", usage={**COUNTED, "cost": 1e15}), 1_100),
    ("xai's ticks", answer("hi", usage={**COUNTED, "cost_in_usd_ticks": 123_000_000}), 12_300),
    ("no number", answer("hi", usage={**COUNTED, "cost": "NaN"}), 1_100),
]


@pytest.mark.parametrize(("said", "micros"), [case[1:] for case in COSTS], ids=[c[0] for c in COSTS])
async def test_a_cost_that_is_told_counts_and_is_never_nothing(
    said: Body, micros: int, tmp_path: Path
) -> None:
    """Where none is told, or none that can be, the price of the model counts."""
    assert (await ask(saying(said), tmp_path)).cost_micros == micros


# ---------------------------------------------------------------- how it ended


@pytest.mark.parametrize("finish", ["max_completion_tokens", "token_limit", "incomplete", "MAX_TOKENS"])
async def test_an_answer_that_was_cut_is_known_by_any_word(finish: str, tmp_path: Path) -> None:
    """Its last call is not run."""
    assert (await ask(saying(told(None, [WROTE], finish)), tmp_path)).cut


@pytest.mark.parametrize(
    "finish", ["content_filter", "SAFETY", "sensitive", "refusal", "guardrail_intervened"]
)
async def test_a_call_before_a_filter_is_not_run(finish: str, tmp_path: Path) -> None:
    """It may be half of one; the agent hears of it, and what was read is charged. Words stand."""
    with pytest.raises(ModelRefused) as caught:
        await ask(saying(told(None, [WROTE], finish)), tmp_path)
    assert caught.value.tell and caught.value.charge and caught.value.charge.prompt == 1_000
    assert (await ask(saying(told("words", None, finish)), tmp_path)).text == "words"


@pytest.mark.parametrize("finish", ["insufficient_system_resource", "network_error", "error", "abort"])
@pytest.mark.parametrize("half", [("half a", None), (None, [WROTE])], ids=["words", "call"])
async def test_an_answer_that_broke_off_is_asked_for_again(
    finish: str, half: tuple[str | None, list[Body] | None], tmp_path: Path
) -> None:
    """DeepSeek, GLM and OpenRouter say so where it ends; half of one is no answer, and it is charged."""
    said = told(*half, finish)
    with pytest.raises(UnusableAnswer) as caught:
        await ask(saying(said), tmp_path)
    assert caught.value.charge and caught.value.charge.cost_micros == 1_100


async def test_an_error_inside_a_choice_says_what_broke(tmp_path: Path) -> None:
    """OpenRouter puts it beside the half that had come."""
    said = told("half")
    said["choices"][0]["error"] = {"code": 429, "message": "Upstream is busy, retry after 12"}
    with pytest.raises(RateLimited) as caught:
        await ask(saying(said), tmp_path)
    assert caught.value.retry_after_s == 12 and not caught.value.free


async def test_a_call_that_its_endpoint_could_not_read_is_not_run(tmp_path: Path) -> None:
    """Gemini says so even where a call stands beside it."""
    with pytest.raises(ModelBadAnswer):
        await ask(saying(told(None, [WROTE], "malformed_function_call")), tmp_path)


# ---------------------------------------------------------------- shapes


Read = tuple[str, list[Any]]
"""A text, and calls as names with arguments."""

SPLIT = {
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "I write."}, "finish_reason": "tool_calls"},
        {"index": 1, "message": {"role": "assistant", "content": None, "tool_calls": [WROTE]}},
    ],
    "usage": COUNTED,
}
IN_THOUGHTS = 'I write it.\n<tool_call>\n{"name": "write_file", "arguments": {"path": "a", "content": "b"}}\n</tool_call>'
HI: Read = ("hi", [])
MADE: Read = ("", [("write_file", {"path": "a", "content": "b"})])
SHAPES: list[tuple[str, Any, Read]] = [
    ("words and calls in a choice each", SPLIT, ("I write.", MADE[1])),
    ("a call at the end of the thoughts", told(None, reasoning_content=IN_THOUGHTS), MADE),
    ("a call in thoughts that stay open", told(f"<think>{IN_THOUGHTS}"), MADE),
    ("a call that the thoughts only speak of", told(None, reasoning_content=f"{IN_THOUGHTS} or not?"), ("", [])),
    ("thoughts beside words", told("hi", reasoning_content=IN_THOUGHTS), HI),
    ("a refusal among the parts", told([{"type": "refusal", "refusal": "hi"}]), HI),
    ("a value in a part", told([{"type": "text", "text": {"value": "hi"}}]), HI),
    ("a name where the function stands", told(None, [{"id": "1", "function": "write_file", "arguments": WROTE["function"]["arguments"]}]), MADE),
    ("tool_name", told(None, [{"id": "1", "tool_name": "write_file", "arguments": {"path": "a", "content": "b"}}]), MADE),
    ("a custom tool", told(None, [{"id": "1", "type": "custom", "custom": {"name": "write_file", "input": WROTE["function"]["arguments"]}}]), MADE),
    ("an object as a text", told(None, [call("write_file", {"path": "a", "content": {"b": 1}})]), ("", [("write_file", {"path": "a", "content": '{\n  "b": 1\n}'})])),
    ("a number as a text", told(None, [call("write_file", {"path": "a", "content": 5})]), ("", [("write_file", {"path": "a", "content": "5"})])),
    ("a line after the body", json.dumps(told()) + "\n<!-- 12 ms -->", HI),
    ("a brace too many", json.dumps(told()) + "}", HI),
    ("the body twice", json.dumps(told()) * 2, HI),
    ("a warning before the body", "Warning: slow disk\n" + json.dumps(told()), HI),
    ("a guard before the body", ")]}',\n" + json.dumps(told()), HI),
    ("JSON in JSON", json.dumps(json.dumps(told())), HI),
    ("inside data", {"code": 0, "msg": "ok", "data": told()}, HI),
    ("inside result", {"success": True, "result": told()}, HI),
]  # fmt: skip


@pytest.mark.parametrize(("said", "wanted"), [case[1:] for case in SHAPES], ids=[c[0] for c in SHAPES])
async def test_an_answer_is_read_in_any_shape(said: Any, wanted: Read, tmp_path: Path) -> None:
    """Counted as it says in each."""
    got = await ask(saying(said), tmp_path)
    assert (got.text, [(made.name, json.loads(made.arguments)) for made in got.tool_calls]) == wanted
    assert (got.usage.prompt, got.usage.completion, got.thoughts) == (1_000, 50, "")


async def test_sealed_thoughts_go_back(tmp_path: Path) -> None:
    """Copilot's `reasoning_opaque`, without which Gemini forgets what it did."""
    got = await ask(saying(told(None, [WROTE], reasoning_text="Hm.", reasoning_opaque="sealed")), tmp_path)
    assert json.loads(got.kept)["message"] == {"reasoning_text": "Hm.", "reasoning_opaque": "sealed"}


# ---------------------------------------------------------------- errors


def wrong(message: str, **more: Any) -> Body:
    """An error with its fields."""
    return {"error": {"message": message, **more}}


EVENT = 'event: error\ndata: {"type": "error", "code": 429, "message": "Slow down, try again in 7s"}\n\n'
DURATION = {
    "error": {
        "message": "Quota",
        "details": [{"@type": "google.rpc.RetryInfo", "retryDelay": {"seconds": 12}}],
    }
}
ERRORS: list[tuple[str, int, Any, type[ModelError], str, float | None]] = [
    ("spring", 400, {"error": "Bad Request", "message": "The model `x` does not exist"}, ModelMisconfigured, "does not exist", None),
    ("error: true", 401, {"error": True, "message": "Invalid API key"}, ModelKeyRejected, "Invalid API key", None),
    ("a wait beside the error", 429, wrong("slow") | {"retry_after": 33}, RateLimited, "slow", 33),
    ("a status inside", 200, wrong("backend", status=503), ModelUnavailable, "(503)", None),
    ("a status beside", 200, {"statusCode": 429, "message": "slow"}, RateLimited, "slow", None),
    ("an event", 200, EVENT, RateLimited, "Slow down", 7),
    ("codex", 429, wrong("The usage limit has been reached", resets_in_seconds=120), RateLimited, "limit", 120),
    ("camel case", 429, {"message": "slow", "retryAfterSeconds": 12}, RateLimited, "slow", 12),
    ("a duration", 429, [DURATION], RateLimited, "Quota", 12),
    ("no unit", 429, wrong("Too Many Requests. Retry after 17"), RateLimited, "17", 17),
    ("gemini's credits", 429, [wrong("Your prepayment credits are depleted.", status="RESOURCE_EXHAUSTED")], ModelKeyRejected, "no credit", None),
    ("new-api's credit", 403, wrong("用户额度不足", code="insufficient_user_quota"), ModelKeyRejected, "no credit", None),
    ("new-api's model", 503, wrong("No available channel for model x under group default", code="model_not_found"), ModelMisconfigured, "MODEL", None),
    ("bedrock's rate", 400, {"__type": "ThrottlingException", "message": "Too many tokens, please wait before trying again."}, RateLimited, "rate", None),
    ("a field for tools", 422, {"detail": [{"loc": ["body", "tools"], "msg": "extra fields not permitted"}]}, ModelMisconfigured, "does not support tools", None),
    ("openrouter's credits", 402, wrong("This request requires more credits, or fewer max_tokens.", type="invalid_request_error"), ModelKeyRejected, "no credit", None),
    ("azure's deployment", 404, wrong("The API deployment for this resource does not exist."), ModelMisconfigured, "MODEL", None),
    ("another api", 400, wrong("Model x does not support chat completions"), ModelMisconfigured, "openai-responses", None),
    ("mistral's tools", 400, wrong("Tool use with function calling is unsupported"), ModelMisconfigured, "does not support tools", None),
    ("llama.cpp's template", 500, wrong("Value is not callable: null at row 62, column 114"), ModelMisconfigured, "template", None),
    ("llama.cpp's call", 500, wrong("error while parsing tool call: unexpected end of JSON input"), ModelBadAnswer, "JSON input", None),
    ("azure's filter", 400, wrong("The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", code="content_filter", type="invalid_request_error"), ModelRefused, "content filter", None),
    ("groq's call", 400, wrong("tool call validation failed: errors: [missing properties: 'content']", code="tool_use_failed", type="invalid_request_error"), ModelBadAnswer, "missing properties", None),
]  # fmt: skip


@pytest.mark.parametrize(("status", "said", "kind", "words", "wait"), [case[1:] for case in ERRORS], ids=[c[0] for c in ERRORS])  # fmt: skip
async def test_what_went_wrong_is_found_and_sorted(
    status: int, said: Any, kind: type[ModelError], words: str, wait: float | None, tmp_path: Path
) -> None:
    """By the whole body; one request is enough, and what was refused costs nothing."""
    provider = saying(
        (status, said, {"Content-Type": "application/json"}) if isinstance(said, str) else (status, said)
    )
    with pytest.raises(kind) as caught:
        await ask(provider, tmp_path)
    assert type(caught.value) is kind and words in str(caught.value) and caught.value.free
    assert len(provider.bodies) == 1
    assert wait is None or getattr(caught.value, "retry_after_s", None) == pytest.approx(wait, abs=1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "12, 12"}, 12),
        ({"x-ratelimit-reset-tokens-minute": "12.5", "x-ratelimit-reset-requests-day": "33000"}, 12.5),
        ({"x-ratelimit-reset-requests-day": "900", "x-ratelimit-remaining-requests-day": "0", "x-ratelimit-reset-tokens-minute": "3"}, 900),
        ({"anthropic-ratelimit-unified-reset": "40"}, 40),
    ],
)  # fmt: skip
async def test_a_wait_in_any_header_is_obeyed(
    headers: dict[str, str], seconds: float, tmp_path: Path
) -> None:
    """Of several budgets that of the empty one."""
    with pytest.raises(RateLimited) as caught:
        await ask(saying((*refusal(429, "slow"), headers)), tmp_path)
    assert caught.value.retry_after_s == seconds


async def test_a_redirect_to_another_host_is_named_and_gets_no_key(tmp_path: Path) -> None:
    """People read the address; nothing is sent there."""
    provider = saying((302, "", {"Location": "https://elsewhere.example/v1/chat/completions?x=1"}))
    with pytest.raises(ModelMisconfigured, match=r"https://elsewhere\.example/v1 ") as caught:
        await ask(provider, tmp_path)
    assert "OPENAI_BASE_URL" in str(caught.value) and len(provider.bodies) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (
            "https://generativelanguage.googleapis.com",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        ("https://openrouter.ai/v1", "https://openrouter.ai/api/v1"),
        ("https://api.groq.com/v1", "https://api.groq.com/openai/v1"),
        ("http://localhost:11434/api", "http://localhost:11434/v1"),
        ("http://host:8000", "http://host:8000/v1"),
        ("http://host:8000/v1", "http://host:8000/v1"),
    ],
)
def test_the_address_that_was_meant_is_known_by_its_family(written: str, meant: str) -> None:
    """Most end with /v1, the big ones do not."""
    assert usual_base(written) == meant


# ---------------------------------------------------------------- repairs


def too_many(tokens: int, words: str) -> Callable[[Body], Any]:
    """Refuses answers longer than it gives."""
    return lambda body: (400, wrong(words)) if body.get("max_tokens", 0) > tokens else None


def first_role(words: Any, status: int = 400) -> Callable[[Body], Any]:
    """Refuses a system message."""
    return lambda body: (status, words) if body["messages"][0]["role"] == "system" else None


def null_content(words: Any) -> Callable[[Body], Any]:
    """Refuses null beside calls."""
    return lambda body: (400, words) if any(m.get("content") is None for m in body["messages"]) else None


def long_without_stream(body: Body) -> Any:
    """Fireworks: a long answer comes as a stream only."""
    if body["max_tokens"] > 4_096 and not body.get("stream"):
        return 400, wrong("Requests with max_tokens > 4096 must have stream=true", param="max_tokens")
    return None


def old_limit(words: str) -> Callable[[Body], Any]:
    """Refuses the old name of the limit."""
    return lambda body: (400, wrong(words)) if "max_tokens" in body else None


FORMS: list[tuple[str, Callable[[Body], Any], str]] = [
    ("o1", first_role(wrong("Unsupported value: 'messages[0].role' does not support 'system' with this model.")), "system"),
    ("gemma", first_role(wrong("Only user and assistant roles are supported!")), "system"),
    ("pydantic's role", first_role({"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user', 'assistant' or 'tool'"}]}, 422), "system"),
    ("fireworks", long_without_stream, "streams"),
    ("bedrock", too_many(4_096, "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that is lower than 4096."), "longest answer"),
    ("less than", too_many(4_095, "max_tokens must be less than 4096"), "longest answer"),
    ("cohere", too_many(4_096, "too many tokens: max tokens must be less than or equal to 4096, the maximum output length for this model"), "longest answer"),
    ("old azure", old_limit("this model is not supported MaxTokens, please use MaxCompletionTokens"), "limit name"),
    ("deprecated", old_limit("'max_tokens' is deprecated in favor of 'max_completion_tokens'"), "limit name"),
    ("cerebras", null_content({"message": "'NoneType' object is not iterable", "code": "wrong_api_format"}), "content"),
    ("converse", null_content(wrong("The text field in the ContentBlock object at messages.2.content.0 is blank.")), "content"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "name"), [case[1:] for case in FORMS], ids=[c[0] for c in FORMS])
async def test_a_form_that_is_refused_is_changed_once(
    rule: Callable[[Body], Any], name: str, tmp_path: Path
) -> None:
    """The request after the refusal is taken."""
    provider = Provider(lambda body, number: told(), rule)
    assert (await ask(provider, tmp_path)).text == "hi"
    assert provider.refused == 1
    if name == "streams":
        assert provider.bodies[-1]["max_tokens"] > 4_096
