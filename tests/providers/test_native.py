"""Native APIs on loopback: Anthropic Messages, Google, OpenAI Responses, each as strict as reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tests.providers.stage import Body, Provider, carry_out, refusal

ANTHROPIC = "/v1/messages"
RESPONSES = "/v1/responses"


def next_call(done: list[str]) -> tuple[str, Body]:
    """What a sensible model calls next, by the names of the calls that were answered."""
    if "write_file" not in done:
        return "write_file", {"path": "hello.txt", "content": "hello\n"}
    if "read_file" not in done:
        return "read_file", {"path": "hello.txt"}
    return "finish", {"report": "hello.txt says hello.", "deliverables": ["hello.txt"]}


def blocks(body: Body) -> list[Body]:
    """All content blocks of an Anthropic request."""
    return [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]


def claude(body: Body, number: int) -> Body:
    """Thinks, signs it, calls a tool."""
    name, arguments = next_call([b["name"] for b in blocks(body) if b["type"] == "tool_use"])
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": f"sig{number}"},
            {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": arguments},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 3000, "output_tokens": 50, "cache_read_input_tokens": 1000},
    }


def signed_thoughts(body: Body) -> Any:
    """Anthropic: an answer with thinking comes back with it, signature and all; calls have their results."""
    for message in body["messages"]:
        kinds = [b["type"] for b in message["content"]] if isinstance(message["content"], list) else []
        if "tool_use" in kinds and kinds[0] != "thinking":
            return refusal(400, "Expected `thinking` or `redacted_thinking`, but found `tool_use`.")
        if any(b["type"] == "thinking" and not b.get("signature") for b in message["content"] if "type" in b):
            return refusal(400, "signature: Field required")
    return None


async def test_claude_gets_its_thoughts_back_and_cache_marks(tmp_path: Path) -> None:
    """MODEL=anthropic:… speaks the Messages API, with thinking blocks round and the cache marked."""
    provider = Provider(claude, signed_thoughts, path=ANTHROPIC)
    seen = await carry_out(
        provider, tmp_path, base="", model="anthropic:claude-sonnet-4-5", openai_api_key=SecretStr("ka")
    )
    assert seen.state == "done", seen.words
    assert provider.refused == 0
    assert "cache_control" in str(provider.bodies[0])
    assert "ka" in (provider.headers[0].get("x-api-key") or provider.headers[0]["authorization"])
    assert 0 < seen.cost_micros < 3 * (3000 * 3 + 50 * 15) * 2


async def test_an_empty_anthropic_account_waits_and_names_its_key(tmp_path: Path) -> None:
    """400 with "credit balance is too low" is no refusal of the prompt."""
    told = {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"},
    }
    provider = Provider(lambda body, number: (400, told), path=ANTHROPIC)
    seen = await carry_out(
        provider,
        tmp_path,
        base="",
        model="anthropic:claude-sonnet-4-5",
        until=lambda seen: bool(seen.told),
    )
    assert "ANTHROPIC_API_KEY" in seen.words
    assert "credit" in seen.words
    assert len(provider.bodies) == 1


def gemini(body: Body, number: int) -> Body:
    """Calls a tool with a signed thought."""
    done = [p["functionCall"]["name"] for c in body["contents"] for p in c["parts"] if "functionCall" in p]
    name, arguments = next_call(done)
    part = {"functionCall": {"name": name, "args": arguments}, "thoughtSignature": "c2lnbmVk"}
    return {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 3000, "candidatesTokenCount": 50, "totalTokenCount": 3050},
        "modelVersion": "gemini-3-pro-preview",
        "responseId": f"r{number}",
    }


def signed_calls(body: Body) -> Any:
    """Google: each call of an earlier answer has its signature."""
    for content in body["contents"]:
        for part in content["parts"]:
            if "functionCall" in part and not part.get("thoughtSignature"):
                return 400, [
                    {"error": {"code": 400, "message": "Function call is missing a thought_signature"}}
                ]
    return None


async def test_gemini_gets_its_signatures_back(tmp_path: Path) -> None:
    """MODEL=google:… speaks Google's own API."""
    path = "/v1beta/models/gemini-3-pro-preview:generateContent"
    provider = Provider(gemini, signed_calls, path=path)
    seen = await carry_out(provider, tmp_path, base="", model="google:gemini-3-pro-preview")
    assert seen.state == "done", seen.words
    assert provider.refused == 0


def responses(body: Body, number: int) -> Body:
    """Reasons, then calls a function."""
    done = [item["name"] for item in body["input"] if item.get("type") == "function_call"]
    name, arguments = next_call(done)
    reasoning = {
        "type": "reasoning",
        "id": f"rs_{number}",
        "summary": [],
        "encrypted_content": f"enc{number}",
    }
    call = {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": name,
        "arguments": json.dumps(arguments),
        "status": "completed",
    }
    usage = {
        "input_tokens": 3000,
        "output_tokens": 50,
        "total_tokens": 3050,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 20},
    }
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "model": "gpt-5.6",
        "status": "completed",
        "output": [reasoning, call],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }


def reasoned_calls(body: Body) -> Any:
    """OpenAI: a call stands after the reasoning it came with."""
    items = body["input"]
    for before, item in zip([{}, *items], items, strict=False):
        if item.get("type") == "function_call" and before.get("type") != "reasoning":
            return refusal(
                400, "Item of type 'function_call' was provided without its required 'reasoning' item"
            )
    return None


async def test_responses_gets_its_reasoning_back(tmp_path: Path) -> None:
    """MODEL=openai-responses:… lets OpenAI's current models think with tools."""
    provider = Provider(responses, reasoned_calls, path=RESPONSES)
    seen = await carry_out(provider, tmp_path, model="openai-responses:gpt-5.6")
    assert seen.state == "done", seen.words
    assert provider.refused == 0
