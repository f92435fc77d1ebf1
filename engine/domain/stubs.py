"""Functions that somebody left empty, found in the text of a program without running it. Pure.

Empty on purpose is not a stub: abstract methods and protocols, hooks that a subclass or a library fills,
decorated functions (click groups, fixtures), special methods, and what is named to do nothing.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping

_NOTHING = re.compile(r"no_?op|nothing|ignore|dummy|silent|null|placeholder|stub", re.I)
_TODO = re.compile(
    r"#.*\b(?:todo|fixme|not implemented|placeholder|implement(?:ation)?\b.*\bhere|your code|your logic|"
    r"to be implemented|implementation to|logic here)\b",
    re.I,
)
_TESTS = re.compile(r"(?:^|/)tests?/|(?:^|/)test[^/]*$|_tests?\.py$")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def parsed(text: str) -> ast.Module | None:
    """Return the syntax tree of a program; None if it does not compile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def empty_functions(programs: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (path, name) of each function that is a stub, in order."""
    trees = {path: tree for path, text in programs.items() if (tree := parsed(text)) is not None}
    bases = {name for tree in trees.values() for name in _base_names(tree)}
    return [
        (path, name)
        for path, tree in trees.items()
        if not path.endswith(("__init__.py", "conftest.py"))
        for name in _stubs_of(path, tree, programs[path].splitlines(), bases)
    ]


def _base_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (_last_name(base) for base in node.bases)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _stubs_of(path: str, tree: ast.Module, lines: list[str], bases: set[str]) -> Iterator[str]:
    tests = bool(_TESTS.search(path))
    for node in tree.body:
        if (
            isinstance(node, _Function)
            and _is_stub(node, lines)
            and (not tests or node.name.startswith("test"))
        ):
            yield node.name
        if isinstance(node, ast.ClassDef) and not _is_open(node, bases) and not tests:
            for inner in node.body:
                if isinstance(inner, _Function) and not _is_special(inner.name) and _is_stub(inner, lines):
                    yield f"{node.name}.{inner.name}"


def _is_open(node: ast.ClassDef, bases: set[str]) -> bool:
    """Return whether methods of a class may be empty: it has a base whose hooks they are, is one itself, or
    is abstract."""
    own = [name for base in node.bases if (name := _last_name(base)) != "object"]
    abstract = any(isinstance(inner, _Function) and inner.decorator_list for inner in node.body)
    return (
        bool(own) or bool(node.keywords) or node.name in bases or (abstract and "abstract" in ast.dump(node))
    )


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_stub(node: _Function, lines: list[str]) -> bool:
    if node.decorator_list or _NOTHING.search(node.name):
        return False
    body = [each for each in node.body if not _is_text(each)]
    if not body:
        return True
    if len(body) > 1:
        return False
    only = body[0]
    if isinstance(only, ast.Pass) or _raises_not_implemented(only):
        return True
    said = "\n".join(lines[node.lineno - 1 : node.end_lineno])
    return isinstance(only, ast.Return) and _is_constant(only.value) and bool(_TODO.search(said))


def _is_text(node: ast.stmt) -> bool:
    """Return whether a statement is a docstring or `...`."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _raises_not_implemented(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Raise) or node.exc is None:
        return False
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return isinstance(raised, ast.expr) and _last_name(raised) == "NotImplementedError"


def _is_constant(value: ast.expr | None) -> bool:
    if value is None or isinstance(value, ast.Constant):
        return True
    return isinstance(value, ast.List | ast.Tuple | ast.Dict | ast.Set) and not any(
        ast.iter_child_nodes(value)
    )
