"""Find and replace functions in the text of a Python program; pure."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass

_BRANCHES = (ast.For, ast.While, ast.If, ast.comprehension, ast.Compare, ast.BoolOp)
_TALKS = frozenset({"input", "print"})


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method: name, line range (from 1, last included), head as written, branch count
    (`weight`), and whether it calls input or print (`talks`)."""

    name: str
    first: int
    last: int
    indent: int
    head: str
    weight: int
    talks: bool


def functions_of(program: str) -> list[Function]:
    """Return all functions and methods of a program; none if it does not parse."""
    try:
        tree = ast.parse(program)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    lines = program.splitlines()
    return [_function(node, lines) for body in bodies for node in body if isinstance(node, ast.FunctionDef)]


def _function(node: ast.FunctionDef, lines: list[str]) -> Function:
    inside = list(ast.walk(node))
    calls = {n.func.id for n in inside if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    head = lines[node.lineno - 1 : max(node.body[0].lineno - 1, node.lineno)]
    while len(head) > 1 and not head[-1].split("#")[0].rstrip().endswith(":"):
        head.pop()
    return Function(
        name=node.name,
        first=first,
        last=node.end_lineno or node.lineno,
        indent=node.col_offset,
        head=textwrap.dedent("\n".join(head)),
        weight=sum(isinstance(n, _BRANCHES) for n in inside),
        talks=bool(calls & _TALKS),
    )


def suspects(program: str) -> list[Function]:
    """Return the functions to rewrite, most branches first; those that do input or output are left out."""
    quiet = (f for f in functions_of(program) if not f.talks and f.weight)
    return sorted(quiet, key=lambda f: -f.weight)


def without(program: str, function: Function) -> str:
    """Return the program with the function's body replaced by `...`."""
    lines = program.splitlines()
    gap = textwrap.indent(f"{function.head}\n    ...", " " * function.indent)
    return "\n".join([*lines[: function.first - 1], gap, *lines[function.last :]]) + "\n"


def with_function(program: str, function: Function, text: str) -> str | None:
    """Return the program with the function taken from `text`; None if `text` does not define it."""
    replacement = next((f for f in functions_of(text) if f.name == function.name), None)
    if replacement is None:
        return None
    body = textwrap.dedent("\n".join(text.splitlines()[replacement.first - 1 : replacement.last]))
    lines = program.splitlines()
    changed = [*lines[: function.first - 1], textwrap.indent(body, " " * function.indent)]
    return "\n".join([*changed, *lines[function.last :]]) + "\n"


def unused_constants(program: str) -> list[str]:
    """Return top-level `NAME = number` lines that no code reads: probably a rule that is not implemented.

    Three or more consecutive values are an enumeration and are left out.
    """
    try:
        tree = ast.parse(program)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    numbers = [pair for node in tree.body for pair in _number(node)]
    return [
        f"{name} = {value}"
        for at, (name, value) in enumerate(numbers)
        if name not in used and not _counts_up(numbers, at)
    ]


def numbers_of(program: str) -> frozenset[int]:
    """Return every integer literal of a program; none if it does not parse."""
    try:
        tree = ast.parse(program)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return frozenset()
    values = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return frozenset(value for value in values if type(value) is int)


def function_printing(program: str, words: frozenset[str]) -> Function | None:
    """Return the function whose string literals hold most of `words`; None if none holds any."""
    talking = [one for one in functions_of(program) if one.talks]
    tree = ast.parse(program) if talking else ast.Module([], [])
    counted = [(len(words & _words(tree, one)), one) for one in talking]
    most, function = max(counted, key=lambda pair: pair[0], default=(0, None))
    return function if most else None


def _words(tree: ast.Module, function: Function) -> frozenset[str]:
    """Return the words in the string literals of one function."""
    inside = range(function.first, function.last + 1)
    texts = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and n.lineno in inside)
    return frozenset(word for text in texts if isinstance(text, str) for word in re.findall(r"\w+", text))


def _number(node: ast.stmt) -> list[tuple[str, int]]:
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
        return []
    value = node.value.value
    names = [target.id for target in node.targets if isinstance(target, ast.Name) and target.id.isupper()]
    return [(name, value) for name in names] if type(value) is int else []


def _counts_up(numbers: list[tuple[str, int]], at: int) -> bool:
    first = last = at
    while first and numbers[first - 1][1] == numbers[first][1] - 1:
        first -= 1
    while last + 1 < len(numbers) and numbers[last + 1][1] == numbers[last][1] + 1:
        last += 1
    return last - first >= 2
