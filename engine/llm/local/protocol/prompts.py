"""Prompts for long texts, which the model writes in a turn of their own, outside JSON; pure.

Files are written as a code block. Explanations for somebody else (`EXPLAINED`) are written as plain lines:
inside JSON a small model writes a mere phrase there, outside it what is wanted, with its numbers.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONG = ("content", "code", "details")
EXPLAINED = frozenset({"details"})
EXPLAINED_TOKENS = 250
SENTENCE_LENGTH = 20
FILES_SHOWN = 6_000
"""Characters of other files that are shown to who writes one; the latest."""

EXPLAIN_PROMPT = (
    "Now write the {argument} in full, for someone who does not know the goal, without code: what exactly "
    "it is, all its rules with all numbers, in which file, what goes in and what comes out. "
    "At most 10 short lines."
)

# Written as the start of the model's answer: after a conversation in JSON it would continue in JSON.
EXPLAIN_OPENING = "What is wanted: "

_LANGUAGES = {
    "py": "python", "js": "javascript", "ts": "typescript", "md": "markdown", "html": "html", "css": "css",
    "json": "json", "sh": "bash", "yml": "yaml", "yaml": "yaml", "toml": "toml", "sql": "sql", "c": "c",
}  # fmt: skip
_PROSE = frozenset({"md", "markdown", "rst", "txt"})
_SENTENCE = re.compile(r"[^.!?\n]*[.!?\n]?", re.S)
_FENCE = re.compile(r"\A\s*```+[^\n`]*\n")
_CLOSING = re.compile(r"\n?```+\s*\Z")


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that the model wrote under the schema."""

    tool: str
    arguments: dict[str, Any]


def long_argument(tool: Mapping[str, Any]) -> str:
    """Return the tool argument that is written in a turn of its own, "" for none."""
    properties = (tool.get("parameters") or {}).get("properties", {})
    return next((name for name in LONG if properties.get(name, {}).get("type") == "string"), "")


def call_text(call: Call) -> str:
    """Return the call as the JSON text that the model writes."""
    return json.dumps({"tool": call.tool, "arguments": call.arguments}, ensure_ascii=False)


def ask_for_text(call: Call, argument: str) -> list[dict[str, str]]:
    """Return the second turn: the model's own call, the request for the text, and the text's opening."""
    opening = EXPLAIN_OPENING if argument in EXPLAINED else _opening(call.arguments)
    return [
        {"role": "assistant", "content": call_text(call)},
        {"role": "user", "content": _request(call.arguments, argument)},
        {"role": "assistant", "content": opening},
    ]


def ask_from_brief(brief: str, files: Mapping[str, str], call: Call) -> list[dict[str, str]]:
    """Return the turn in which a file is written from a brief: that, the other files, and its opening."""
    path = str(call.arguments.get("path", ""))
    there = [_block(name, text) for name, text in files.items() if name != path]
    while sum(map(len, there)) > FILES_SHOWN:
        there.pop(0)
    request = f"Write the whole file {path}, in one code block." if path else "Write it in one code block."
    return [
        {"role": "user", "content": "\n\n".join([brief, *there, request])},
        {"role": "assistant", "content": _opening(call.arguments)},
    ]


def _block(path: str, text: str) -> str:
    named = {"path": path}
    return f"{path}, which is there already:\n{_opening(named)}{text.rstrip()}\n{fence_of(named)}"


def shown_text(call: Call, argument: str) -> list[tuple[str, str]]:
    """Return an earlier call with its text as the two turns that made it: (role, content) pairs."""
    short = Call(call.tool, {name: value for name, value in call.arguments.items() if name != argument})
    text = str(call.arguments[argument]).strip("\n")
    if argument in EXPLAINED:
        text = EXPLAIN_OPENING + text
    else:
        text = f"{_opening(short.arguments)}{text}\n{fence_of(short.arguments)}"
    return [
        ("assistant", call_text(short)),
        ("user", _request(short.arguments, argument)),
        ("assistant", text),
    ]


def stop_of(call: Call, argument: str) -> str:
    """Return the stop sequence: the block's fence; an explanation ends where code would start."""
    return "```" if argument in EXPLAINED else f"\n{fence_of(call.arguments)}"


def text_of(answer: str, argument: str) -> str:
    """Return the text in the answer to the second turn; a text file ends with a newline."""
    if argument in EXPLAINED:
        return _without_repeats(answer.removeprefix(EXPLAIN_OPENING)).strip()
    return _CLOSING.sub("", _FENCE.sub("", answer, count=1)).strip("\n") + "\n"


def _without_repeats(text: str) -> str:
    """Return the text without repeated sentences (a partial one counts): small models loop until stopped."""
    kept: dict[str, None] = {}
    out = []
    for sentence in _SENTENCE.findall(text):
        words = sentence.strip()
        if len(words) < SENTENCE_LENGTH or not any(said.startswith(words) for said in kept):
            kept[words] = None
            out.append(sentence)
    return "".join(out)


def is_sound(path: str, text: str) -> bool:
    """Return False if a Python or JSON file does not parse; nothing is run."""
    try:
        if path.endswith(".py"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(text)
        elif path.endswith(".json"):
            json.loads(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _request(arguments: Mapping[str, Any], argument: str) -> str:
    if argument in EXPLAINED:
        return EXPLAIN_PROMPT.format(argument=argument)
    named = arguments.get("path") or "it"
    return f"Now write the full {argument} of {named}, as the goal says, in one code block."


def _opening(arguments: Mapping[str, Any]) -> str:
    return f"{fence_of(arguments)}{_LANGUAGES.get(_suffix(arguments), '')}\n"


def fence_of(arguments: Mapping[str, Any]) -> str:
    """Return the block's fence: a longer one around prose, which may hold blocks of its own."""
    return "````" if _suffix(arguments) in _PROSE else "```"


def _suffix(arguments: Mapping[str, Any]) -> str:
    return str(arguments.get("path", "")).rpartition(".")[2].lower()
