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

from engine.llm.local.authoring.functions import Function

LONG = ("content", "code", "details")
EXPLAINED = frozenset({"details"})
EXPLAINED_TOKENS = 250
SENTENCE_LENGTH = 20

# The same for every task; measured on whole programs and plans of the standard model.
WRITE_PROMPT = (
    "Write complete, correct, working code. First every number of the rules as a named constant at the top. "
    "Then small functions that use these constants, each with a docstring that states exactly what it "
    "returns for which input; no special cases where a general loop does. "
    "Whatever a person types is checked: what is wrong is told and asked for again. "
)
REWRITE_PROMPT = (
    "This is {path}, without the body of {name}:\n```python\n{program}```\n{wrong}"
    "Now write the function {name} alone in one code block, right for every case, also at the edges, with "
    "loops instead of special cases. Its docstring states exactly what it returns when, with all numbers."
)
FIX_PROMPT = (
    "This is {path}:\n```python\n{program}```\nWhen it ran it failed in {name}: {fault}\n"
    "Now write the function {name} alone in one code block, with that mended and all else as it is.{hint}"
)
INPUT_VALIDATION_HINT = (
    " A person may type anything, also nothing: what is wrong is told and asked for again."
)
EXPLAIN_PROMPT = (
    "Now write the {argument} in full, for someone who does not know the goal, without code: what exactly "
    "it is, all its rules with all numbers, in which file, what goes in and what comes out. "
    "At most 10 short lines."
)

# Written as the start of the model's answer: after a conversation in JSON it would continue in JSON.
EXPLAIN_OPENING = "What is wanted: "

# Tuned on rules of a two-player program. Where the answer starts with the name of the thing, 6 of 6
# specifications of a named thing were of that thing (with "It is " 4 of 6, with EXPLAIN_OPENING 2 of 4):
# a small model knows more about a name than about a description.
SPEC_PROMPT = (
    "Before you write it: what exactly is it, and what are its rules? Tell it to someone who has never heard "
    "of it, with all numbers: sizes, who does what in which order, when it ends and who or what decides. At "
    "most 8 short lines, no code."
)
SPEC_OPENING = "It is called "

DOCSTRING = '    """'

_LANGUAGES = {
    "py": "python", "js": "javascript", "ts": "typescript", "md": "markdown", "html": "html", "css": "css",
    "json": "json", "sh": "bash", "yml": "yaml", "yaml": "yaml", "toml": "toml", "sql": "sql", "c": "c",
}  # fmt: skip
_PROSE = frozenset({"md", "markdown", "rst", "txt"})
_SENTENCE = re.compile(r"[^.!?\n]*[.!?\n]?", re.S)
NUMBER_WORDS = {
    "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12,
}  # fmt: skip
_LINE_NUMBER = re.compile(r"^\s*\d+[.)]\s", re.M)
_RANGE = re.compile(r"\b\d+\s*(?:-|to|through)\s*\d+\b")
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


def ask_for_spec(call: Call) -> list[dict[str, str]]:
    """Return a turn that asks for a specification before the text, with the opening of the answer."""
    return [
        {"role": "assistant", "content": call_text(call)},
        {"role": "user", "content": SPEC_PROMPT},
        {"role": "assistant", "content": SPEC_OPENING},
    ]


def ask_to_rewrite(path: str, program: str, name: str, opening: str, wrong: str) -> list[dict[str, str]]:
    """Return a turn that rewrites one function, starting with `opening`; `wrong` says what was found."""
    text = REWRITE_PROMPT.format(path=path, program=program, name=name, wrong=f"{wrong}\n" if wrong else "")
    return [
        {"role": "user", "content": text},
        {"role": "assistant", "content": f"```python\n{opening}"},
    ]


def ask_to_repair(path: str, program: str, function: Function, fault: str) -> list[dict[str, str]]:
    """Return a turn that repairs one function of a program shown whole; `fault` says how it failed."""
    hint = INPUT_VALIDATION_HINT if function.talks else ""
    text = FIX_PROMPT.format(path=path, program=program, name=function.name, fault=fault, hint=hint)
    return [
        {"role": "user", "content": text},
        {"role": "assistant", "content": f"```python\n{function.head}\n"},
    ]


def numbers_in(account: str) -> frozenset[int]:
    """Return the numbers that a specification names in digits or words, from three up.

    Smaller ones are in every program. Line numbers and the ends of ranges are left out.
    """
    plain = _RANGE.sub(" ", _LINE_NUMBER.sub("", account)).lower()
    digits = {int(found) for found in re.findall(r"\d{1,4}", plain)}
    words = {NUMBER_WORDS[word] for word in re.findall(r"[a-z]+", plain) if word in NUMBER_WORDS}
    return frozenset(number for number in digits | words if number > 2)


def code_after(answer: str, opening: str) -> str:
    """Return `opening` and the code after it, whether or not the answer repeats the opening."""
    text = _FENCE.sub("", answer, count=1)
    return text if text.startswith(opening[:40]) else opening + text


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
    manner = WRITE_PROMPT if _suffix(arguments) in _LANGUAGES.keys() - _PROSE else ""
    return f"{manner}Now write the full {argument} of {arguments.get('path') or 'it'} in one code block."


def _opening(arguments: Mapping[str, Any]) -> str:
    return f"{fence_of(arguments)}{_LANGUAGES.get(_suffix(arguments), '')}\n"


def fence_of(arguments: Mapping[str, Any]) -> str:
    """Return the block's fence: a longer one around prose, which may hold blocks of its own."""
    return "````" if _suffix(arguments) in _PROSE else "```"


def _suffix(arguments: Mapping[str, Any]) -> str:
    return str(arguments.get("path", "")).rpartition(".")[2].lower()
