# ruff: noqa: E501, RUF001 - formats stand as they are written, wide bars and all
"""Calls as text in the chat templates of 2024 to 2026 and in what servers leave of them; and texts that only
show one."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from engine.llm.reading import SHOWN, UNREAD, read_answer
from engine.llm.reading.textcalls import calls_in_text
from engine.ports import ChatAnswer
from tests.engine.llm.reading.test_reading import ARGS, JSON, OFFERED, TOOLS

CALL = f'{{"name": "write_file", "arguments": {JSON}}}'
QWEN = "<function=write_file>\n<parameter=path>\na.txt\n</parameter>\n<parameter=content>\nhello\n</parameter>\n</function>"
INVOKE = '<invoke name="write_file">\n<parameter name="path">a.txt</parameter>\n<parameter name="content">hello</parameter>\n</invoke>'
DSML = '<｜DSML｜invoke name="write_file">\n<｜DSML｜parameter name="path" string="true">a.txt</｜DSML｜parameter>\n<｜DSML｜parameter name="content" string="true">hello</｜DSML｜parameter>\n</｜DSML｜invoke>\n'
PYTHON = 'write_file(path="a.txt", content="hello")'

WRITTEN: dict[str, str] = {
    "nemotron": f"<TOOLCALL>[{CALL}]</TOOLCALL>",
    "nemotron, cut off by a stop": f"<TOOLCALL>[{CALL}]",
    "nemotron, words inside": f"<tool_call>Let me do it.{QWEN} ok </tool_call>",
    "qwen2.5, no begin": f"{CALL}\n</tool_call>",
    "qwen2.5, no end": f"<tool_call>\n{CALL}<|im_end|>",
    "qwen2.5, a brace too few": f"<tool_call>\n{CALL[:-1]}\n</tool_call>",
    "qwen2.5, a brace too many": f"<tool_call>\n{CALL}}}\n</tool_call>",
    "qwen2.5, Python's quotes": f"<tool_call>\n{ {'name': 'write_file', 'arguments': ARGS} }\n</tool_call>",
    "qwen2.5, flat": '<tool_call>{"name": "write_file", "path": "a.txt", "content": "hello"}</tool_call>',
    "qwen2.5, by its name": f'<tool_call>{{"write_file": {JSON}}}</tool_call>',
    "qwen3-coder, no begin": f"{QWEN}\n</tool_call>",
    "qwen3-coder, no end": f"<tool_call>\n{QWEN}",
    "qwen3-coder, a parameter without end": f"<tool_call>\n{QWEN.replace('</parameter>', '', 1)}\n</tool_call>",
    "qwen3-coder, a function without end": f"<tool_call>\n{QWEN.removesuffix('</function>')}</tool_call>",
    "seed": f"<seed:tool_call>\n{QWEN}\n</seed:tool_call>",
    "gemma 4": '<|tool_call>call:write_file{path:<|"|>a.txt<|"|>,content:<|"|>hello<|"|>}<tool_call|>',
    "functiongemma": "<start_function_call>call:write_file{path:<escape>a.txt<escape>,content:<escape>hello<escape>}<end_function_call>",
    "gemma 3": f"```tool_code\n{PYTHON}\n```",
    "gemma 3, printed": f"```tool_code\nprint(default_api.{PYTHON})\n```",
    "gemma 3, in a tag": f"<tool_code>\nprint({PYTHON})\n</tool_code>",
    "llama 3.1": f"<|python_tag|>{PYTHON.replace('(', '.call(', 1)}",
    "llama 3.1, a function": f"<|python_tag|>{PYTHON}<|eom_id|>",
    "llama 3.1, typed": f'{{"type": "function", "name": "write_file", "parameters": {JSON}}}',
    "llama 4": f"<|python_start|>[{PYTHON}]<|python_end|>",
    "granite": f"<|tool_call|>[{CALL}]",
    "granite 4": f"<tool_call>[{CALL}]</tool_call>",
    "phi-4": f"<|tool_call|>[{CALL}]<|/tool_call|>",
    "command r": f'Action: ```json\n[{{"tool_name": "write_file", "parameters": {JSON}}}]\n```',
    "command a": f'<|START_ACTION|>[{{"tool_call_id": "0", "tool_name": "write_file", "parameters": {JSON}}}]<|END_ACTION|>',
    "functionary 3": f">>>write_file\n{JSON}",
    "functionary 2": f"<|recipient|>write_file\n<|content|>{JSON}",
    "react": f"Thought: I must write.\nAction: write_file\nAction Input: {JSON}",
    "react, imagined": f"Thought: I must write.\nAction: write_file\nAction Input: {JSON}\nObservation: ok\nThought: Done.",
    "react, bold": f"**Action:** `write_file`\n**Action Input:** ```json\n{JSON}\n```",
    "harmony without marks": f"commentary to=functions.write_file json{JSON}",
    "harmony in one": f"analysisI must write.assistantcommentary to=functions.write_file json{JSON}",
    "harmony, code": f"to=functions.write_file code{JSON}",
    "deepseek, no section": f"<｜tool▁call▁begin｜>write_file<｜tool▁sep｜>{JSON}<｜tool▁call▁end｜>",
    "deepseek, section without end": f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>write_file<｜tool▁sep｜>{JSON}<｜tool▁call▁end｜>",
    "deepseek, its last mark": f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>write_file<｜tool▁sep｜>{JSON}<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
    "deepseek 3.2, no end": f"<｜DSML｜function_calls>\n{DSML}",
    "step 3": "<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜>" + INVOKE.replace("<", "<steptml:").replace("<steptml:/", "</steptml:") + "<｜tool_call_end｜><｜tool_calls_end｜>",
    "kimi, no section": f"<|tool_call_begin|>functions.write_file:0<|tool_call_argument_begin|>{JSON}<|tool_call_end|>",
    "kimi, section without end": f"<|tool_calls_section_begin|><|tool_call_begin|>functions.write_file:0<|tool_call_argument_begin|>{JSON}<|tool_call_end|>",
    "kimi, its second half": f"write_file:0<|tool_call_argument_begin|>{JSON}<|tool_call_end|><|tool_calls_section_end|>",
    "mistral, its last mark": f"[TOOL_CALLS] [{CALL}]</s>",
    "mistral, no begin": f"write_file[ARGS]{JSON}",
    "mistral 3": f"[TOOL_CALLS]write_file[CALL_ID]abc123def[ARGS]{JSON}",
    "glm 4": f"write_file\n{JSON}",
    "glm, JSON": f"<tool_call>write_file\n{JSON}\n</tool_call>",
    "minimax m2, no end": f"<minimax:tool_call>\n{INVOKE}",
    "claude, old": "<function_calls><invoke><tool_name>write_file</tool_name><parameters><path>a.txt</path><content>hello</content></parameters></invoke></function_calls>",
    "claude, no begin": f"{INVOKE}\n</function_calls>",
    "a wrapper of its own": f"<tvoe_calls>{INVOKE}</tvoe_calls>",
    "olmo 3": f"<function_calls>\n{PYTHON}\n</function_calls>",
    "lfm 2": f"<|tool_call_start|>[{PYTHON}]<|tool_call_end|>",
    "lfm 2, JSON": f"<|tool_call_start|>[{CALL}]<|tool_call_end|>",
    "apriel": f"Here are my reasoning steps:\nHm.\n[BEGIN FINAL RESPONSE]<tool_calls>[{CALL}]</tool_calls>[END FINAL RESPONSE]",
    "lm studio": f"[TOOL_REQUEST]{CALL}[END_TOOL_REQUEST]",
    "longcat": f"<longcat_tool_call>{CALL}</longcat_tool_call>",
    "solar": f"<|tool_call:begin|>a1<|tool_call:name|>write_file<|tool_call:args|>{JSON}<|tool_call:end|>",
    "glaive": f"<functioncall> {CALL}",
    "glaive, closed": f"<functioncall>{CALL}</functioncall>",
    "a tool's tag": f"<tool>{CALL}</tool>",
    "a tool's tag, named": f'<tool name="write_file">{JSON}</tool>',
    "a call's tag, named": f'<tool_call name="write_file">{JSON}</tool_call>',
    "a use's tag": f"<tool_use>\n<name>write_file</name>\n<arguments>{JSON}</arguments>\n</tool_use>",
    "cline": "<write_file>\n<path>a.txt</path>\n<content>hello</content>\n</write_file>",
    "cline, closed at once": '<write_file path="a.txt" content="hello" />',
    "a block without end": f"```json\n{CALL}",
    "an answer made up": f"<tool_call>\n{CALL}\n</tool_call>\n<tool_response>\nok\n</tool_response>",
}  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_a_call_is_read_in_any_template(text: str) -> None:
    """Nothing of its marks is said aloud, with or without words before it."""
    for before in ("", "I write the file.\n\n"):
        if before and text.startswith(("write_file", "analysis", "Here are")):
            continue
        read = read_answer(ChatAnswer(before + text), TOOLS)
        assert [(c.name, json.loads(c.arguments)) for c in read.tool_calls] == [("write_file", ARGS)]
        assert (read.text, read.trouble) == (before.strip(), "")


BOTH = [("write_file", ARGS), ("list_files", {})]


@pytest.mark.parametrize(
    "text",
    [
        f"[TOOL_CALLS]write_file[ARGS]{JSON}[TOOL_CALLS]list_files[ARGS]{{}}",
        f"[{PYTHON}, list_files()]",
        f"<function_calls>\n{PYTHON}\nlist_files()\n</function_calls>",
        f"<tool_call>\n{CALL}\n</tool_call>\n<tool_call>list_files</arg_value></tool_call>",
        f'<tool_call>\n{CALL}\n{{"name": "list_files", "arguments": {{}}}}\n</tool_call>',
        f"```json\n{CALL}\n```\nThen:\n```json\n{{\"name\": \"list_files\", \"arguments\": {{}}}}\n```",
        f"<|tool_call_begin|>functions.write_file:0<|tool_call_argument_begin|>{JSON}<|tool_call_end|><|tool_call_begin|>functions.list_files:1<|tool_call_argument_begin|>{{}}<|tool_call_end|>",
    ],
)  # fmt: skip
def test_several_calls_are_read_in_order(text: str) -> None:
    """In one mark or several."""
    read = read_answer(ChatAnswer(text), TOOLS)
    assert [(c.name, json.loads(c.arguments)) for c in read.tool_calls] == BOTH


IN_CONTENT = "# Calls\n```xml\n<tool_call>\n{}\n</tool_call>\n```\nThat is all."


def test_code_in_the_content_of_a_call_is_content() -> None:
    """A file about calls is written as it is; nothing in it is called."""
    text = f"<tool_call>\n<function=write_file>\n<parameter=path>a.md</parameter>\n<parameter=content>\n{IN_CONTENT}\n</parameter>\n</function>\n</tool_call>"
    [call] = read_answer(ChatAnswer(text), TOOLS).tool_calls
    assert json.loads(call.arguments) == {"path": "a.md", "content": IN_CONTENT}


SHOWING: dict[str, str] = {
    "a block and words": f"To write a file, the model sends this:\n```json\n{CALL}\n```\nThen the server answers. Do not send it yet.",
    "a block of tags": f"Hermes models call tools so:\n```xml\n<tool_call>\n{CALL}\n</tool_call>\n```\nand the server parses it.",
    "a block of Python": f"Gemma writes this:\n```tool_code\n{PYTHON}\n```\nwhich older servers do not parse.",
    "two blocks": f"First:\n```json\n{CALL}\n```\nthen\n```json\n{CALL}\n```\nas the manual says.",
    "a line of words": f"It wrote <tool_call>{CALL}</tool_call> and the server parsed it.",
}  # fmt: skip


@pytest.mark.parametrize("text", SHOWING.values(), ids=SHOWING)
def test_a_call_with_words_after_it_is_shown_not_made(text: str) -> None:
    """It stays in the text; the model hears that nothing was done, as it may have meant it."""
    read = read_answer(ChatAnswer(text), TOOLS)
    assert (read.text, read.tool_calls, read.trouble) == (text, (), SHOWN)


TALK: dict[str, str] = {
    "inline code": f"Use `<tool_call>{CALL}</tool_call>` to call.",
    "a mark in code": "The server looks for `<tool_call>` and `[TOOL_CALLS]`.",
    "within a sentence": f"The report says that {CALL} was the call that failed.",
    "react": "The next Action: write_file would need an Action Input: a path.",
    "an address": "I sent it to=functions.write_file in the code.",
    "an example": f"For example, `{PYTHON}` writes a file.",
    "a tag of HTML": "Use <write_file> or <tool>hammer</tool> for that.",
    "a package": 'The file is:\n```json\n{"name": "write_file", "version": "1.0"}\n```',
    "a map": f'The file is:\n```json\n{{"write_file": {JSON}}}\n```',
    "a prompt of Python's": ">>> write_file\nNameError",
    "code": "It is:\n```python\nwrite_file(path='a')\n```",
}  # fmt: skip


@pytest.mark.parametrize("text", TALK.values(), ids=TALK)
def test_words_about_calls_are_words(text: str) -> None:
    """Nothing is done, nothing is taken out, nothing is said to the model."""
    read = read_answer(ChatAnswer(text), TOOLS)
    assert (read.text, read.tool_calls, read.trouble) == (text, (), "")


HALF: dict[str, str] = {
    "JSON": f"<tool_call>\n{CALL[:-5]}",
    "JSON in a list": f"<TOOLCALL>[{CALL[:-3]}",
    "JSON, closed": f"<tool_call>\n{CALL[:-5]}\n</tool_call>",
    "XML": "<tool_call>\n<function=write_file>\n<parameter=path>\na.txt\n</parameter>\n<parameter=content>\nhel",
    "keys": "<tool_call>write_file\n<arg_key>path</arg_key>\n<arg_value>a.txt</arg_value>\n<arg_key>content</arg_key>\n<arg_value>hel",
    "keys, closed": "<tool_call>write_file\n<arg_key>path</arg_key>\n<arg_value>a.txt</arg_value>\n<arg_key>content</arg_key>\n<arg_value>hel\n</tool_call>",
    "invoke": INVOKE[:-30],
    "braces": '<|tool_call>call:write_file{path:<|"|>a.txt<|"|>,content:<|"|>hel',
    "python": '<|python_tag|>write_file(path="a.txt", content="hel',
    "kimi": f"<|tool_call_begin|>functions.write_file:0<|tool_call_argument_begin|>{JSON[:-4]}",
}  # fmt: skip


@pytest.mark.parametrize("text", HALF.values(), ids=HALF)
def test_half_a_call_is_not_made_and_not_said(text: str) -> None:
    """The model hears of it."""
    read = read_answer(ChatAnswer(f"I write.\n{text}"), TOOLS)
    assert (read.tool_calls, read.trouble) == ((), UNREAD)
    assert "hel" not in read.text and "<" not in read.text


@pytest.mark.parametrize(
    "again",
    ["Thought: a\n", "Action: write_file\n", "<write_file>\n", "<tool_call>", "to=a", "a", ">>>a\n{", "```\n{\n", "`", "<tool>", "<|recipient|>a", "[TOOL_CALLS]", "assistant", "call:", "\n    ", "<parameter=a>"],
)  # fmt: skip
def test_a_text_that_repeats_itself_is_read_soon(again: str) -> None:
    """Whatever begins again and again: the end that never comes is not looked for from each of them."""
    ends = "".join(
        (
            "</tool_call>",
            "</tool>x",
            "</write_file>x",
            "<|tool_call_end|>",
            "</function>",
            "</invoke>",
            "```x",
        )
    )
    for text in (again * (200_000 // len(again)), again * (100_000 // len(again)) + ends):
        began = time.perf_counter()
        calls_in_text(text, OFFERED)
        assert time.perf_counter() - began < 3.0


def test_tags_of_tools_keep_their_order() -> None:
    """Whatever the order in which the tools are offered."""
    offered: dict[str, Any] = {"finish": {}, "run": {}}
    text = '<run>\n<path>a</path>\n</run>\n<finish report="b" />\n<run path="c" />'
    assert [call.name for call in calls_in_text(text, offered).calls] == ["run", "finish", "run"]


def test_values_of_tags_are_what_they_say() -> None:
    """Numbers and flags are parsed, marks of HTML are resolved in attributes."""
    offered: dict[str, Any] = {"run": {}}
    found = calls_in_text('<run line="3" open="true" path="a &amp; b" />', offered)
    assert json.loads(found.calls[0].arguments) == {"line": 3, "open": True, "path": "a & b"}
