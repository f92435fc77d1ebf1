"""Answers in the form of another API than was asked, as gateways pass them through; pure.

Anthropic's Messages, OpenAI's Responses, Gemini's candidates, Bedrock's Converse, and the own APIs of Ollama,
Cohere, KoboldCpp and Hugging Face: each as one choice of Chat Completions, unread beyond that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_OF_RESPONSES = {"function_call": "tool_use", "custom_tool_call": "tool_use"}


def choice_of_other_api(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the answer of a body as a choice; None where it is in no known form."""
    output = body.get("output")
    if isinstance(output, list) and body.get("object") == "response":
        return _of_responses(body, output)
    message = next((one for one in _messages(body) if isinstance(one, dict)), None)
    if message is not None:
        return {"message": message, "finish_reason": _finish(body)}
    text = body.get("response") if "done" in body else None  # Ollama's generate
    text = text or _first(body.get("results")).get("text") or body.get("generated_text")
    return {"text": text, "finish_reason": _finish(body)} if isinstance(text, str) else None


def _messages(body: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what may be the message of a body, in each form."""
    message, output = body.get("message"), body.get("output")
    yield message if isinstance(message, dict) and "role" in message else None  # Ollama, Cohere
    if body.get("role") == "assistant" and isinstance(body.get("content"), list):  # Anthropic
        yield {"content": body["content"]}
    yield output.get("message") if isinstance(output, dict) else None  # Bedrock
    candidate = _first(body.get("candidates"))
    if "content" in candidate or "finishReason" in candidate:  # Gemini
        yield {"content": candidate.get("content")}


def _finish(body: Mapping[str, Any]) -> Any:
    names = ("finish_reason", "done_reason", "stop_reason", "stopReason")
    said = next((body[name] for name in names if body.get(name)), None)
    return said or _first(body.get("candidates")).get("finishReason")


def _of_responses(body: Mapping[str, Any], output: list[Any]) -> Mapping[str, Any]:
    """Return the items of a response as parts of one message."""
    parts: list[Any] = []
    for item in (one for one in output if isinstance(one, dict)):
        kind = str(item.get("type"))
        if kind in _OF_RESPONSES:
            parts.append({**item, "type": _OF_RESPONSES[kind], "id": item.get("call_id") or item.get("id")})
        elif isinstance(item.get("content"), list) and kind != "reasoning":
            parts += item["content"]
    why = body.get("incomplete_details")
    reason = why.get("reason") if isinstance(why, dict) else None
    failed = "error" if body.get("status") in ("failed", "cancelled") else None
    return {"message": {"content": parts}, "finish_reason": reason or failed}


def _first(listed: Any) -> Mapping[str, Any]:
    found = listed[0] if isinstance(listed, list) and listed else None
    return found if isinstance(found, dict) else {}
