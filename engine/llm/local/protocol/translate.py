"""Translate tools to one forced JSON schema and answers back to tool calls; pure.

A small model asked for tool calls in free text writes prose; llama.cpp enforces a `json_schema` response
but not `tool_choice`. So the tools become one schema, `{"tool": name, "arguments": {...}}` with an
alternative per tool, and each answer is a valid call. Long texts are left out of the schema and asked for
in a second turn (prompts.py), which does not contain the list of functions: a small model that sees that
list writes programs that define those functions. The history is rendered exactly as those two turns, so
that what was read and written before is a prefix of the next prompt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.llm.local.protocol.prompts import Call, call_text, long_argument, shown_text

REPLY = "reply"
DESCRIPTION = 140
HINT = 80
STDIN_SHOWN = 60

_UNUSED = frozenset({"maxLength", "title", "default"})


@dataclass(frozen=True, slots=True)
class Script:
    """The model's input: `messages`, the `schema` of its answer (None: free text), which argument of which
    tool is written in a second turn (`long`), and `plain`, the messages of that turn. With a `brief` a file
    is written from that alone, and from the `files` that are there."""

    messages: list[dict[str, str]]
    schema: dict[str, Any] | None
    long: Mapping[str, str]
    plain: list[dict[str, str]]
    brief: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def make_script(body: Mapping[str, Any]) -> Script:
    """Return the script for a Chat Completions body. `tool_choice`: "auto" allows a plain reply, "none"
    only that, "required" and a named function no reply; "allowed_tools" lists the tools to choose from."""
    tools = [_lean(tool["function"]) for tool in body.get("tools") or ()]
    choice = body.get("tool_choice", "auto")
    if not tools:
        messages = _render(body["messages"], None)
        return Script(messages, None, {}, messages)
    long = {tool["name"]: name for tool in tools if (name := long_argument(tool))}
    plain = _render(body["messages"], long)
    names, talk = _choice(choice, tools)
    # The guide names every tool whatever may be called now, so that the prompt stays the same.
    messages = _with_system(plain, _guide(tools, long, talk or _is_allowed(choice)))
    offered = [tool for tool in tools if tool["name"] in names]
    brief = body.get("brief") or ""
    return Script(messages, _schema(offered, long, talk), long, plain, brief, _written(body["messages"]))


def _written(messages: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the files that were written in a conversation, as they were written last."""
    made: dict[str, str] = {}
    for message in messages:
        for call in message.get("tool_calls") or ():
            arguments = _arguments(call["function"]["arguments"])
            path, text = arguments.get("path"), arguments.get("content")
            if isinstance(path, str) and isinstance(text, str):
                made.pop(path, None)
                made[path] = text
    return made


def _is_allowed(choice: Any) -> bool:
    return isinstance(choice, Mapping) and choice.get("type") == "allowed_tools"


def _choice(choice: Any, tools: Sequence[Mapping[str, Any]]) -> tuple[frozenset[str], bool]:
    """Return (names that may be called, whether a plain reply is allowed)."""
    every = frozenset(tool["name"] for tool in tools)
    if choice == "none":
        return frozenset(), True
    if not isinstance(choice, Mapping):
        return every, choice == "auto"
    if not _is_allowed(choice):
        return frozenset({choice["function"]["name"]}), False
    allowed = choice["allowed_tools"]
    named = frozenset(tool["function"]["name"] for tool in allowed["tools"]) & every
    return named or every, allowed["mode"] == "auto"


def without_tool(script: Script, tool: str) -> Script:
    """Return the script without `tool` in its schema; unchanged if it is the only one."""
    kinds = (script.schema or {}).get("anyOf", [])
    left = [kind for kind in kinds if kind["properties"]["tool"]["const"] != tool]
    return replace(script, schema={"anyOf": left}) if left else script


def parse_call(text: str) -> Call | None:
    """Return the call in an answer written under the schema; None if it was cut off."""
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    return Call(answer["tool"], answer["arguments"])


def fitted(call: Call, body: Mapping[str, Any]) -> Call:
    """Return the call with its texts cut at a word to their `maxLength`: the grammar leaves lengths out,
    since it would cut anywhere."""
    for tool in body.get("tools") or ():
        if tool["function"]["name"] == call.tool:
            return Call(call.tool, _fit(call.arguments, tool["function"].get("parameters") or {}))
    return call


def _fit(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        kinds = schema.get("properties", {})
        return {name: _fit(one, kinds.get(name, {})) for name, one in value.items()}
    if isinstance(value, list):
        return [_fit(one, schema.get("items", {})) for one in value]
    most = schema.get("maxLength", 0)
    if not isinstance(value, str) or not 0 < most < len(value):
        return value
    return value[: most - 1].rsplit(" ", 1)[0] + "…"


def same_call(call: Call, body: Mapping[str, Any]) -> bool:
    """Return True if the last call of the conversation is equal to `call`, long texts aside."""
    for message in reversed(body["messages"]):
        for made in message.get("tool_calls") or ():
            function = made["function"]
            arguments = _arguments(function["arguments"])
            short = {k: v for k, v in arguments.items() if k in call.arguments}
            return bool(function["name"] == call.tool and short == call.arguments)
    return False


def answer_message(call: Call, identity: str) -> dict[str, Any]:
    """Return the assistant message of the Chat Completions answer."""
    if call.tool == REPLY:
        return {"role": "assistant", "content": str(call.arguments.get("text", ""))}
    function = {"name": call.tool, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
    made = [{"id": identity, "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "tool_calls": made}


# ---------------------------------------------------------------- the prompt


def _guide(tools: Sequence[Mapping[str, Any]], long: Mapping[str, str], reply: bool) -> str:
    lines = ["Functions:"]
    lines += [f"- {_signature(tool, long.get(tool['name'], ''))}" for tool in tools]
    if reply:
        lines.append(f"- {REPLY}(text: string): say something and stop")
    lines.append('Answer with one JSON object: {"tool": "<name>", "arguments": {...}}')
    return "\n".join(lines)


def _signature(tool: Mapping[str, Any], long: str) -> str:
    schema = tool["parameters"]
    shown = {**schema, "properties": {n: k for n, k in schema["properties"].items() if n != long}}
    about = _brief(tool.get("description", ""), DESCRIPTION)
    return f"{tool['name']}({_fields(shown)}): {about}"


def _fields(schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", [])
    return ", ".join(
        f"{name}{'' if name in needed else '?'}: {_type(kind)}{_hint(kind)}"
        for name, kind in schema["properties"].items()
    )


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(json.dumps(value) for value in schema["enum"])
    for many in ("anyOf", "oneOf"):
        if many in schema:
            return "|".join(_type(one) for one in schema[many] if one.get("type") != "null")
    kind = schema.get("type", "any")
    if kind == "array":
        return f"[{_type(schema.get('items', {}))}, ...]"
    if kind == "object" and "properties" in schema:
        return "{" + _fields(schema) + "}"
    return str(kind)


def _hint(schema: Mapping[str, Any]) -> str:
    """Return what belongs in a text argument: without it a small model writes no more than a phrase."""
    about = _brief(schema.get("description", ""), HINT)
    return f" ({about})" if about and schema.get("type") == "string" else ""


def _brief(text: Any, limit: int) -> str:
    return " ".join(str(text).split())[:limit]


def _with_system(messages: list[dict[str, str]], text: str) -> list[dict[str, str]]:
    if messages and messages[0]["role"] == "system":
        return [{"role": "system", "content": f"{messages[0]['content']}\n\n{text}"}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def _render(messages: Sequence[Mapping[str, Any]], long: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Return the messages with neighbours of one role joined, since most chat templates need roles to
    alternate. `long` is None where no tools are offered: plain text stays plain then."""
    out: list[dict[str, str]] = []
    for message in messages:
        for role, text in _lines(message, long):
            if out and out[-1]["role"] == role and role != "system":
                out[-1]["content"] += "\n" + text
            else:
                out.append({"role": role, "content": text})
    return out


def _lines(message: Mapping[str, Any], long: Mapping[str, str] | None) -> list[tuple[str, str]]:
    role, text = str(message["role"]), _text(message.get("content"))
    if role == "tool":
        return [("user", f"Result: {text}")]
    if role == "developer":
        return [("system", text)]
    calls = message.get("tool_calls") or ()
    if not calls:
        said = json.dumps({"tool": REPLY, "arguments": {"text": text}}, ensure_ascii=False)
        return [(role, said if role == "assistant" and long is not None else text)]
    lines: list[tuple[str, str]] = []
    for call in calls:
        lines += _call_lines(call["function"], long or {})
    return lines


def _call_lines(function: Mapping[str, Any], long: Mapping[str, str]) -> list[tuple[str, str]]:
    call = Call(function["name"], _arguments(function["arguments"]))
    typed = call.arguments.get("stdin")
    if isinstance(typed, str) and len(typed) > STDIN_SHOWN:
        call.arguments["stdin"] = f"{typed[:STDIN_SHOWN]}…"
    name = long.get(call.tool, "")
    return shown_text(call, name) if name in call.arguments else [("assistant", call_text(call))]


def _arguments(raw: Any) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (TypeError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return str(content or "")


# ---------------------------------------------------------------- the schema


def _schema(tools: Sequence[Mapping[str, Any]], long: Mapping[str, str], reply: bool) -> dict[str, Any]:
    kinds = [_call_schema(t["name"], _arguments_schema(t, long.get(t["name"], ""))) for t in tools]
    if reply:
        said = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
        kinds.append(_call_schema(REPLY, {**said, "additionalProperties": False}))
    return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


def _call_schema(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"tool": {"const": name}, "arguments": arguments},
        "required": ["tool", "arguments"],
        "additionalProperties": False,
    }


def _arguments_schema(tool: Mapping[str, Any], long: str) -> dict[str, Any]:
    schema = tool["parameters"]
    properties = {name: kind for name, kind in schema["properties"].items() if name != long}
    return {**schema, "properties": properties, "required": [n for n in schema["required"] if n != long]}


# ---------------------------------------------------------------- tools for a small model


def _lean(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tool with a closed schema and without optional numbers and switches: a small model fills
    in whatever it may, and an invented revision number does more harm than the default."""
    schema = {"type": "object", "properties": {}, **(tool.get("parameters") or {})}
    return {**tool, "parameters": _closed(schema)}


def _closed(schema: Any) -> Any:
    """Return the schema without other keys in objects and length limits of strings, which cut words."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    if schema.get("type") == "object" and "properties" in schema:
        needed = schema.get("required", [])
        kept = {n: _closed(k) for n, k in schema["properties"].items() if n in needed or _is_text(k)}
        return {"type": "object", "properties": kept, "required": needed, "additionalProperties": False}
    return {key: _closed(value) for key, value in schema.items() if key not in _UNUSED}


def _is_text(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "string" or "enum" in schema or (kind == "array" and _is_text(schema.get("items", {})))
