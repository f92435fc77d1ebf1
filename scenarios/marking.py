"""Items of known benchmarks: what is asked, and marking the answer in the sandbox."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from engine.errors import EngineError, Invalid
from engine.ports import RunRequest, Sandbox

Kind = Literal["humaneval", "mbpp", "gsm8k", "math"]

MARK_S = 20.0
_STYLE = re.compile(
    r"\\(left|right|displaystyle|!|,|;|:|quad)(?![a-zA-Z])|\^\{?\\circ\}?|\\(degree|%)|[$%]|\s"
)
_UNITS = re.compile(r"(?<=[\d}])\s*\\(text|mbox)\{\s+[^{}]*\}(\^\{?\d\}?)?[\s$.]*$")
"""Units after a value, which the benchmark's own marking leaves out."""

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `tests` is a program to run after the answer (empty: `expected` is compared)."""

    kind: Kind
    name: str
    question: str
    tests: str = ""
    expected: str = ""

    @property
    def answer_file(self) -> str:
        """Where the answer is looked for."""
        return "answer.txt" if self.kind in ("gsm8k", "math") else "solution.py"


def load_items(kind: Kind, path: Path) -> list[Item]:
    """Items of a JSONL file. Raises Invalid for a file that cannot be read or a line of another kind."""
    items: list[Item] = []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            f"{path} cannot be read ({error}).", "Give a file of items, one JSON object a line."
        ) from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                items.append(_READERS[kind](json.loads(line), number))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise Invalid(
                    f"Line {number} of {path.name} is no {kind} item ({error}).", "Correct it."
                ) from error
    return items


def _humaneval(row: Any, number: int) -> Item:
    tests = f"{row['test']}\ncheck({row['entry_point']})\n"
    return Item("humaneval", str(row.get("task_id", number)), row["prompt"], tests)


def _mbpp(row: Any, number: int) -> Item:
    text = row.get("text") or row["prompt"]
    tests = "\n".join([row.get("test_setup_code", ""), *row["test_list"]]) + "\n"
    question = f"{text}\nIt must pass such tests as: {row['test_list'][0]}"
    return Item("mbpp", str(row.get("task_id", number)), question, tests)


def _gsm8k(row: Any, number: int) -> Item:
    expected = row["answer"].rsplit("####", 1)[1].strip().replace(",", "")
    return Item("gsm8k", str(row.get("task_id", number)), row["question"], expected=expected)


def _math(row: Any, number: int) -> Item:
    expected = row.get("answer") or boxed(row["solution"])
    if not expected:
        raise ValueError("its solution has no boxed answer")
    name = str(row.get("unique_id") or row.get("task_id", number))
    return Item("math", name, row["problem"], expected=expected)


def boxed(text: str) -> str:
    """Return what stands in the last \\boxed{...} of a solution, "" without one."""
    start = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if start < 0:
        return ""
    first = text.index("{", start) + 1
    depth, at = 1, first
    while at < len(text) and depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return text[first : at - 1]


def plain_math(text: str) -> str:
    """Return an answer without what does not change its value: spaces, dollars, size and style commands,
    units, the name of the unknown (the rules of the MATH benchmark's marking)."""
    text = boxed(text) or text.strip().splitlines()[-1] if text.strip() else ""
    text = _UNITS.sub("", text)
    text = _STYLE.sub("", text)
    text = re.sub(r"\\(text|mbox|mathrm|textbf)\{([^{}]*)\}", r"\2", text)
    text = re.sub(r"^[a-zA-Z]{1,2}=", "", text)
    text = re.sub(r"\\sqrt(\w)", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![\d.])\.(?=\d)", "0.", text)
    text = re.sub(r"\\[dt]frac", r"\\frac", text)
    text = re.sub(r"\\frac(\d)(\d)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"^(-?)\\frac\{(-?\d+)\}\{(\d+)\}$", r"\1\2/\3", text)
    return re.sub(r"(?<=\d),(?=\d{3}(\D|$))", "", text).rstrip(".")


def _same_math(answer: str, expected: str) -> tuple[bool, str]:
    got, wanted = plain_math(answer), plain_math(expected)
    try:
        return Fraction(got) == Fraction(wanted), f"{got}, expected {wanted}"
    except (ValueError, ZeroDivisionError):
        return got == wanted and bool(got), f"{got[:60]}, expected {wanted[:60]}"


_READERS = {"humaneval": _humaneval, "mbpp": _mbpp, "gsm8k": _gsm8k, "math": _math}


def goal_of(item: Item) -> str:
    """The item as a goal in plain words."""
    if item.kind == "gsm8k":
        return f"Write the answer to this, only the number, into answer.txt:\n{item.question}"
    if item.kind == "math":
        return f"Write the answer to this, only the answer as LaTeX, into answer.txt:\n{item.question}"
    if item.kind == "humaneval":
        return f"Write solution.py with this function, complete and working:\n{item.question}"
    return f"Write solution.py: {item.question}"


async def mark(item: Item, answer: bytes | None, sandbox: Sandbox) -> tuple[bool, str]:
    """(passed, what was seen)."""
    if answer is None:
        return False, f"there is no {item.answer_file}"
    if item.kind == "gsm8k":
        return _compare(answer.decode("utf-8", "replace"), item.expected)
    if item.kind == "math":
        return _same_math(answer.decode("utf-8", "replace"), item.expected)
    files = {"solution.py": answer, "mark.py": b"from solution import *\n" + item.tests.encode()}
    try:
        result = await sandbox.run(RunRequest(("python", "mark.py"), files, timeout_s=MARK_S))
    except EngineError as error:
        return False, str(error)
    passed = result.exit_code == 0 and result.ended == "exit"
    lines = result.output.strip().splitlines()
    return passed, "passed" if passed else f"{result.ended} {result.exit_code}: {lines[-1] if lines else ''}"


def _compare(answer: str, expected: str) -> tuple[bool, str]:
    """The last number of the answer against the expected one."""
    numbers = _NUMBER.findall(answer)
    if not numbers:
        return False, "the answer holds no number"
    got = numbers[-1].replace(",", "")
    return float(got) == float(expected), f"{got}, expected {expected}"
