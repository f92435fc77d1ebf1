"""Long texts, pure: asked for in a turn of their own, outside JSON, and shown so in the history.

Files are written as a code block. What is to be explained to somebody (`EXPLAINED`) is written as plain
lines: inside JSON a small model writes a phrase there, outside it what is wanted, with its numbers.
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
WRITING = (
    "Write complete, correct, working code. First every number of the rules as a named constant at the top. "
    "Then small functions that use these constants, each with a docstring that states exactly what it "
    "returns for which input; no special cases where a general loop does. "
    "Whatever a person types is checked: what is wrong is told and asked for again. "
)
REWRITING = (
    "This is {path}, without the body of {name}:\n```python\n{program}```\n{wrong}"
    "Now write the function {name} alone in one code block, right for every case, also at the edges, with "
    "loops instead of special cases. Its docstring states exactly what it returns when, with all numbers."
)
MENDING = (
    "This is {path}:\n```python\n{program}```\nWhen it ran it failed in {name}: {fault}\n"
    "Now write the function {name} alone in one code block, with that mended and all else as it is.{care}"
)
CARE = " A person may type anything, also nothing: what is wrong is told and asked for again."
EXPLAINING = (
    "Now write the {argument} in full, for someone who does not know the goal, without code: what exactly "
    "it is, all its rules with all numbers, in which file, what goes in and what comes out. "
    "At most 10 short lines."
)

# Begun for the model: after a talk in JSON it goes on in JSON otherwise.
EXPLANATION = "What is wanted: "

# Begun with the name of the thing, 6 of 6 accounts of a named thing were of that thing (with "It is " 4 of 6,
# with EXPLANATION 2 of 4): a small model knows more of a name than of a description.
UNDERSTANDING = (
    "Before you write it: what exactly is it, and what are its rules? Tell it to someone who has never heard "
    "of it, with all numbers: sizes, who does what in which order, when it ends and who or what decides. At "
    "most 8 short lines, no code."
)
UNDERSTOOD = "It is called "

DOCSTRING = '    """'

_LANGUAGES = {
    "py": "python", "js": "javascript", "ts": "typescript", "md": "markdown", "html": "html", "css": "css",
    "json": "json", "sh": "bash", "yml": "yaml", "yaml": "yaml", "toml": "toml", "sql": "sql", "c": "c",
}  # fmt: skip
_PROSE = frozenset({"md", "markdown", "rst", "txt"})
_SENTENCE = re.compile(r"[^.!?\n]*[.!?\n]?", re.S)
NUMBERS = {
    "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12,
}  # fmt: skip
_LINE_NUMBER = re.compile(r"^\s*\d+[.)]\s", re.M)
_RANGE = re.compile(r"\b\d+\s*(?:-|to|through)\s*\d+\b")
_FENCE = re.compile(r"\A\s*```+[^\n`]*\n")
_CLOSING = re.compile(r"\n?```+\s*\Z")


@dataclass(frozen=True, slots=True)
class Call:
    """A call the model made under the schema."""

    tool: str
    arguments: dict[str, Any]


def long_argument(tool: Mapping[str, Any]) -> str:
    """The argument of a tool that is written in a turn of its own, "" for none."""
    properties = (tool.get("parameters") or {}).get("properties", {})
    return next((name for name in LONG if properties.get(name, {}).get("type") == "string"), "")


def call_text(call: Call) -> str:
    """The call as the model writes it."""
    return json.dumps({"tool": call.tool, "arguments": call.arguments}, ensure_ascii=False)


def ask_for_text(call: Call, argument: str) -> list[dict[str, str]]:
    """The second turn: the model's own call, the request for the text, and how the text begins."""
    opening = EXPLANATION if argument in EXPLAINED else _opening(call.arguments)
    return [
        {"role": "assistant", "content": call_text(call)},
        {"role": "user", "content": _request(call.arguments, argument)},
        {"role": "assistant", "content": opening},
    ]


def ask_for_spec(call: Call) -> list[dict[str, str]]:
    """A turn before the text: the model's own account of what is wanted, and how it begins."""
    return [
        {"role": "assistant", "content": call_text(call)},
        {"role": "user", "content": UNDERSTANDING},
        {"role": "assistant", "content": UNDERSTOOD},
    ]


def ask_to_rewrite(path: str, program: str, name: str, begun: str, wrong: str) -> list[dict[str, str]]:
    """A turn that writes one function of a program anew, `begun` for it; `wrong` is what was seen."""
    text = REWRITING.format(path=path, program=program, name=name, wrong=f"{wrong}\n" if wrong else "")
    return [
        {"role": "user", "content": text},
        {"role": "assistant", "content": f"```python\n{begun}"},
    ]


def ask_to_repair(path: str, program: str, function: Function, fault: str) -> list[dict[str, str]]:
    """A turn that mends one function of a program, seen whole; `fault` is how it failed."""
    care = CARE if function.talks else ""
    text = MENDING.format(path=path, program=program, name=function.name, fault=fault, care=care)
    return [
        {"role": "user", "content": text},
        {"role": "assistant", "content": f"```python\n{function.head}\n"},
    ]


def numbers_in(account: str) -> frozenset[int]:
    """The numbers an account of something names, in digits or words, from three: smaller ones are in every
    program. Numbers of its lines and ends of ranges are none."""
    plain = _RANGE.sub(" ", _LINE_NUMBER.sub("", account)).lower()
    digits = {int(found) for found in re.findall(r"\d{1,4}", plain)}
    words = {NUMBERS[word] for word in re.findall(r"[a-z]+", plain) if word in NUMBERS}
    return frozenset(number for number in digits | words if number > 2)


def code_after(answer: str, begun: str) -> str:
    """The code that was begun, whether the answer repeats its begin or goes on after it."""
    text = _FENCE.sub("", answer, count=1)
    return text if text.startswith(begun[:40]) else begun + text


def shown_text(call: Call, argument: str) -> list[tuple[str, str]]:
    """A call of the past with its text, in the words of the two turns that made it (role, content)."""
    short = Call(call.tool, {name: value for name, value in call.arguments.items() if name != argument})
    text = str(call.arguments[argument]).strip("\n")
    if argument in EXPLAINED:
        text = EXPLANATION + text
    else:
        text = f"{_opening(short.arguments)}{text}\n{fence_of(short.arguments)}"
    return [
        ("assistant", call_text(short)),
        ("user", _request(short.arguments, argument)),
        ("assistant", text),
    ]


def stop_of(call: Call, argument: str) -> str:
    """What ends the text: its block's fence; an explanation ends where code would begin."""
    return "```" if argument in EXPLAINED else f"\n{fence_of(call.arguments)}"


def text_of(answer: str, argument: str) -> str:
    """The text in the answer to the second turn; a text file ends with a newline."""
    if argument in EXPLAINED:
        return _without_repeats(answer.removeprefix(EXPLANATION)).strip()
    return _CLOSING.sub("", _FENCE.sub("", answer, count=1)).strip("\n") + "\n"


def _without_repeats(text: str) -> str:
    """Sentences said once (a begun one counts); small models go round in circles until they are stopped."""
    kept: dict[str, None] = {}
    out = []
    for sentence in _SENTENCE.findall(text):
        words = sentence.strip()
        if len(words) < SENTENCE_LENGTH or not any(said.startswith(words) for said in kept):
            kept[words] = None
            out.append(sentence)
    return "".join(out)


def is_sound(path: str, text: str) -> bool:
    """Whether a file of a kind that can be parsed does parse; nothing is run."""
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
        return EXPLAINING.format(argument=argument)
    manner = WRITING if _suffix(arguments) in _LANGUAGES.keys() - _PROSE else ""
    return f"{manner}Now write the full {argument} of {arguments.get('path') or 'it'} in one code block."


def _opening(arguments: Mapping[str, Any]) -> str:
    return f"{fence_of(arguments)}{_LANGUAGES.get(_suffix(arguments), '')}\n"


def fence_of(arguments: Mapping[str, Any]) -> str:
    """The fence of the block: a longer one around prose, which may hold blocks of its own."""
    return "````" if _suffix(arguments) in _PROSE else "```"


def _suffix(arguments: Mapping[str, Any]) -> str:
    return str(arguments.get("path", "")).rpartition(".")[2].lower()
