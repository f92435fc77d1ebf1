"""Tools to one schema and back, and a prompt that stays a prefix of the next."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.llm.local.protocol.prompts import (
    EXPLAINED,
    Call,
    ask_for_text,
    ask_from_brief,
    fence_of,
    is_sound,
    stop_of,
    text_of,
)
from engine.llm.local.protocol.translate import (
    answer_message,
    fitted,
    make_script,
    parse_call,
    same_call,
    without_tool,
)


def tool(name: str, required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    """A tool as the API sends it."""
    needed = list(properties) if required is None else required
    schema = {"type": "object", "properties": properties, "required": needed, "title": "X"}
    return {"type": "function", "function": {"name": name, "description": f"Do {name}", "parameters": schema}}


TEXT = {"type": "string", "maxLength": 50}
FLAG = {"type": "boolean"}
WRITE = tool("write_file", path=TEXT, content=TEXT)
SAY = tool("say", ["to"], to={"type": "array", "items": TEXT}, mood={"enum": ["glad", "sad"]})
ASK = [{"role": "system", "content": "Rules."}, {"role": "user", "content": "Go."}]


def called(name: str, **arguments: Any) -> dict[str, Any]:
    """An assistant message with one call."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": function}]}


def test_signatures_are_one_short_line_each() -> None:
    """The prompt names each tool, its arguments and types in one line, long texts left out."""
    system = make_script({"messages": ASK, "tools": [WRITE, SAY]}).messages[0]["content"]
    assert "- write_file(path: string): Do write_file" in system
    assert '- say(to: [string, ...], mood?: "glad"|"sad"): Do say' in system
    assert "- reply(text: string)" in system


def test_schema_holds_every_tool_closed_and_without_lengths() -> None:
    """Each alternative is one tool; the grammar never cuts a word."""
    schema = make_script({"messages": ASK, "tools": [WRITE, SAY], "tool_choice": "required"}).schema
    assert schema is not None
    names = [one["properties"]["tool"]["const"] for one in schema["anyOf"]]
    assert names == ["write_file", "say"]
    assert "maxLength" not in json.dumps(schema)
    arguments = schema["anyOf"][0]["properties"]["arguments"]
    assert list(arguments["properties"]) == ["path"]
    assert arguments["additionalProperties"] is False


def test_tool_choice_names_one_tool() -> None:
    """A named function is the only answer; "none" allows words alone, under the same prompt."""
    choice = {"type": "function", "function": {"name": "say"}}
    script = make_script({"messages": ASK, "tools": [WRITE, SAY], "tool_choice": choice})
    assert script.schema is not None
    assert script.schema["properties"]["tool"]["const"] == "say"
    words = make_script({"messages": ASK, "tools": [WRITE], "tool_choice": "none"})
    assert words.schema is not None
    assert words.schema["properties"]["tool"]["const"] == "reply"
    assert words.messages == make_script({"messages": ASK, "tools": [WRITE]}).messages


def test_history_is_rendered_in_the_words_it_was_written_in() -> None:
    """A call and its text, once written, are a prefix of the next prompts of both turns."""
    before = make_script({"messages": ASK, "tools": [WRITE]})
    call = Call("write_file", {"path": "a.py"})
    asked = ask_for_text(call, "content")
    call.arguments["content"] = text_of("print(1)\n", "content")
    message = answer_message(call, "c")
    result = {"role": "tool", "tool_call_id": "c", "content": "wrote a.py"}
    after = make_script({"messages": [*ASK, message, result], "tools": [WRITE]})
    written = [*asked[:-1], {"role": "assistant", "content": asked[-1]["content"] + "print(1)\n```"}]
    assert after.messages[:-1] == before.messages + written
    assert after.plain[:-1] == before.plain + written
    assert after.messages[-1]["content"] == "Result: wrote a.py"


def test_text_is_written_without_the_functions_in_sight() -> None:
    """The turn that writes a file sees the rules and the talk, not the list of functions."""
    script = make_script({"messages": ASK, "tools": [WRITE]})
    assert script.plain[0] == ASK[0]
    assert "write_file" not in json.dumps(script.plain)


def test_a_file_is_written_from_a_brief_and_the_other_files() -> None:
    """The newest of each, no more of them than are read with care."""
    old, new = called("write_file", path="a.py", content="x = 1\n"), "x = 2\n"
    made = [
        old,
        called("write_file", path="a.py", content=new),
        called("write_file", path="b.py", content="y"),
    ]
    script = make_script({"messages": [*ASK, *made], "tools": [WRITE], "brief": "Add numbers."})
    assert (script.brief, dict(script.files)) == ("Add numbers.", {"a.py": new, "b.py": "y"})
    asked, opening = ask_from_brief(script.brief, script.files, Call("write_file", {"path": "b.py"}))
    assert asked["content"] == (
        "Add numbers.\n\na.py, which is there already:\n```python\nx = 2\n```\n\n"
        "Write the whole file b.py, in one code block."
    )
    assert opening == {"role": "assistant", "content": "```python\n"}
    many = {f"{n}.py": "z" * 4_000 for n in range(3)}
    shown = ask_from_brief("B.", many, Call("write_file", {"path": "x.py"}))[0]["content"]
    assert "2.py, which" in shown and "1.py, which" not in shown
    assert make_script({"messages": ASK, "tools": [WRITE]}).brief == ""


def test_tool_can_be_left_out() -> None:
    """A repeated call's tool is no longer among the answers; the only one stays."""
    script = make_script({"messages": ASK, "tools": [WRITE, SAY], "tool_choice": "required"})
    left = without_tool(script, "say").schema
    assert left is not None
    assert [one["properties"]["tool"]["const"] for one in left["anyOf"]] == ["write_file"]
    only = make_script({"messages": ASK, "tools": [SAY], "tool_choice": "required"})
    assert without_tool(only, "say") == only


def test_prose_is_fenced_longer() -> None:
    """A text that holds code blocks is not cut at the first of them."""
    assert (
        ask_for_text(Call("write_file", {"path": "README.md"}), "content")[-1]["content"] == "````markdown\n"
    )
    assert text_of("````markdown\nA\n```sh\nls\n```\nB\n````", "content") == "A\n```sh\nls\n```\nB\n"


def test_code_block_opens_with_the_files_language() -> None:
    """The second turn begins in a block of the right language."""
    last = ask_for_text(Call("write_file", {"path": "x/main.py"}), "content")[-1]
    assert last == {"role": "assistant", "content": "```python\n"}


def test_blocks_lose_their_fences_only() -> None:
    """Fences at the ends go, those inside stay."""
    assert text_of("```python\nx = 1\n```", "content") == "x = 1\n"
    assert text_of("x = '```'\ny = 2", "content") == "x = '```'\ny = 2\n"


def test_repeated_call_is_seen() -> None:
    """The call made last is distinguished from others; long texts do not count."""
    body = {"messages": [*ASK, called("write_file", path="a", content="long")]}
    assert same_call(Call("write_file", {"path": "a"}), body)
    assert not same_call(Call("write_file", {"path": "b"}), body)
    assert not same_call(Call("write_file", {"path": "a"}), {"messages": ASK})


def test_reply_becomes_text() -> None:
    """A plain reply is no call."""
    assert answer_message(Call("reply", {"text": "hi"}), "c") == {"role": "assistant", "content": "hi"}


@given(st.text())
def test_cut_off_answers_are_no_calls(text: str) -> None:
    """What is not whole JSON of a call is None, never an exception."""
    assert parse_call('{"tool": "say", "arguments": {"to": "' + text.replace('"', "")[:20]) is None


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.text() | st.integers(), max_size=2))
def test_calls_survive_the_round_trip(arguments: dict[str, Any]) -> None:
    """What the model wrote under the schema arrives as the same arguments."""
    call = parse_call(json.dumps({"tool": "say", "arguments": arguments}))
    assert call is not None
    made = answer_message(call, "c")["tool_calls"][0]["function"]
    assert (made["name"], json.loads(made["arguments"])) == ("say", arguments)


def test_what_was_said_is_shown_as_it_was_written() -> None:
    """A plain reply of the past reads as the reply call it was, but stays plain where no tools are."""
    said = {"role": "assistant", "content": "hi"}
    body = {"messages": [*ASK, said, ASK[1]], "tools": [SAY]}
    assert make_script(body).messages[2]["content"] == '{"tool": "reply", "arguments": {"text": "hi"}}'
    assert make_script({**body, "tools": []}).messages[2]["content"] == "hi"


def test_small_models_are_spared_optional_numbers_and_switches() -> None:
    """What a small model would only make up is left out; what is required or text stays."""
    spec = tool(
        "run", ["count"], count={"type": "integer"}, stdin=TEXT, timeout={"type": "number"}, keep=FLAG
    )
    schema = make_script({"messages": ASK, "tools": [spec], "tool_choice": "required"}).schema
    assert schema is not None
    assert list(schema["properties"]["arguments"]["properties"]) == ["count", "stdin"]


def test_tools_without_arguments_work() -> None:
    """A tool that takes nothing is called with nothing."""
    bare = {"type": "function", "function": {"name": "wait"}}
    script = make_script({"messages": ASK, "tools": [bare], "tool_choice": "required"})
    assert "- wait(): " in script.messages[0]["content"]
    assert script.schema is not None
    assert script.schema["properties"]["arguments"]["properties"] == {}


def test_every_file_is_asked_for_in_the_same_words() -> None:
    """The goal says what it is; nothing about one kind of program is added."""
    turns = [ask_for_text(Call("write_file", {"path": path}), "content") for path in ("a.py", "a.md")]
    code, prose = (turn[1]["content"] for turn in turns)
    assert code.replace("a.py", "a.md") == prose and "as the goal says" in prose


@pytest.mark.parametrize(
    ("path", "text", "sound"),
    [
        ("a.py", "x = 1\n", True),
        ("a.py", "def f(:\n", False),
        ("a.py", "x = '\\d'\n", True),
        ("a.py", "(" * 5000, False),
        ("a.py", "\0", False),
        ("a.json", "{}", True),
        ("a.json", "{", False),
        ("a.md", "def f(:", True),
    ],
)
def test_programs_that_do_not_parse_are_seen(path: str, text: str, sound: bool) -> None:
    """A broken file is distinguished from a valid one without running anything."""
    assert is_sound(path, text) is sound


def test_explanations_are_written_as_plain_lines() -> None:
    """An assignment is written outside JSON, ends where code would start, and is a prefix afterwards."""
    assign = tool("assign", to=TEXT, details=TEXT)
    before = make_script({"messages": ASK, "tools": [assign]})
    call = Call("assign", {"to": "Bo"})
    asked = ask_for_text(call, "details")
    assert "details" in EXPLAINED
    assert stop_of(call, "details") == fence_of({})
    call.arguments["details"] = text_of(asked[-1]["content"] + "A board of 15.\n", "details")
    after = make_script({"messages": [*ASK, answer_message(call, "c"), ASK[1]], "tools": [assign]})
    explained = {"role": "assistant", "content": asked[-1]["content"] + "A board of 15."}
    assert after.messages[: len(before.messages) + 3] == [*before.messages, *asked[:-1], explained]
    assert call.arguments["details"] == "A board of 15."


@given(st.lists(st.sampled_from(["A board has 15 lines.", "Five in a row win at 0.5.", "Ends.", "\n"])))
def test_explanations_say_each_sentence_once(said: list[str]) -> None:
    """Going round in circles is cut out, the first time is kept in order, short pieces stay."""
    text = text_of(" ".join(said), "details")
    for sentence in ("A board has 15 lines.", "Five in a row win at 0."):
        assert text.count(sentence) == (1 if any(sentence in one for one in said) else 0)


@given(st.text(max_size=39))
def test_short_explanations_are_left_alone(text: str) -> None:
    """Where no sentence of 20 characters can be there twice, nothing is lost."""
    assert text_of(text, "details") == text.strip()


def test_allowed_tools_narrow_the_schema_and_leave_the_prompt_alone() -> None:
    """What may be called now changes from call to call; the text read before stays a prefix."""

    def allowing(mode: str, *names: str) -> dict[str, Any]:
        tools = [{"type": "function", "function": {"name": name}} for name in names]
        return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}

    body = {"messages": ASK, "tools": [WRITE, SAY]}
    every = make_script(body)
    one = make_script({**body, "tool_choice": allowing("required", WRITE["function"]["name"])})
    talk = make_script({**body, "tool_choice": allowing("auto", WRITE["function"]["name"])})
    assert one.messages == talk.messages == every.messages
    assert one.schema is not None and "anyOf" not in one.schema
    assert talk.schema is not None and len(talk.schema["anyOf"]) == 2


def test_texts_that_are_too_long_are_cut_at_a_word() -> None:
    """At every depth, and only there where the tool says how long they may be."""
    short = {"type": "string", "maxLength": 12}
    members = {"type": "array", "items": {"type": "object", "properties": {"name": short}}}
    parameters = {
        "type": "object",
        "properties": {"title": short, "members": members, "why": {"type": "string"}},
    }
    body = {"tools": [{"type": "function", "function": {"name": "ask", "parameters": parameters}}]}
    long = "many words and more"
    call = fitted(Call("ask", {"title": long, "members": [{"name": long}], "why": long}), body)
    assert call.arguments == {"title": "many words…", "members": [{"name": "many words…"}], "why": long}
    assert fitted(Call("other", {"title": long}), body).arguments == {"title": long}
