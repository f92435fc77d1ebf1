# ruff: noqa: E501 - one answer a line, as it is sent
"""Answers in every shape that endpoints are known or likely to send, streams nobody asked for among them."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from engine.errors import ModelError, ModelKeyRejected, ModelMisconfigured, ModelTooLong, ModelUnavailable
from engine.llm.faults import RateLimited, UnusableAnswer, fault_of, read_error_reply
from engine.llm.prices import Rates, Tier, cost_micros
from engine.llm.providers.answers import parse_answer
from engine.ports import ToolCall, Usage
from tests.engine.llm.conftest import request_with
from tests.engine.llm.providers.test_openai_chat import MakeChat
from tests.fakes.model_endpoint import ModelEndpoint, says

CALL = {"id": "1", "function": {"name": "write", "arguments": '{"a": 1}'}}
MADE = ToolCall("1", "write", '{"a": 1}')
END = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}


def body(content: Any = None, finish: Any = "stop", **message: Any) -> dict[str, Any]:
    """An answer with a message."""
    return {"choices": [{"message": {"content": content, **message}, "finish_reason": finish}]}


def delta(**fields: Any) -> dict[str, Any]:
    """A chunk of a stream."""
    return {"choices": [{"index": 0, "delta": fields}]}


def piece(**fields: Any) -> dict[str, Any]:
    """A chunk with a piece of a call."""
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return delta(tool_calls=[{**fields, "function": function}])


def events(*chunks: Any, done: bool = True, ends: str = "\n\n") -> bytes:
    """Server-sent events."""
    lines = [f"data: {json.dumps(chunk)}{ends}" for chunk in chunks]
    return "".join([*lines, *([f"data: [DONE]{ends}"] if done else [])]).encode()


def raw(value: Any) -> bytes:
    """JSON."""
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("sent", "text", "calls"),
    [
        (raw(body([{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": "hi"}])), "hi", ()),
        (raw(body({"type": "text", "text": "hi"})), "hi", ()),
        (raw(body([{"type": "output_text", "text": "hi"}], "end_turn")), "hi", ()),
        (raw(body([{"type": "tool_use", "id": "1", "name": "write", "input": {"a": 1}}])), "", (MADE,)),
        (raw(body(None, "tool_use", tool_calls=CALL)), "", (MADE,)),
        (raw(body(None, None, tool_calls=json.dumps([CALL]))), "", (MADE,)),
        (raw({"choices": [{"delta": {"content": "hi"}, "finish_reason": "eos"}]}), "hi", ()),
        (raw({"choices": [{"text": "hi"}]}), "hi", ()),
        (raw({"message": {"role": "assistant", "content": "hi"}, "done": True}), "hi", ()),
        (b"\xef\xbb\xbf" + raw(body("hi")), "hi", ()),
        (json.dumps(body("hi")).encode("utf-16"), "hi", ()),
        (b": PROCESSING\n\n: PROCESSING\n\n" + raw(body("hi")), "hi", ()),
        (raw(body("hi")) + b"\n[DONE]\n", "hi", ()),
        (b"\n".join(map(raw, (delta(content="h"), delta(content="i"), END))), "hi", ()),
        (events(delta(role="assistant", content="h"), delta(role="assistant", content="i")), "hi", ()),
        (events(delta(content="h"), delta(content="i"), END, done=False, ends="\r\n\r\n"), "hi", ()),
        (events(delta(content="h"), delta(content=[{"type": "text", "text": "i"}])), "hi", ()),
        (
            events({"choices": ["x"]}, {"choices": None}, delta(tool_calls="none"), delta(content="hi")),
            "hi",
            (),
        ),
        (events(piece(id="1", name="write", arguments='{"a"'), piece(arguments=": 1}"), END), "", (MADE,)),
        (
            events(
                piece(index=0, id="1", name="write", arguments=""),
                piece(index=0, id=None, name=None, arguments='{"a": 1}'),
            ),
            "",
            (MADE,),
        ),
        (
            events(
                piece(index=0, id="1", name="write", arguments='{"a"'),
                piece(index=0, id="1", name="write", arguments=": 1}"),
            ),
            "",
            (MADE,),
        ),
        (events(piece(id="1", name="write", arguments={"a": 1}), END), "", (MADE,)),
        (
            events(piece(id="1", **CALL["function"]), piece(id="2", name="list", arguments="{}"), END),  # type: ignore[arg-type]
            "",
            (MADE, ToolCall("2", "list", "{}")),
        ),
    ],
)
def test_answers_of_any_shape_are_read(sent: bytes, text: str, calls: tuple[ToolCall, ...]) -> None:
    """Parts, single calls, calls among parts, other names for things, marks, comments, and streams."""
    got = parse_answer(sent, "m", "o")
    assert (got.text, got.tool_calls) == (text, calls)


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (events(piece(index=0, id="1", name="write", arguments='{"a": '), done=False), UnusableAnswer),
        (events(delta(content="h"), done=False) + b'data: {"cho', UnusableAnswer),
        (events(piece(id="1", name="write", arguments="{"), {"error": {"message": "gone", "code": 502}}), ModelUnavailable),
        (events({"error": {"message": "slow down", "code": 429}}), RateLimited),
        (raw({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": None}), ModelKeyRejected),
        (raw({"base_resp": {"status_code": 1004, "status_msg": "login fail: carry the API secret key"}}), ModelKeyRejected),
        (raw({"code": 1302, "msg": "您当前使用该API的并发数过高", "success": False}), RateLimited),
        (raw({"code": "InvalidApiKey", "message": "Invalid API-key provided."}), ModelKeyRejected),
        (raw({"detail": "Model not found"}), ModelMisconfigured),
        (raw({"errors": [{"message": "Too many requests", "code": 429}], "success": False}), RateLimited),
        (raw({"object": "error", "message": "The model `x` does not exist.", "code": 404}), ModelMisconfigured),
        (raw({"id": "1", "object": "chat.completion", "choices": [], "status": "x"}), UnusableAnswer),
    ],
)  # fmt: skip
def test_what_is_no_answer_says_why(sent: bytes, kind: type[ModelError]) -> None:
    """A stream that broke off is never half an answer; an error in a 200 is the error it says."""
    with pytest.raises(kind) as caught:
        parse_answer(sent, "m", "o")
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (403, "<html><title>Attention Required! | Cloudflare</title></html>", ModelMisconfigured),
        (403, "error code: 1020", ModelMisconfigured),
        (407, "Proxy Authentication Required", ModelMisconfigured),
        (403, {"message": "Forbidden"}, ModelKeyRejected),
        (498, "capacity exceeded", ModelUnavailable),
        (424, {"error": "inference failed"}, ModelUnavailable),
        (404, {"error": {"message": "models/x is not found for API version v1beta."}}, ModelMisconfigured),
        (400, {"message": "max_tokens must be at least 1, got -200"}, ModelTooLong),
    ],
)
def test_errors_name_what_to_change(status: int, said: Any, kind: type[ModelError]) -> None:
    """A firewall is no rejected key, a failed server no bad request."""
    error = fault_of(read_error_reply(status, said, {}, 0.0))
    assert type(error) is kind
    assert ("key" in str(error)) == (kind is ModelKeyRejected)


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": "100", "completion_tokens": "10"}, Usage(100, 0, 10)),
        ({"prompt_tokens": 50, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 900}}, Usage(950, 900, 1)),
        ({"input_tokens": 50, "output_tokens": 1, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 30}, Usage(980, 900, 1, 30)),
        ({"input_tokens": 50, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 40}}, Usage(50, 40, 1)),
    ],
)  # fmt: skip
def test_what_is_counted_apart_is_counted(usage: Any, counted: Usage) -> None:
    """Cached and written input costs something even where the prompt's count leaves it out."""
    got = parse_answer(raw(body("hi") | {"usage": usage}), "m", "o").usage
    assert got == counted
    assert cost_micros(Rates((Tier(0, 1.0, 1.0, 0.1, 1.25),)), got) > 0


@pytest.mark.parametrize(
    "sent",
    [
        {"choices": [{"message": {"content": "hi"}, "usage": {"prompt_tokens": 5, "completion_tokens": 1}}]},
        {**body("hi"), "x_groq": {"usage": {"prompt_tokens": 5, "completion_tokens": 1}}},
    ],
)
def test_usage_is_found_wherever_it_stands(sent: Any) -> None:
    """In the choice, or in a field of the provider's own."""
    assert parse_answer(raw(sent), "m", "o").usage == Usage(5, 0, 1)


async def test_a_zipped_error_is_read(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """Also where no compression was asked for."""
    said = gzip.compress(raw({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}))
    endpoint.then = says(said, 401, content_encoding="gzip")
    with pytest.raises(ModelKeyRejected, match="Incorrect API key provided"):
        await chat_at().complete(request_with())


async def test_a_model_that_only_streams_is_asked_for_streams(
    endpoint: ModelEndpoint, chat_at: MakeChat
) -> None:
    """One refusal teaches it; usage comes with the stream, and is counted."""
    told = {"error": {"message": "This model only support stream mode, please enable the stream parameter."}}
    endpoint.replies = [says(told, 400)]
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
    endpoint.then = says(events(delta(content="he"), delta(content="llo"), usage))
    chat = chat_at()
    answers = [await chat.complete(request_with()) for _ in range(2)]
    assert [(got.text, got.usage) for got in answers] == [("hello", Usage(7, 0, 2))] * 2
    assert [sent.get("stream") for sent in endpoint.bodies] == [None, True, True]
