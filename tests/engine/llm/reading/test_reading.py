# ruff: noqa: E501, RUF001 - formats stand as they are written, wide bars and all
"""What a model plainly meant is done; what is not plain is said, never guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.llm.reading import read_answer
from engine.llm.reading.arguments import repaired_arguments
from engine.llm.reading.names import known_name
from engine.llm.reading.textcalls import calls_in_text
from engine.llm.reading.thinking import without_thoughts
from engine.ports import ChatAnswer, ToolCall, ToolSpec

WRITE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "content": {"type": "string"},
        "files": {"type": "array", "items": {"type": "string"}},
        "command": {"type": "array", "items": {"type": "string"}},
        "line": {"type": "integer"},
        "open": {"type": "boolean"},
    },
    "required": ["path"],
}
TOOLS = (
    ToolSpec("write_file", "Write", WRITE),
    ToolSpec("list_files", "List", {"type": "object", "properties": {}}),
)
OFFERED = {tool.name: tool.parameters for tool in TOOLS}
ARGS = {"path": "a.txt", "content": "hello"}
JSON = json.dumps(ARGS)


@pytest.mark.parametrize(
    "written",
    [
        "functions.write_file",
        "default_api.write_file",
        "default_api:write_file",
        "functions.write_file:0",
        "write_file:12",
        " write_file ",
        "`write_file`",
        "write_file()",
        "write_file<|channel|>commentary",
        "write_file<|constrain|>json",
        "<|channel|>commentary to=functions.write_file",
        "WriteFile",
        "write-file",
        "workspace/write_file",
        "tool__write_file",
        "write_file</arg_value>",
        "write_file<arg_key>",
        "write_file[ARGS]",
        "<function=write_file>",
        "<function=write_file",
        "functions.write_file-0",
        "write_file_1",
        "write_file_tool",
        "tool_call_write_file",
        "proxy_write_file",
        "write_filewrite_file",
        '{"name": "write_file"}',
    ],
)
def test_names_are_brought_back(written: str) -> None:
    """Prefixes, tails, marks of channels, case and joints do not matter."""
    assert known_name(written, OFFERED) == "write_file"


@pytest.mark.parametrize("written", ["web_search", "", "write", "files", "delete_file"])
def test_names_of_other_tools_stay(written: str) -> None:
    """Nothing is guessed from half a name."""
    assert known_name(written, OFFERED) == written


@pytest.mark.parametrize(
    "written",
    [
        JSON + "}",
        JSON + "\n" + JSON,
        JSON + "<|call|>",
        JSON + "\n```",
        "```json\n" + JSON + "\n```",
        json.dumps(JSON),
        json.dumps(json.dumps(JSON)),
        "{}" + JSON,
        "[" + JSON + "]",
        "<|constrain|>json<|message|>" + JSON,
        "{'path': 'a.txt', 'content': 'hello'}",
        '{"path": "a.txt", "content": "hello",}',
        json.dumps({"arguments": ARGS}),
        json.dumps({"name": "write_file", "parameters": ARGS}),
        json.dumps({"input": JSON}),
        json.dumps({"function": {"name": "write_file", "arguments": JSON}}),
        json.dumps({"json": ARGS}),
        json.dumps({"raw_arguments": JSON}),
        json.dumps({"": ARGS}),
        json.dumps({'"path"': "a.txt", "content:": "hello"}),
        json.dumps({"Path": "a.txt", "Content": "hello"}),
        '{path: "a.txt", content: "hello"}',
        '""' + JSON,
        "null" + JSON,
        "\ufeff" + JSON,
        json.dumps({**ARGS, "files": None}),
    ],
)
def test_arguments_are_brought_back(written: str) -> None:
    """Trailing marks, doubles, encodings, wrappers, other notations."""
    assert json.loads(repaired_arguments(written, WRITE)) == ARGS


@pytest.mark.parametrize(
    ("given_", "meant"),
    [
        ({"files": '["a", "b"]'}, {"files": ["a", "b"]}),
        ({"files": "a.txt"}, {"files": ["a.txt"]}),
        ({"command": "python main.py 'a b'"}, {"command": ["python", "main.py", "a b"]}),
        ({"line": "12"}, {"line": 12}),
        ({"line": "#12"}, {"line": 12}),
        ({"open": "true"}, {"open": True}),
        ({"line": "many"}, {"line": "many"}),
        ({"line": "None"}, {}),
        ({"files": ""}, {}),
        ({"files": "['a', 'b']"}, {"files": ["a", "b"]}),
        ({"content": "null"}, {"content": "null"}),
    ],
)
def test_values_get_their_kind(given_: dict[str, Any], meant: dict[str, Any]) -> None:
    """Lists, numbers and flags that came as text."""
    assert json.loads(repaired_arguments(json.dumps(given_), WRITE)) == meant


@pytest.mark.parametrize("written", ["", "null", '""', "None", "undefined", "{}"])
def test_nothing_is_an_empty_object(written: str) -> None:
    """Tools without arguments are called in many ways."""
    assert json.loads(repaired_arguments(written, {})) == {}


@pytest.mark.parametrize(
    "written",
    [
        JSON[:-3],
        '{path: "a.txt", content: "hal',
        "<arg_key>path</arg_key><arg_value>a.txt</arg_value><arg_key>content</arg_key><arg_value>hal",
        "<parameter=path>a.txt</parameter><parameter=content>hal",
        '{"path": "a.txt", "content": "hal',
        "not json",
        "[1, 2]",
        "7",
    ],
)
def test_what_was_cut_is_never_completed(written: str) -> None:
    """Half a file must not be written as if it were whole."""
    assert repaired_arguments(written, WRITE) == written


@pytest.mark.parametrize(
    ("written", "cut"),
    [
        ('{"path": "a.txt", "content": "' + "word " * 600, True),
        ('{"path": "a.txt", "content": "' + "word " * 600 + '", ', True),
        ('{"path": "a.txt", "content": "' + "word " * 600 + '"}', False),
        ('{"path": "a.txt", "content": "' + "word " * 600 + '" and more}', False),
        ('{"path": "a.txt", "content": "hal', False),
    ],
)
def test_long_arguments_that_end_within_their_json_were_cut(written: str, cut: bool) -> None:
    """vllm#58228 and hermes-agent#7693: routers say `tool_calls` all the same; the model then writes in
    parts."""
    answer = ChatAnswer("", (ToolCall("c", "write_file", written),), finish_reason="tool_calls")
    assert read_answer(answer, TOOLS).cut is cut


@pytest.mark.parametrize(
    "text",
    [
        f'<tool_call>\n{{"name": "write_file", "arguments": {JSON}}}\n</tool_call>',
        f'```json\n{{"name": "write_file", "arguments": {JSON}}}\n```',
        f'{{"name": "functions.write_file", "parameters": {JSON}}}',
        f'[{{"name": "write_file", "arguments": {JSON}}}]',
        f'{{"tool_calls": [{{"function": {{"name": "write_file", "arguments": {JSON}}}}}]}}',
        f"<function=write_file>{JSON}</function>",
        "<tool_call><function=write_file><parameter=path>\na.txt\n</parameter><parameter=content>\nhello\n"
        "</parameter></function></tool_call>",
        "<tool_call>write_file\n<arg_key>path</arg_key>\n<arg_value>a.txt</arg_value>\n"
        "<arg_key>content</arg_key>\n<arg_value>hello</arg_value>\n</tool_call>",
        '<function_calls><invoke name="write_file"><parameter name="path">a.txt</parameter>'
        '<parameter name="content">hello</parameter></invoke></function_calls>',
        '<minimax:tool_call><invoke name="write_file"><parameter name="path">a.txt</parameter>'
        '<parameter name="content">hello</parameter></invoke></minimax:tool_call>',
        '<｜DSML｜function_calls><｜DSML｜invoke name="write_file"><｜DSML｜parameter name="path" string="true">'
        'a.txt</｜DSML｜parameter><｜DSML｜parameter name="content" string="true">hello</｜DSML｜parameter>'
        "</｜DSML｜invoke></｜DSML｜function_calls>",
        f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>write_file\n```json\n{JSON}\n```"
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>write_file<｜tool▁sep｜>{JSON}<｜tool▁call▁end｜>"
        "<｜tool▁calls▁end｜>",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.write_file:0<|tool_call_argument_begin|>"
        f"{JSON}<|tool_call_end|><|tool_calls_section_end|>",
        f'[TOOL_CALLS] [{{"name": "write_file", "arguments": {JSON}}}]',
        f"[TOOL_CALLS]write_file[ARGS]{JSON}",
        f'<|python_tag|>{{"name": "write_file", "parameters": {JSON}}}',
        f'functools[{{"name": "write_file", "arguments": {JSON}}}]',
        f"<|channel|>commentary to=functions.write_file <|constrain|>json<|message|>{JSON}<|call|>",
        '[write_file(path="a.txt", content="hello")]',
    ],
)
def test_calls_written_as_text_are_read(text: str) -> None:
    """The formats of the usual chat templates; words before stay, markup goes."""
    for before in ("", "I write the file.\n\n"):
        if before and text.startswith("[write_file"):
            continue
        read = read_answer(ChatAnswer(before + text), TOOLS)
        assert [(c.name, json.loads(c.arguments)) for c in read.tool_calls] == [("write_file", ARGS)], text
        assert read.text == before.strip()
        assert read.trouble == ""


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "write_file", "arguments": {"path": "a.txt", "content": "hal',
        '<tool_call>{"name": "web_search", "arguments": {}}</tool_call>',
        "<function=write_file>{broken</function>",
    ],
)
def test_half_and_foreign_calls_are_reported_to_the_model_and_never_posted(text: str) -> None:
    """The markup stays out of the channel, and the model hears how to call."""
    read = read_answer(ChatAnswer(text), TOOLS)
    assert (read.text, read.tool_calls) == ("", ())
    assert "tool interface" in read.trouble


@pytest.mark.parametrize(
    "text",
    [
        'The settings are:\n```json\n{"port": 80}\n```',
        "Use write_file(path) for that.",
        '{"report": "all is well"}',
        "A list: [1, 2, 3]",
        "if a < b: print('<tool>')",
    ],
)
def test_other_texts_are_left_as_they_are(text: str) -> None:
    """JSON, code and lists that are no calls are what the agent says."""
    found = calls_in_text(text, OFFERED)
    assert (found.rest, found.calls, found.broken) == (text, [], False)


@pytest.mark.parametrize(
    "text",
    [
        "<think>\nsilly\n</think>\n\nI do it.",
        "silly</think>I do it.",
        "<thinking>silly</thinking>I do it.",
        "<reasoning>silly</reasoning>\nI do it.",
        "◁think▷silly◁/think▷I do it.",
        "[THINK]silly[/THINK]I do it.",
        "<|channel|>analysis<|message|>silly<|end|><|start|>assistant<|channel|>final<|message|>I do it.",
        "<seed:think>silly</seed:think>I do it.",
        "<think>silly</think><answer>I do it.</answer>",
        "<answer>I do it.</answer>",
        "<think>silly</think>\n<response>\nI do it.\n</response>",
        "Here is my thought process:\nsilly\n\nHere is my response:\nI do it.",
        "Here are my reasoning steps:\nsilly\n[BEGIN FINAL RESPONSE]\nI do it.\n[END FINAL RESPONSE]",
        "analysisWe are silly.assistantfinalI do it.",
        "<|think|>silly<|/think|>I do it.",
        "<unused94>thought\nsilly<unused95>I do it.",
        '<details type="reasoning" done="true">\n<summary>Thought</summary>\n> silly\n</details>\nI do it.',
        "<longcat_think>silly</longcat_think>I do it.",
        "<|begin_of_thought|>silly<|end_of_thought|><|begin_of_solution|>I do it.<|end_of_solution|>",
        "<think>silly</think><|begin_of_box|>I do it.<|end_of_box|>",
        "I do it.</s>",
        "I do it.<end_of_turn>",
        "I do it.<｜end▁of▁sentence｜>",
        "<|start_header_id|>assistant<|end_header_id|>\n\nI do it.",
        "<|im_start|>assistant\nI do it.<|im_end|>\n<|im_start|>user\nsilly",
        "assistant\n\nI do it.",
    ],
)
def test_thoughts_are_taken_off(text: str) -> None:
    """They are neither said in a channel nor sent back."""
    assert without_thoughts(text) == "I do it."


def test_only_thoughts_is_an_empty_answer() -> None:
    """Thoughts alone say nothing."""
    assert without_thoughts("<think>silly, and never closed") == ""


@pytest.mark.parametrize(
    "text",
    [
        "Wrap it in `<think>` and `</think>`.",
        "The template ends with `<end_of_turn>` or `<|im_start|>user`.",
        "It was <s>wrong</s>",
        "The assistant thought so; the analysis is done.",
        "<output>4</output>",
    ],
)
def test_words_about_tags_stay(text: str) -> None:
    """Somebody may write about them, in code, or use tags of their own."""
    assert without_thoughts(text) == text


def test_parallel_use_becomes_its_calls() -> None:
    """A wrapper that OpenAI's models invent."""
    uses = {"tool_uses": [{"recipient_name": "functions.write_file", "parameters": ARGS}] * 2}
    answer = ChatAnswer("", (ToolCall("c", "multi_tool_use.parallel", json.dumps(uses)),))
    assert [call.name for call in read_answer(answer, TOOLS).tool_calls] == ["write_file", "write_file"]


@given(st.text(), st.text())
def test_any_text_is_read_without_a_fault(text: str, arguments: str) -> None:
    """Whatever a model writes, reading it fails never, and calls are only those of offered tools."""
    answer = ChatAnswer(text, (ToolCall("c", "write_file", arguments),))
    assert read_answer(answer, TOOLS).tool_calls
    assert {call.name for call in read_answer(ChatAnswer(text), TOOLS).tool_calls} <= set(OFFERED)
