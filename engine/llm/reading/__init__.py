"""Read what a model plainly meant: remove thoughts, repair names and arguments, parse calls written as text.

Pure and the same for every provider; only complete calls of offered tools are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.llm.reading.arguments import repaired_arguments
from engine.llm.reading.formats import arguments_in_name
from engine.llm.reading.names import expanded, known_name
from engine.llm.reading.textcalls import calls_in_text
from engine.llm.reading.thinking import without_thoughts
from engine.ports import ChatAnswer, ToolCall, ToolSpec

_ENDS_IN_CALL = re.compile(
    r"(?:</[\w:]*(?:tool_?calls?|function(?:_?calls?)?|invoke)>|[|\uff5c]>|\})\s*(?:```)?\s*"
    r"(?:</[\w:]+>\s*)*\Z"
)
_LONG = 2_000
"""Shorter arguments that are no JSON are badly written rather than cut."""

UNREAD = (
    "Your last answer held a tool call written as text, which was not understood and not done. Call tools "
    "through the tool interface, with the arguments as one JSON object."
)
SHOWN = (
    "Your last answer showed a tool call as text, with other words after it or around it; it was not done. "
    "If you meant it, call the tool through the tool interface; if you only explained it, go on."
)


def read_answer(answer: ChatAnswer, tools: tuple[ToolSpec, ...], filler: str = "") -> ChatAnswer:
    """Return the answer as the model meant it; `filler` is a text it may have copied from its own history."""
    text = without_thoughts(answer.text)
    schemas = {tool.name: tool.parameters for tool in tools}
    calls = tuple(_repaired(call, schemas) for made in answer.tool_calls for call in expanded(made, schemas))
    trouble = answer.trouble
    if tools:
        found = calls_in_text(text, schemas)
        text = found.rest
        if not calls:
            read = [
                _repaired(ToolCall(f"text{n}", c.name, c.arguments), schemas)
                for n, c in enumerate(found.calls)
            ]
            calls = tuple(read)
            trouble = trouble or ("" if read else UNREAD if found.broken else SHOWN if found.shown else "")
    if tools and not (text.strip() or calls or answer.cut):
        calls = _thought_calls(answer, schemas)
        trouble = "" if calls else trouble
    text = "" if filler and text.strip() == filler else text
    cut = answer.cut or (bool(calls) and _is_unfinished(calls[-1].arguments))
    finish = "length" if cut else answer.finish_reason
    return replace(answer, text=text, tool_calls=calls, trouble=trouble, thoughts="", finish_reason=finish)


def _is_unfinished(arguments: str) -> bool:
    """Return whether long arguments end within their JSON: they were cut, whatever the endpoint says."""
    if len(arguments) < _LONG or not arguments.lstrip().startswith("{"):
        return False
    try:
        json.loads(arguments, strict=False)
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated string") or error.pos >= len(arguments.rstrip())
    except RecursionError:
        pass
    return False


def _thought_calls(answer: ChatAnswer, schemas: Mapping[str, Mapping[str, Any]]) -> tuple[ToolCall, ...]:
    """Return the calls with which the thoughts of an otherwise empty answer end: some servers, and models
    that leave their thoughts open, put them there."""
    thoughts = answer.thoughts or answer.text
    if not _ENDS_IN_CALL.search(thoughts):
        return ()
    found = calls_in_text(thoughts, schemas)
    made = () if found.broken else found.calls
    return tuple(_repaired(ToolCall(f"text{n}", c.name, c.arguments), schemas) for n, c in enumerate(made))


def _repaired(call: ToolCall, schemas: Mapping[str, Mapping[str, Any]]) -> ToolCall:
    name, given = known_name(call.name, schemas), call.arguments
    if given.strip() in ("", "{}", "null"):
        given = arguments_in_name(call.name) or given
    schema = schemas.get(name, {})
    return ToolCall(call.id, name, repaired_arguments(given, schema, name))
