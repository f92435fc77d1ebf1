# ruff: noqa: E501 - one answer a line, as it is sent
"""Answers in forms that gateways, streams and other APIs give them: each through the real adapter on loopback.

Named by who is publicly reported to send them, or by what they are; none was tried on the real service.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ModelBadAnswer, ModelError, ModelRefused
from engine.llm.faults import UnusableAnswer
from tests.providers.stage import Body, call
from tests.providers.test_habits import COUNTED, MADE, WROTE, ask, saying, told

GIVEN = {"path": "a", "content": "b"}
TEXT = json.dumps(GIVEN)
FUNCTION = {"name": "write_file", "arguments": TEXT}
HI: tuple[str, list[Any]] = ("hi", [])
BOTH: tuple[str, list[Any]] = ("hi", MADE[1])
TWO: tuple[str, list[Any]] = ("", [*MADE[1], ("list_files", {})])


def choice(**fields: Any) -> Body:
    """An answer with a choice of these fields."""
    return {"choices": [fields], "usage": COUNTED}


def calls(*made: Any, finish: str = "tool_calls") -> Body:
    """An answer with calls as they are given."""
    return told(None, list(made), finish)


def function(**fields: Any) -> Body:
    """An answer with one call of these fields."""
    return calls({"id": "1", "type": "function", "function": fields})


def chunk(finish: str | None = None, **delta: Any) -> Body:
    """A chunk of a stream."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def piece(index: Any = 0, identity: str | None = None, **fields: Any) -> Body:
    """A chunk with a piece of a call."""
    return chunk(tool_calls=[{"index": index, "id": identity, "function": fields}])


def stream(*chunks: Body) -> str:
    """Server-sent events that nobody asked for."""
    last = {"choices": [], "usage": COUNTED}
    return "".join(f"data: {json.dumps(each)}\n\n" for each in (*chunks, last)) + "data: [DONE]\n\n"


def lines(*chunks: Body) -> str:
    """One JSON object a line."""
    return "\n".join(json.dumps(each) for each in chunks)


OLLAMA = {"prompt_eval_count": 1_000, "eval_count": 50}
GEMINI = {"promptTokenCount": 1_000, "candidatesTokenCount": 50}
MESSAGES = {"input_tokens": 1_000, "output_tokens": 50}
SHAPES: dict[str, tuple[Any, tuple[str, list[Any]]]] = {
    "a text and no message": (choice(message=None, text="hi", finish_reason="stop"), HI),
    "a message that is a text": (choice(message="hi", finish_reason="stop"), HI),
    "a list of messages": (choice(messages=[{"role": "assistant", "content": "hi"}]), HI),
    "one choice without a list": ({"choices": {"message": {"content": "hi"}}, "usage": COUNTED}, HI),
    "choices by number": ({"choices": {"0": {"message": {"content": "hi"}}}, "usage": COUNTED}, HI),
    "a line end in a text": ('{"choices": [{"message": {"content": "h\ni"}}], "usage": ' + json.dumps(COUNTED) + "}", ("h\ni", [])),
    "JSON inside data": ({"code": 200, "data": json.dumps(told())}, HI),
    "JSON inside body": ({"statusCode": 200, "body": json.dumps(told())}, HI),
    "no error": (told() | {"error": {}}, HI),
    "an error of zero": (told() | {"error": {"code": 0, "message": "ok"}}, HI),
    "content in content": (told({"role": "assistant", "content": "hi"}), HI),
    "content in a part": (told([{"type": "text", "content": "hi"}]), HI),
    "Gemini's parts": (told({"parts": [{"text": "Hm.", "thought": True}, {"text": "hi"}]}), HI),
    "a part of thoughts": (told([{"type": "thought", "text": "Hm."}, {"type": "text", "text": "hi"}]), HI),
    "databricks' thoughts": (told([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}, {"type": "text", "text": "hi"}]), HI),
    "a number": (told(5), ("5", [])),
    "JSON that became an object": (told({"result": "hi"}), ('{"result": "hi"}', [])),
    "a call that became an object": (told({"name": "write_file", "arguments": GIVEN}), MADE),
    "a function as JSON text": (told(None, function_call=json.dumps(FUNCTION)), MADE),
    "a function beside an empty list": (told(None, finish="function_call", tool_calls=[], function_call=FUNCTION), MADE),
    "calls by number": (told(None, tool_calls={"0": WROTE}), MADE),
    "calls in a list of lists": (calls([WROTE]), MADE),
    "a null among the calls": (calls(None, WROTE), MADE),
    "an empty call beside": (calls(call("", ""), WROTE), MADE),
    "a nameless call beside": (calls({"id": "0", "function": {"name": None, "arguments": None}}, WROTE), MADE),
    "toolCalls": (told(None, toolCalls=[WROTE]), MADE),
    "tool_call": (told(None, tool_call=WROTE), MADE),
    "calls beside the message": (choice(message={"content": None}, tool_calls=[WROTE]), MADE),
    "a whole function as text": (calls({"id": "1", "function": json.dumps(FUNCTION)}), MADE),
    "args": (calls({"id": "1", "name": "write_file", "args": GIVEN}), MADE),
    "input beside empty arguments": (function(name="write_file", arguments="", input=GIVEN), MADE),
    "arguments beside the function": (calls({"id": "1", "function": {"name": "write_file"}, "arguments": TEXT}), MADE),
    "arguments in a list": (function(name="write_file", arguments=[GIVEN]), MADE),
    "fireworks' GLM": (function(name="list_files</arg_value>", arguments="{}"), ("", [("list_files", {})])),
    "GLM's arguments in the name": (function(name="write_file<arg_key>path</arg_key><arg_value>a</arg_value><arg_key>content</arg_key><arg_value>b</arg_value>", arguments="{}"), MADE),
    "arguments in the name": (function(name=f"write_file{TEXT}", arguments=""), MADE),
    "a call in the name": (function(name=json.dumps({"name": "write_file"}), arguments=TEXT), MADE),
    "a name said twice": (function(name="write_filewrite_file", arguments=TEXT), MADE),
    "two calls in one": (function(name="write_filelist_files", arguments=TEXT + "{}"), TWO),
    "arguments by the tool's name": (function(name="write_file", arguments={"write_file": GIVEN}), MADE),
    "arguments in tags": (function(name="write_file", arguments="<parameter=path>a</parameter><parameter=content>b</parameter>"), MADE),
    "GLM's tags": (function(name="write_file", arguments="<arg_key>path</arg_key><arg_value>a</arg_value><arg_key>content</arg_key><arg_value>b</arg_value>"), MADE),
    "bedrock's part": (told([{"text": "hi"}, {"toolUse": {"toolUseId": "t", "name": "write_file", "input": GIVEN}}]), BOTH),
    "gemini's part": (told([{"text": "hi"}, {"functionCall": {"name": "write_file", "args": GIVEN}}]), BOTH),
    "anthropic's API": ({"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hi"}, {"type": "tool_use", "id": "t", "name": "write_file", "input": GIVEN}], "stop_reason": "tool_use", "usage": MESSAGES}, BOTH),
    "the responses API": ({"object": "response", "status": "completed", "output": [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm."}]}, {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}, {"type": "function_call", "call_id": "c", **FUNCTION}], "usage": MESSAGES}, BOTH),
    "gemini's API": ({"candidates": [{"content": {"parts": [{"text": "hi"}, {"functionCall": {"name": "write_file", "args": GIVEN}}]}, "finishReason": "STOP"}], "usageMetadata": GEMINI}, BOTH),
    "bedrock's API": ({"output": {"message": {"role": "assistant", "content": [{"text": "hi"}, {"toolUse": {"name": "write_file", "input": GIVEN}}]}}, "stopReason": "tool_use", "usage": MESSAGES}, BOTH),
    "cohere's API": ({"message": {"role": "assistant", "tool_calls": [WROTE]}, "finish_reason": "TOOL_CALL", "usage": {"tokens": MESSAGES}}, MADE),
    "ollama's generate": ({"response": "hi", "done": True, **OLLAMA}, HI),
    "koboldcpp's API": ({"results": [{"text": "hi", "prompt_tokens": 1_000, "completion_tokens": 50}]}, HI),
    "ollama's lines": (lines({"message": {"role": "assistant", "content": "h"}, "done": False}, {"message": {"content": "i"}, "done": False}, {"message": {"content": ""}, "done": True, "done_reason": "stop", **OLLAMA}), HI),
    "data over several lines": ('data: {"choices": [{"delta":\ndata: {"content": "hi"}}]}\n\n' + stream(chunk("stop")), HI),
    "all of it at the end": (stream(chunk(content="h"), chunk(content="i"), choice(index=0, message={"content": "hi"}, finish_reason="stop")), HI),
    "another choice": (stream(chunk(content="hi"), {"choices": [{"index": 1, "delta": {"content": "ho"}}]}, chunk("stop")), HI),
    "one index for all": (stream(piece(0, "1", **FUNCTION), piece(0, "2", name="list_files", arguments="{}"), chunk("tool_calls")), TWO),
    "no index at once": (stream(chunk(tool_calls=[{"function": FUNCTION}, {"function": {"name": "list_files", "arguments": "{}"}}]), chunk("tool_calls")), TWO),
    "no index one by one": (stream(chunk(tool_calls=[{"function": FUNCTION}]), chunk(tool_calls=[{"function": {"name": "list_files", "arguments": "{}"}}]), chunk("tool_calls")), TWO),
    "arguments once more with each piece": (stream(piece(0, "1", name="write_file", arguments=TEXT[:9]), piece(0, "1", arguments=TEXT[:15]), piece(0, "1", arguments=TEXT), chunk("tool_calls")), MADE),
    "a call without a list": (stream(chunk(tool_calls={"index": 0, "id": "1", "function": FUNCTION}), chunk("tool_calls")), MADE),
    "a function in pieces": (stream(chunk(function_call={"name": "write_file", "arguments": ""}), chunk(function_call={"arguments": TEXT}), chunk("function_call")), MADE),
}  # fmt: skip


@pytest.mark.parametrize(("said", "wanted"), SHAPES.values(), ids=SHAPES)
async def test_an_answer_is_read_in_any_form(
    said: Any, wanted: tuple[str, list[Any]], tmp_path: Path
) -> None:
    """With its tokens as they are counted there."""
    got = await ask(saying(said), tmp_path)
    assert (got.text, [(made.name, json.loads(made.arguments)) for made in got.tool_calls]) == wanted
    assert (got.usage.prompt, got.usage.completion, got.usage.estimated) == (1_000, 50, False)


ENDS: list[tuple[str, type[ModelError] | None]] = [
    ("FINISH_REASON_MAX_TOKENS", None),
    ("finish_length", None),
    ("max-length", None),
    ("maxTokens", None),
    ("context_window_exceeded", None),
    ("time_limit", None),
    ("repetition_truncation", None),
    ("content-filter", ModelRefused),
    ("contentFilter", ModelRefused),
    ("ERROR_TOXIC", ModelRefused),
    ("blocked", ModelRefused),
    ("server_error", UnusableAnswer),
    ("canceled", UnusableAnswer),
    ("engine_overloaded", UnusableAnswer),
    ("function_call_filter: MALFORMED_FUNCTION_CALL", ModelBadAnswer),
    ("TOO_MANY_TOOL_CALLS", ModelBadAnswer),
    ("malformed_tool_call", ModelBadAnswer),
]


@pytest.mark.parametrize(("finish", "kind"), ENDS)
async def test_a_call_before_an_odd_end_is_not_run(
    finish: str, kind: type[ModelError] | None, tmp_path: Path
) -> None:
    """However the word for it is spelled; None: it was cut."""
    provider = saying(told(None, [WROTE], finish))
    if kind is None:
        assert (await ask(provider, tmp_path)).cut
        return
    with pytest.raises(kind):
        await ask(provider, tmp_path)


@pytest.mark.parametrize("finish", ["", "eos", "EOS_TOKEN", "function_call", "tool_use", "TOOL_CALL", "stop_sequence", "pause_turn", "unknown", "load"])  # fmt: skip
async def test_other_ends_are_ends(finish: str, tmp_path: Path) -> None:
    """A call before them is run."""
    got = await ask(saying(told(None, [WROTE], finish)), tmp_path)
    assert not got.cut and len(got.tool_calls) == 1


USED: dict[str, tuple[Any, tuple[int, int, int]]] = {
    "tgi": ({"usage": {"input_token_count": 1_000, "generated_token_count": 50}}, (1_000, 0, 50)),
    "token_usage": ({"usage": None, "token_usage": COUNTED}, (1_000, 0, 50)),
    "in the metadata": ({"usage": None, "metadata": {"usage": COUNTED}}, (1_000, 0, 50)),
    "as JSON text": ({"usage": json.dumps(COUNTED)}, (1_000, 0, 50)),
    "what missed the cache": ({"usage": {"prompt_cache_hit_tokens": 800, "prompt_cache_miss_tokens": 200, "completion_tokens": 50}}, (1_000, 800, 50)),
    "llama.cpp's times": ({"usage": None, "timings": {"prompt_n": 200, "cache_n": 800, "predicted_n": 50}}, (1_000, 0, 50)),
    "thoughts beside": ({"usage": {"prompt_tokens": 1_000, "completion_tokens": 50, "reasoning_tokens": 700}}, (1_000, 0, 750)),
    "gemini's names": ({"usage": {"promptTokenCount": 1_000, "candidatesTokenCount": 50, "thoughtsTokenCount": 700, "totalTokenCount": 1_750}}, (1_000, 0, 750)),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "wanted"), USED.values(), ids=USED)
async def test_tokens_are_counted_under_further_names(
    fields: Body, wanted: tuple[int, int, int], tmp_path: Path
) -> None:
    """Nothing of it is estimated."""
    usage = (await ask(saying(told() | fields), tmp_path)).usage
    assert (usage.prompt, usage.cached, usage.completion, usage.estimated) == (*wanted, False)
