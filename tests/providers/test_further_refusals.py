# ruff: noqa: E501, RUF001 - refusals are easier to compare on one line, and some are Chinese
"""Refusals of providers of 2025 and 2026, and what is changed after them: on loopback, as they are reported."""

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
    ModelTooLong,
    ModelUnavailable,
)
from engine.llm.faults import RateLimited, fault_of, read_error_reply
from engine.llm.providers.endpoint import Endpoint
from engine.llm.providers.families import first_quirks
from engine.llm.providers.openai_chat import OpenAIChat
from engine.llm.providers.quirks import Quirks
from engine.llm.providers.repairs import Sent, learn
from engine.llm.waits import requested_wait_s
from engine.ports import ChatMessage, ChatRequest, ToolCall
from tests.providers.stage import Body, Provider, serving, settings_for
from tests.providers.test_habits import PRICE, WRITE, told

NOW = 1_700_000_000.0


def error(message: str, **more: Any) -> Body:
    """An error in the usual form."""
    return {"error": {"message": message, **more}}


SENTENCES: list[tuple[str, int, Any, type[ModelError]]] = [
    ("vertex length", 400, [error("Unable to submit request because the input token count is 40000 but model only supports up to 32768. Reduce the input token count and try again.")], ModelTooLong),
    ("sambanova length", 400, error("Requested generation length 100 is not possible! The provided prompt is 8200 long, but the maximum supported sequence length is just 8192!"), ModelTooLong),
    ("siliconflow length", 400, {"code": 20015, "message": "length of prompt_tokens (40000) must be less than max_seq_len (32768)."}, ModelTooLong),
    ("snowflake length", 400, {"message": "max tokens of 8192 exceeded", "code": "390142"}, ModelTooLong),
    ("minimax length", 400, {"base_resp": {"status_code": 1039, "status_msg": "token limit"}}, ModelTooLong),
    ("nova length", 400, {"message": "The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length."}, ModelTooLong),
    ("anthropic's long context", 429, error("Extra usage is required for long context requests."), ModelTooLong),
    ("copilot length", 400, error("prompt token count of 130000 exceeds the limit of 128000", code="model_max_prompt_tokens_exceeded"), ModelTooLong),
    ("github length", 413, error("Request body too large for gpt-4o model. Max size: 8000 tokens.", code="tokens_limit_reached"), ModelTooLong),
    ("cloudflare's day", 429, {"errors": [{"message": "AiError: you have used up your daily free allocation of 10,000 neurons", "code": 4006}], "success": False}, ModelKeyRejected),
    ("ollama's week", 429, {"error": "you (x) have reached your weekly usage limit, upgrade for higher limits"}, ModelKeyRejected),
    ("ollama's session", 429, {"error": "you (x) have reached your session usage limit, upgrade for higher limits"}, RateLimited),
    ("openai's budget", 429, error("You have reached your specified monthly budget"), ModelKeyRejected),
    ("google's billing", 403, [error("This API method requires billing to be enabled.", status="PERMISSION_DENIED")], ModelKeyRejected),
    ("deepinfra's card", 403, {"detail": {"error": "inference prohibited, please enter a payment method"}}, ModelKeyRejected),
    ("novita's balance", 403, {"code": 403, "reason": "NOT_ENOUGH_BALANCE", "message": "not enough balance"}, ModelKeyRejected),
    ("ollama's subscription", 403, error("this model requires a subscription, upgrade for access: https://ollama.com/upgrade"), ModelKeyRejected),
    ("watsonx's quota", 403, {"errors": [{"code": "token_quota_reached", "message": "This API request would have exceeded the token quota for this billing account"}]}, ModelKeyRejected),
    ("fireworks' invoice", 412, error("Account x is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.", code="PRECONDITION_FAILED"), ModelKeyRejected),
    ("google's consumer", 403, [error("Permission denied: Consumer 'api_key:x' has been suspended.", status="PERMISSION_DENIED")], ModelKeyRejected),
    ("google's caller", 403, [error("Method doesn't allow unregistered callers.", status="PERMISSION_DENIED")], ModelKeyRejected),
    ("ollama's blob", 500, error("unable to load model: /root/.ollama/models/blobs/sha256-x"), ModelMisconfigured),
    ("ollama's memory", 500, error("llama runner process has terminated: cudaMalloc failed: out of memory"), ModelMisconfigured),
    ("perplexity's order", 400, error("After the (optional) system message(s), user or tool message(s) should alternate with assistant message(s)."), ModelMisconfigured),
    ("snowflake's model", 403, {"message": "Not authorized to use model x"}, ModelMisconfigured),
    ("bedrock's market", 403, {"message": "Model access is denied due to IAM user or service role is not authorized to perform the required AWS Marketplace actions (aws-marketplace:Subscribe) to enable access to this model."}, ModelMisconfigured),
    ("xai's team", 403, {"code": "x", "error": "Team is not authorized to perform this action."}, ModelMisconfigured),
    ("siliconflow's model", 403, {"code": 30003, "message": "Model disabled."}, ModelMisconfigured),
    ("together's model", 400, error("Unable to access non-serverless model x. Please create and start a new dedicated endpoint for the model.", code="model_not_available"), ModelMisconfigured),
    ("litellm's prefix", 400, error("litellm.BadRequestError: LLM Provider NOT provided. Pass in the LLM provider you are trying to call."), ModelMisconfigured),
    ("lm studio's choice", 400, {"error": "Multiple models are loaded. Please specify a model by providing a 'model' field in the request body."}, ModelMisconfigured),
    ("opencode's tools", 400, error("[unsupported_tool_schema] The tool schema is not supported (tool_count_limit).", param="tools"), ModelMisconfigured),
    ("qwen's model", 403, error("Model access denied.", code="Model.AccessDenied"), ModelMisconfigured),
    ("requesty's policy", 403, error("Your policy blocks this model"), ModelMisconfigured),
    ("azure's volume", 403, {"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in 00:12:33."}, RateLimited),
    ("bedrock's day", 429, {"message": "Too many tokens per day, please wait before trying again."}, RateLimited),
    ("lm studio's channel", 400, {"error": "Channel Error"}, ModelUnavailable),
    ("a gateway's time", 400, error("upstream request timeout"), ModelUnavailable),
    ("portkey's guardrails", 412, {"status": "failure", "message": "The guardrail checks defined in the config failed."}, ModelRefused),
    ("bedrock's call", 400, {"message": "Model produced invalid sequence as part of ToolUse."}, ModelBadAnswer),
]  # fmt: skip


KEYS = {"google's consumer", "google's caller"}
"""Of those that stop all calls these need another key; the others need credit."""


@pytest.mark.parametrize(("name", "status", "body", "kind"), SENTENCES, ids=[c[0] for c in SENTENCES])
def test_the_words_of_a_refusal_decide(name: str, status: int, body: Any, kind: type[ModelError]) -> None:
    """Whatever its status is."""
    found = fault_of(read_error_reply(status, json.dumps(body).encode(), {}, NOW))
    assert type(found) is kind and found.free
    if kind is ModelKeyRejected:
        assert ("no credit" in str(found)) == (name not in KEYS)


WAITS: list[tuple[str, float]] = [
    ("Quota will be replenished in 00:12:33.", 753),
    ("You can try again in a minute", 60),
    ("try again in 20", 20),
    ("try again in ~20s", 20),
    ("Please try again later (20s)", 20),
    ("wait for 20 more seconds", 20),
    ("Next request allowed in 20s", 20),
    ("You are on cooldown of 20 seconds", 20),
    ("retry_after: 20", 20),
    ("Limit resets at 1700000020", 20),
    ("请求过多，请在20秒后重试", 20),
    ("Your quota will reset in 20 hours.", 72_000),
]


@pytest.mark.parametrize(("words", "seconds"), WAITS)
def test_a_wait_is_read_from_further_sentences(words: str, seconds: float) -> None:
    """Also without a unit, as a moment, and in Chinese."""
    body = json.dumps(error(f"Rate limit. {words}")).encode()
    assert read_error_reply(429, body, {}, NOW).wait_s == pytest.approx(seconds)


@pytest.mark.parametrize("name", ["x-retry-after", "x-ratelimit-retry-after", "x-rate-limit-reset", "x-ratelimit-timeremaining", "x-ratelimit-requests-reset"])  # fmt: skip
def test_a_wait_is_read_from_further_headers(name: str) -> None:
    """In seconds, or as the moment."""
    assert requested_wait_s({name: "20"}, NOW) == requested_wait_s({name: str(NOW + 20)}, NOW) == 20


@pytest.mark.parametrize("name", ["reset_after", "resets_in", "wait_seconds", "cooldown", "quotaResetDelay", "reset_time", "resetsAt", "estimated_time"])  # fmt: skip
def test_a_wait_is_read_from_further_fields(name: str) -> None:
    """However deep they are."""
    body = {"error": {"message": "slow", "details": [{"metadata": {name: "20"}}]}}
    assert read_error_reply(429, body, {}, NOW).wait_s == 20


SENT = Sent(
    16_384,
    3_000,
    frozenset({"stream", "prompt_cache_key", "name"}),
    tools=True,
    null_content=True,
    many_calls=True,
    spoken_calls=True,
    system=True,
)
LEARNED: list[tuple[str, str, Any]] = [
    ("Invalid value: max_tokens must be between 1 and 8192", "most_answer", 8_192),
    ("max_new_tokens must be <= 4096. Given: 16384", "most_answer", 4_096),
    ("Unable to submit request because it has a maxOutputTokens value of 16384 but the supported range is from 1 (inclusive) to 8193 (exclusive).", "most_answer", 8_192),
    ("Max completion tokens exceed limit: 4096", "most_answer", 4_096),
    ("maximum output length is 8192", "most_answer", 8_192),
    ("This model requires the stream parameter to be true", "streams", True),
    ("Unsupported value: 'stream' does not support false with this model. Only true is supported", "streams", True),
    ("stream=false is not supported", "streams", True),
    ("Only streaming is supported for this model", "streams", True),
    ("the argument prompt_cache_key is not accepted", "drop", frozenset({"prompt_cache_key"})),
    ('messages[4]: "name" is not supported by this endpoint', "drop", frozenset({"name"})),
    ("data did not match any variant of untagged enum MessageContent", "filler", "(calls a tool)"),
    ("message content is nil", "filler", "(calls a tool)"),
    ("messages[0].role must be one of user, assistant, tool", "merge_system", True),
    ("This model doesn't support system messages.", "merge_system", True),
    ("Only one tool call is supported per message", "one_call", True),
    ("tool parameters contain unsupported keyword: minimum", "schema_drop", frozenset({"minimum"})),
    ("messages[3]: tool message must have a name", "tool_names", True),
    ("Missing required parameter: 'messages[3].name'", "tool_names", True),
    ("GenerateContentRequest.contents[2].parts[0].function_response.name: Name cannot be empty.", "tool_names", True),
    ("Field required: messages.3.tool.name", "tool_names", True),
    ("Assistant message must have either content or tool_calls, but not both.", "bare_calls", True),
    ("text content is not allowed when tool_calls are provided.", "bare_calls", True),
]  # fmt: skip


@pytest.mark.parametrize(("words", "field", "value"), LEARNED)
def test_a_refusal_teaches_one_thing(words: str, field: str, value: Any) -> None:
    """And no other."""
    reply = read_error_reply(400, json.dumps(error(words)).encode(), {}, NOW)
    repaired = learn(Quirks(), reply, SENT)
    assert repaired is not None and len(repaired.quirks.repaired) == 1
    assert getattr(repaired.quirks, field) == value


def test_an_invalid_name_of_a_tool_teaches_nothing() -> None:
    """It is a word too."""
    reply = read_error_reply(400, json.dumps(error("Invalid tool name: x")).encode(), {}, NOW)
    assert learn(Quirks(), reply, SENT) is None


PAST = (
    ChatMessage("system", "rules"),
    ChatMessage("user", "go"),
    ChatMessage("assistant", "I look.", (ToolCall("s00100000", "list_files", "{}"),)),
    ChatMessage("tool", "none", tool_call_id="s00100000"),
)


async def requests(rule: Callable[[Body], Any], folder: Path) -> list[Body]:
    """What is sent for one answer, and for one after it."""
    provider = Provider(lambda body, number: told(), rule)
    async with serving(provider):
        settings = settings_for(provider, folder, model_prices=PRICE)
        chat = OpenAIChat(settings, Endpoint(provider.url + "/v1", "k"), lambda _: None)
        try:
            for _ in range(2):
                assert (await chat.complete(ChatRequest(1, 7, "member", PAST, (WRITE,)))).text == "hi"
        finally:
            await chat.close()
    return provider.bodies


async def test_results_name_their_tool_where_that_is_asked_for(tmp_path: Path) -> None:
    """hermes-agent#16482; not otherwise, as others refuse it (hermes-agent#114713)."""

    def rule(body: Body) -> Any:
        named = all("name" in message for message in body["messages"] if message["role"] == "tool")
        return None if named else (400, error("messages[3]: tool message must have a name"))

    sent = await requests(rule, tmp_path)
    assert [body["messages"][3].get("name") for body in sent] == [None, "list_files", "list_files"]
    google = "https://generativelanguage.googleapis.com/v1beta/openai"
    assert first_quirks(google, "gemini-2.5-pro").tool_names
    assert not first_quirks("https://api.openai.com/v1", "gpt-4.1").tool_names


async def test_words_beside_calls_are_left_out_where_they_are_refused(tmp_path: Path) -> None:
    """langchain#21196 and vercel/ai#5794: a message is either."""

    def rule(body: Body) -> Any:
        both = any(message.get("tool_calls") and message.get("content") for message in body["messages"])
        said = "Assistant message must have either content or tool_calls, but not both."
        return (400, error(said)) if both else None

    sent = await requests(rule, tmp_path)
    assert [body["messages"][2]["content"] for body in sent] == ["I look.", None, None]
