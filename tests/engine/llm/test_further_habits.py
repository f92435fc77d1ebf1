# ruff: noqa: E501, RUF001 - refusals are easier to compare on one line, and some are Chinese
"""Further refusals of real endpoints, as publicly reported: sorted by what they mean, not by their status."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
from engine.llm.providers import openai_chat
from engine.llm.providers.endpoint import Endpoint, Refusal
from engine.llm.providers.kept import refuses_kept
from engine.llm.providers.quirks import Quirks
from engine.llm.providers.repairs import Sent, learn
from engine.ports import ChatMessage, ChatRequest
from engine.settings import EngineSettings


def error(message: str, **more: Any) -> dict[str, Any]:
    """An error in the usual form."""
    return {"error": {"message": message, **more}}


def detail(*loc: str | int) -> dict[str, Any]:
    """FastAPI's answer to a field that it does not know."""
    return {"detail": [{"type": "extra_forbidden", "loc": loc, "msg": "Extra inputs are not permitted"}]}


SENTENCES: list[tuple[str, int, Any, type[ModelError], str]] = [
    ("glm filter", 400, error("系统检测到输入或生成内容可能包含不安全或敏感内容", code="1301"), ModelRefused, "filter"),
    ("glm plan", 400, error("当前订阅套餐暂未开放GLM-5权限", code="1311"), ModelMisconfigured, "account"),
    ("glm model", 400, error("模型不存在，请检查模型代码。", code="1211"), ModelMisconfigured, "MODEL"),
    ("glm length", 400, error("Prompt exceeds max length", code="1261"), ModelTooLong, "too long"),
    ("glm hours", 429, error("已达到 5 小时的使用上限。", code="1308"), RateLimited, "rate"),
    ("xai length", 400, {"code": "x", "error": "This model's maximum prompt length is 131072 but the request contains 140000 tokens."}, ModelTooLong, "too long"),
    ("xai credits", 403, {"code": "x", "error": "Your newly created team doesn't have any credits or licenses yet."}, ModelKeyRejected, "credit"),
    ("openrouter limit", 403, error("Key limit exceeded (total limit). Manage it using https://x"), ModelKeyRejected, "credit"),
    ("groq terms", 400, error("The model `x` requires terms acceptance.", code="model_terms_required"), ModelMisconfigured, "account"),
    ("groq restricted", 400, error("Organization has been restricted.", code="organization_restricted"), ModelMisconfigured, "account"),
    ("groq blocked", 403, error("The model `x` is blocked at the organization level."), ModelMisconfigured, "account"),
    ("openai tools", 400, error("Invalid 'tools': array too long. Expected an array with maximum length 128."), ModelMisconfigured, "mcp.json"),
    ("anthropic limit", 400, error("You have reached your specified API usage limits. You will regain access on 2026-12-01."), ModelKeyRejected, "credit"),
    ("bedrock profile", 400, {"message": "Invocation of model ID x with on-demand throughput isn’t supported."}, ModelMisconfigured, "MODEL"),
    ("azure firewall", 403, error("Access denied due to Virtual Network/Firewall rules."), ModelMisconfigured, "OPENAI_BASE_URL"),
    ("azure operation", 400, error("The chatCompletion operation does not work with the specified model, x."), ModelMisconfigured, "MODEL"),
    ("kimi length", 400, error("Invalid request: Your request exceeded model token limit: 131072"), ModelTooLong, "too long"),
    ("qwen length", 400, error("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]"), ModelTooLong, "too long"),
    ("qwen account", 400, error("Access denied, please make sure your account is in good standing.", code="Arrearage"), ModelKeyRejected, "credit"),
    ("qwen free", 403, error("The free tier of the model has been exhausted.", code="AllocationQuota.FreeTierOnly"), ModelKeyRejected, "credit"),
    ("ollama memory", 500, error("model requires more system memory (9.8 GiB) than is available (5.5 GiB)"), ModelMisconfigured, "memory"),
    ("ollama xml", 500, error("XML syntax error on line 3: element <function> closed by </parameter>"), ModelBadAnswer, "XML"),
    ("lm studio empty", 404, error("No models loaded. Please load a model in the developer page."), ModelMisconfigured, "MODEL"),
    ("lm studio crash", 400, {"error": "The model has crashed without additional information. (Exit code: 1)"}, ModelUnavailable, "crashed"),
    ("lm studio template", 400, {"error": 'Error rendering prompt with jinja template: "Cannot call"'}, ModelMisconfigured, "template"),
    ("vllm template", 400, {"message": "Conversation roles must alternate user/assistant/user/assistant/..."}, ModelMisconfigured, "template"),
    ("together length", 422, error("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193."), ModelTooLong, "too long"),
    ("responses only", 400, error("model x is not accessible via the /chat/completions endpoint"), ModelMisconfigured, "openai-responses"),
    ("gateway card", 403, error("AI Gateway requires a valid credit card on file to service requests."), ModelKeyRejected, "credit"),
    ("ark model", 404, error("Your account 2100 has not activated the model x.", code="ModelNotOpen"), ModelMisconfigured, "account"),
    ("sambanova call", 400, error("Model did not output valid JSON for tool call"), ModelBadAnswer, "JSON"),
    ("cohere month", 429, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}, ModelKeyRejected, "credit"),
    ("volc limit", 429, error("Your account has reached the set inference limit for the [x] model."), ModelKeyRejected, "credit"),
    ("databricks key", 403, {"error_code": "PERMISSION_DENIED", "message": "Invalid Token"}, ModelKeyRejected, "key"),
    ("databricks within", 400, {"error_code": "BAD_REQUEST", "message": '{"external_model_provider": "x", "external_model_error": {"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}}'}, ModelTooLong, "210000"),
    ("bedrock form", 400, {"message": "Model use case details have not been submitted for this account."}, ModelMisconfigured, "account"),
    ("litellm window", 400, error("litellm.ContextWindowExceededError: litellm.BadRequestError: x"), ModelTooLong, "too long"),
    ("litellm tools", 400, error("litellm.UnsupportedParamsError: x does not support parameters: ['tools'], for model=x."), ModelMisconfigured, "tools"),
    ("litellm access", 401, error("key not allowed to access model. This key can only access models=['a'].", type="key_model_access_denied"), ModelMisconfigured, "MODEL"),
    ("harmony header", 400, error("unexpected tokens remaining in message header: ['to=functions.x']"), ModelBadAnswer, "header"),
    ("harmony token", 400, error("Unexpected token 12606 while expecting start token 200006"), ModelBadAnswer, "12606"),
    ("tgi length", 422, {"error": "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000"}, ModelTooLong, "too long"),
    ("lm studio unloaded", 400, {"error": "Model unloaded."}, ModelUnavailable, "unloaded"),
    ("lm studio resources", 400, {"error": "Failed to load model. Error: Model loading was stopped due to insufficient system resources."}, ModelMisconfigured, "memory"),
    ("azure operation unsupported", 400, error("The requested operation is unsupported.", code="OperationNotSupported"), ModelMisconfigured, "openai-responses"),
    ("nvidia degraded", 400, {"status": 400, "title": "Bad Request", "detail": "Function id 'x': DEGRADED function cannot be invoked"}, ModelUnavailable, "DEGRADED"),
    ("timed out upstream", 400, error("Request timed out"), ModelUnavailable, "timed out"),
    ("minimax plan", 429, error("usage limit exceeded, 5-hour usage limit reached (2056)"), RateLimited, "rate"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "word"), [case[1:] for case in SENTENCES], ids=[c[0] for c in SENTENCES])  # fmt: skip
def test_the_words_of_a_refusal_decide(status: int, body: Any, kind: type[ModelError], word: str) -> None:
    """Each becomes the error whose reaction helps, with the setting or reason in its sentence; it is free."""
    found = fault_of(read_error_reply(status, json.dumps(body).encode(), {}, 0.0))
    assert type(found) is kind and word in str(found) and found.free


WAITS = [
    ("Rate limit exceeded, retry in 00:01:30", 90.0),
    ("Rate limited until 1970-01-01T00:00:30Z", 30.0),
    ("Rate limit reached. Please try again in 1m2.5s. Visit x", 62.5),
    ("Rate limit reached. Please try again in 17m8.9s. Upgrade", 1028.9),
    ("Please wait 3600 seconds before retrying.", 3600.0),
]


@pytest.mark.parametrize(("words", "seconds"), WAITS)
def test_a_wait_that_a_text_says_is_read(words: str, seconds: float) -> None:
    """As a span, a clock's span or a moment; the time now is 0."""
    found = fault_of(read_error_reply(429, json.dumps(error(words)).encode(), {}, 0.0))
    assert isinstance(found, RateLimited) and found.retry_after_s == pytest.approx(seconds, abs=0.1)


REPAIRS: list[tuple[str, Any, str]] = [
    ("camel case", error("Extra inputs are not permitted, field: 'promptCacheKey', value: 's'"), "fields"),
    ("a place of pydantic's", detail("body", "messages", 2, "assistant", "reasoning_content"), "fields"),
    (
        "minimax's system",
        error("invalid params, chat content has invalid message role: system (2013)"),
        "system",
    ),
    ("cerebras's schema", error("Unsupported JSON schema fields: {'maxLength'}"), "schema"),
    ("a quoted keyword", error("tools.0.parameters: `minimum` is not supported in schema"), "schema"),
]


@pytest.mark.parametrize(("body", "name"), [case[1:] for case in REPAIRS], ids=[c[0] for c in REPAIRS])
def test_a_refusal_that_names_what_to_change_is_learned(body: Any, name: str) -> None:
    """The name may be written in another way than it was sent."""
    fields = frozenset({"prompt_cache_key", "reasoning_content"})
    sent = Sent(16_384, 3_000, fields, tools=True, null_content=True, system=True)
    repaired = learn(Quirks(), read_error_reply(400, json.dumps(body).encode(), {}, 0.0), sent)
    assert repaired is not None and repaired.quirks.repaired == (name,)


def test_words_of_english_are_no_keywords_of_schemas() -> None:
    """A list that is too long has nothing to do with the keyword `maximum`."""
    words = error("Invalid 'tools': array too long. Expected an array with maximum length 128.")
    sent = Sent(16_384, 3_000, tools=True, null_content=True)
    assert learn(Quirks(), read_error_reply(400, json.dumps(words).encode(), {}, 0.0), sent) is None


KEPT = [
    "messages.1.content.0: Invalid `signature` in `thinking` block",
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
    "Thought signature is not valid.",
    "Corrupted thought signature.",
    "The encrypted content gAAA could not be verified.",
    "Item with id 'rs_0' not found. Items are not persisted when `store` is set to false.",
    "Item 'rs_0' of type 'reasoning' was provided without its required following item.",
    "Item 'fc_0' of type 'function_call' was provided without its required 'reasoning' item: 'rs_1'.",
]


@pytest.mark.parametrize("words", KEPT)
def test_kept_data_that_its_endpoint_refuses_is_recognised(words: str) -> None:
    """Not so where it is missing: then a stand-in is sent."""
    assert refuses_kept(words)
    assert not refuses_kept("Function call is missing a thought_signature in functionCall parts.")
    assert not refuses_kept("The reasoning_content in the thinking mode must be passed back to the API.")


async def test_kept_data_that_was_refused_is_left_out_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another key, or another account, cannot read thoughts that were signed for the one before."""
    bodies: list[Mapping[str, Any]] = []

    async def post(_client: Any, _path: str, body: Any, _headers: Any) -> bytes:
        bodies.append(json.loads(b"".join([piece async for piece in body])))
        if "reasoning_content" in bodies[-1]["messages"][1]:
            said = read_error_reply(400, json.dumps(error(KEPT[0])).encode(), {}, 0.0)
            raise Refusal(said)
        answer = {"role": "assistant", "content": "Heard."}
        return json.dumps({"choices": [{"message": answer, "finish_reason": "stop"}]}).encode()

    monkeypatch.setattr(openai_chat, "post", post)
    settings = EngineSettings(_env_file=None, model="m")  # type: ignore[call-arg]
    chat = openai_chat.OpenAIChat(settings, Endpoint("http://127.0.0.1:1/v1", "k"))
    kept = json.dumps(
        {"for": "http://127.0.0.1:1/v1|m", "message": {"reasoning_content": "Hm."}, "calls": []}
    )
    said = ChatMessage("assistant", "I think.", kept=kept)
    request = ChatRequest(1, 1, "boss", (ChatMessage("user", "a"), said, ChatMessage("user", "b")))
    assert [(await chat.complete(request)).text for _ in range(2)] == ["Heard.", "Heard."]
    await chat.close()
    assert ["reasoning_content" in body["messages"][1] for body in bodies] == [True, False, False]
