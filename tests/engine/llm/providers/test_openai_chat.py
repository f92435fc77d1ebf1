"""The chat adapter over the real SDK against an endpoint that does everything wrong."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from engine.errors import (
    ModelError,
    ModelKeyRejected,
    ModelMisconfigured,
    ModelRefused,
    ModelUnavailable,
    NotConfigured,
)
from engine.llm.faults import RateLimited, UnusableAnswer
from engine.llm.providers.openai_chat import OpenAIChat
from engine.ports import ChatMessage, ToolCall, ToolSpec, Usage
from engine.settings import Price
from tests.engine.llm.conftest import request_with, settings_with
from tests.fakes import model_endpoint as fake
from tests.fakes.model_endpoint import ModelEndpoint, answer, says

MakeChat = Callable[..., OpenAIChat]

WRITE = ToolSpec("write_file", "Write a file", {"type": "object", "properties": {"path": {"type": "string"}}})


def called(arguments: Any, name: Any = "write_file", identity: Any = "c1") -> dict[str, Any]:
    """A message that calls a tool."""
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"id": identity, "type": "function", "function": function}]}


async def test_request_carries_messages_tools_and_limit(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """What goes out is Chat Completions as documented, history with tool calls included."""
    history = (
        ChatMessage("system", "rules"),
        ChatMessage("user", "go"),
        ChatMessage("assistant", "", (ToolCall("a", "write_file", "{}"),)),
        ChatMessage("tool", "done", tool_call_id="a"),
    )
    request = request_with(tools=(WRITE,), max_tokens=99)
    await chat_at(model="m1").complete(type(request)(1, 7, "member", history, (WRITE,), max_tokens=99))
    (body,) = endpoint.bodies
    assert body["model"] == "m1"
    assert body["max_tokens"] == 99
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool"]
    assert body["messages"][2]["tool_calls"][0]["function"] == {"name": "write_file", "arguments": "{}"}
    assert body["messages"][3]["tool_call_id"] == "a"
    assert body["tools"][0]["function"]["name"] == "write_file"


async def test_a_small_limit_is_kept_where_the_window_is_known(
    endpoint: ModelEndpoint, chat_at: MakeChat
) -> None:
    """What an answer gets at least is for a window that is nearly full, not for who asks for a few words."""
    chat = chat_at(model="m1", model_context_tokens=8_000)
    await chat.complete(request_with(max_tokens=8))
    await chat.complete(request_with("word " * 9_000, max_tokens=900))
    assert [body["max_tokens"] for body in endpoint.bodies] == [8, 256]


async def test_each_role_may_have_its_model(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """MODEL_BOSS is asked for the boss only."""
    chat = chat_at(model="small", model_boss="big")
    await chat.complete(request_with(role="boss"))
    await chat.complete(request_with(role="member"))
    assert [body["model"] for body in endpoint.bodies] == ["big", "small"]


async def test_parallel_calls_come_back_raw(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """Several calls in one answer, broken JSON among them, pass through as the model wrote them."""
    calls = called('{"path": "a"}')["tool_calls"] + called('{"path": ', identity="c2")["tool_calls"]
    endpoint.then = says(answer(None, message={"tool_calls": calls}, finish_reason="tool_calls"))
    got = await chat_at().complete(request_with(tools=(WRITE,)))
    assert [(call.id, call.arguments) for call in got.tool_calls] == [
        ("c1", '{"path": "a"}'),
        ("c2", '{"path": '),
    ]
    assert got.text == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (None, "{}"),
        ({"path": "a"}, '{"path": "a"}'),
        ('{"t": "\\ud800x"}', '{"t": "\ufffdx"}'),
        ('{"t": "a\\u0000b"}', '{"t": "a\ufffdb"}'),
        ('{"t": "\\ud83d\\ude00"}', '{"t": "😀"}'),
        ("not json \\ud800", "not json \\ud800"),
    ],
)
async def test_odd_arguments_become_storable_text(
    endpoint: ModelEndpoint, chat_at: MakeChat, arguments: Any, expected: str
) -> None:
    """Objects, nothing, and escapes no database takes become text any database takes."""
    endpoint.then = says(answer(None, message=called(arguments)))
    (call,) = (await chat_at().complete(request_with())).tool_calls
    assert call.arguments == expected


async def test_calls_without_or_with_equal_ids_get_their_own(
    endpoint: ModelEndpoint, chat_at: MakeChat
) -> None:
    """Results are distinguished even if the endpoint does not number its calls."""
    calls = [called("{}", identity=identity)["tool_calls"][0] for identity in (None, "", "same", "same")]
    endpoint.then = says(answer(None, message={"tool_calls": calls}))
    got = await chat_at().complete(request_with())
    assert len({call.id for call in got.tool_calls}) == 4


async def test_surrogates_and_nul_are_made_storable(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """Text with lone surrogates or NUL can be stored; surrogates we send do not break the request."""
    endpoint.then = says(answer("a\ud800b\0c\ud83d\ude00"))
    got = await chat_at().complete(request_with("mine \ud800"))
    assert got.text == "a\ufffdb\ufffdc😀"
    assert endpoint.bodies[0]["messages"][0]["content"] == "mine ?"


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}},
            Usage(9, 5, 2),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}, Usage(9, 4, 2)),
    ],
)
async def test_usage_is_the_providers(
    endpoint: ModelEndpoint, chat_at: MakeChat, usage: Any, expected: Usage
) -> None:
    """OpenAI's and DeepSeek's cache fields are read, nonsense counts nothing."""
    endpoint.then = says(answer(usage=usage))
    assert (await chat_at().complete(request_with())).usage == expected


async def test_cached_input_is_priced_apart(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """60 new, 40 cached and 10 written tokens cost what the price list says."""
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 40}}
    endpoint.then = says(answer(usage=usage, model="own"))
    got = await chat_at(model_prices={"own": Price(input=2, output=8, cached=0.5)}).complete(request_with())
    assert got.cost_micros == 60 * 2 + 40 * 0.5 + 10 * 8


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": "many", "completion_tokens": -3}])
async def test_what_is_not_counted_is_estimated(
    endpoint: ModelEndpoint, chat_at: MakeChat, usage: Any
) -> None:
    """An endpoint that counts nothing, or nonsense, does not make calls free."""
    endpoint.then = says(answer("word " * 300, usage=usage))
    got = await chat_at().complete(request_with("hello " * 1000))
    assert got.usage.estimated
    assert 1_500 < got.usage.prompt < 3_000
    assert 300 < got.usage.completion < 700
    assert got.cost_micros


async def test_a_providers_own_figure_counts(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """OpenRouter says in dollars what a call cost; that is what was paid."""
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "cost": 0.0123}
    endpoint.then = says(answer(usage=usage))
    assert (await chat_at().complete(request_with())).cost_micros == 12_300


async def test_an_unknown_price_is_a_ceiling_and_said_once(
    endpoint: ModelEndpoint, chat_at: MakeChat
) -> None:
    """A model nobody knows counts at the stated ceiling, never as nothing; that is said one time."""
    endpoint.then = says(answer(model="nobody-knows"))
    said: list[str] = []
    chat = chat_at(said, model="nobody-knows")
    answers = [await chat.complete(request_with()) for _ in range(3)]
    assert [(got.cost_micros, got.guessed) for got in answers] == [(100 * 5 + 10 * 25, True)] * 3
    assert len(said) == 1
    assert "nobody-knows" in said[0]
    assert "MODEL_PRICES" in said[0]


async def test_without_a_price_nothing_is_asked_where_the_operator_wants_so(
    endpoint: ModelEndpoint, chat_at: MakeChat
) -> None:
    """MODEL_UNPRICED=refuse: not one token is spent on a model without a price."""
    with pytest.raises(ModelMisconfigured, match="MODEL_PRICES"):
        await chat_at(model="nobody-knows", model_unpriced="refuse").complete(request_with())
    assert endpoint.bodies == []


async def test_local_endpoint_is_free_and_gets_the_agent(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """The embedded model costs nothing and gets the agent's name; other endpoints do not."""
    got = await chat_at(local=True).complete(request_with())
    await chat_at().complete(request_with())
    assert got.cost_micros == 0
    assert [headers.get("x-agent") for headers in endpoint.headers] == ["1.7", None]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (says({"error": {"message": "bad key"}}, 401), ModelKeyRejected),
        (says({"error": {"message": "not yours"}}, 403), ModelKeyRejected),
        (says({"error": {"message": "pay"}}, 402), ModelKeyRejected),
        (says({"error": {"message": "x", "code": "insufficient_quota"}}, 429), ModelKeyRejected),
        (says({"error": {"message": "slow down"}}, 429), RateLimited),
        (says({"error": {"message": "slow down", "code": 429}}), RateLimited),
        (says({"error": {"message": "too long", "code": "context_length_exceeded"}}, 400), ModelRefused),
        (says({"error": "no such model"}, 404), ModelMisconfigured),
        (says(b"too large", 413), ModelRefused),
        (says({"detail": []}, 422), ModelRefused),
        (says(b"<html>oops", 500), ModelUnavailable),
        (says(b"", 503), ModelUnavailable),
        (says({"error": {"message": "overloaded"}}, 529), ModelUnavailable),
        (says({"error": {"message": "oops"}}), ModelUnavailable),
        (says(b"<html>a captive portal</html>"), UnusableAnswer),
        (says(b""), UnusableAnswer),
        (says(b"[" * 100_000), UnusableAnswer),
        (says([1, 2]), UnusableAnswer),
        (says({}), UnusableAnswer),
        (says(answer(choices=[])), UnusableAnswer),
        (says(answer(choices=None)), UnusableAnswer),
        (says(answer(choices=["text"])), UnusableAnswer),
        (says(answer(None, finish_reason="content_filter")), ModelRefused),
        (says(gzip.compress(b"x" * 9_000_000_0), content_encoding="gzip"), UnusableAnswer),
        (fake.drops, ModelUnavailable),
        (fake.stops_half_way, ModelUnavailable),
        (fake.hangs, ModelUnavailable),
        (fake.never_ends, ModelUnavailable),
    ],
)
async def test_faults_become_engine_errors(
    endpoint: ModelEndpoint, chat_at: MakeChat, reply: fake.Reply, kind: type[ModelError]
) -> None:
    """Whatever an endpoint does wrong comes out as the engine error that says what to do."""
    endpoint.then = reply
    with pytest.raises(kind) as caught:
        await chat_at(model_timeout_s=1.0).complete(request_with())
    assert str(caught.value).endswith(".")


async def test_nobody_listening_is_unavailable(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """A refused connection is a reason to try again, said in words: no library's, number or address."""
    chat = chat_at()
    await endpoint.stop()
    with pytest.raises(ModelUnavailable, match=r"failed \(Connection refused\)\. Try again") as refused:
        await chat.complete(request_with())
    assert "127.0.0.1" not in str(refused.value) and "Errno" not in str(refused.value)


@pytest.mark.parametrize(
    ("body", "text", "finish"),
    [
        (answer(None), "", "stop"),
        (answer(None, message={"refusal": "I will not."}), "I will not.", "refusal"),
        (answer([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), "ab", "stop"),  # type: ignore[arg-type]
        (answer("x" * 300_000), "x" * 200_000, "length"),
        (answer("ok", finish_reason=None), "ok", "stop"),
        (answer("ok", message={"tool_calls": "none"}), "ok", "stop"),
        (answer("ok", message={"tool_calls": [None, 3]}), "ok", "stop"),
        ({"choices": [{}]}, "", "stop"),
        ({"choices": [{"message": None}]}, "", "stop"),
    ],
)
async def test_odd_answers_are_still_answers(
    endpoint: ModelEndpoint, chat_at: MakeChat, body: Any, text: str, finish: str
) -> None:
    """Null content, refusals, parts, overlong text and missing fields come out as plain answers."""
    endpoint.then = says(body)
    got = await chat_at().complete(request_with())
    assert (got.text, got.finish_reason, got.tool_calls) == (text, finish, ())


async def test_wrong_encoding_is_read_with_replacements(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """Latin-1 in a body that should be UTF-8 loses a character, not the answer."""
    raw = json.dumps(answer("café"), ensure_ascii=False).encode("latin-1")
    endpoint.then = says(raw)
    assert (await chat_at().complete(request_with())).text == "caf\ufffd"


async def test_two_megabyte_argument_is_cut(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """A huge argument is capped and marked, so that the tool can say it was too long."""
    endpoint.then = says(answer(None, message=called(json.dumps({"content": "y" * 2_000_000}))))
    got = await chat_at().complete(request_with())
    assert len(got.tool_calls[0].arguments) == 1_000_000
    assert got.finish_reason == "length"


async def test_unsupported_limit_name_is_changed_once(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """An endpoint that wants max_completion_tokens gets it, said once, with no call lost."""
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    endpoint.replies = [says({"error": {"message": message}}, 400)]
    said: list[str] = []
    chat = chat_at(said)
    assert (await chat.complete(request_with())).text == "hello"
    await chat.complete(request_with())
    assert ["max_tokens" in body for body in endpoint.bodies] == [True, False, False]
    assert len(said) == 1


async def test_cancellation_passes_through(endpoint: ModelEndpoint, chat_at: MakeChat) -> None:
    """Stopping a turn stops its call: cancellation is no model error."""
    endpoint.then = fake.hangs
    call = asyncio.create_task(chat_at().complete(request_with()))
    await endpoint.reached.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_quote_is_above_what_is_used(chat_at: MakeChat) -> None:
    """The reservation counts text, tools, history and the whole answer."""
    chat = chat_at(model="gpt-4o-mini")
    bare = chat.quote(request_with("word " * 300, max_tokens=10))
    full = chat.quote(request_with("word " * 300, max_tokens=10, tools=(WRITE,)))
    assert bare.tokens >= 300 + 10
    assert full.tokens > bare.tokens
    assert full.cost_micros > 0


async def test_quote_counts_bytes_of_other_scripts(chat_at: MakeChat) -> None:
    """A Chinese character is about a token and is quoted as at least one."""
    assert chat_at().quote(request_with("棋" * 100, max_tokens=1)).tokens >= 101


def test_no_key_and_no_url_is_not_configured() -> None:
    """Without anything to talk to the message names what to set."""
    with pytest.raises(NotConfigured, match="OPENAI_API_KEY"):
        OpenAIChat(settings_with(openai_api_key=SecretStr("")))


@pytest.mark.parametrize(("reply", "words"), [(fake.drops, "connection"), (fake.hangs, "MODEL_TIMEOUT_S")])
async def test_lost_connections_are_distinguished_from_timeouts(
    endpoint: ModelEndpoint, chat_at: MakeChat, reply: fake.Reply, words: str
) -> None:
    """People read what happened, not the SDK's word for everything."""
    endpoint.then = reply
    with pytest.raises(ModelUnavailable, match=words):
        await chat_at(model_timeout_s=0.5).complete(request_with())
