"""Functions that somebody left empty in a Python program, found in its text without running it. Pure.

Empty on purpose is not a stub: abstract methods and protocols, hooks that a subclass or a library fills,
handlers that are given to others, decorated functions (click groups, fixtures), special methods, and what
is named, or said in a comment, to do nothing.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.domain.source import source_of
from engine.domain.stub_words import HANDLER, NOTHING, ON_PURPOSE, TODO, UNFINISHED

_BASE = re.compile(r"Base|Abstract|Handler|Listener|Null|Dev[Nn]ull|Interface|Protocol|Mixin|Plugin|Visitor")
"""In the name of a class: its methods may be left to others."""
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
    """Return (path, name) of each function, or class, that is a stub, in order."""
    trees = {path: tree for path, text in programs.items() if (tree := parsed(text)) is not None}
    bases = {name for tree in trees.values() for name in _base_names(tree)}
    return [
        (path, name)
        for path, tree in trees.items()
        if not path.endswith(("__init__.py", "conftest.py", ".pyi"))
        for name in _stubs_of(_Program.of(path, programs[path], tree), bases)
    ]


@dataclass(frozen=True, slots=True)
class _Program:
    """A program: its tree, its comments by line, the names it hands on, and whether it is a test."""

    tree: ast.Module
    comments: Mapping[int, str]
    handed_on: frozenset[str]
    tests: bool

    @classmethod
    def of(cls, path: str, text: str, tree: ast.Module) -> _Program:
        """Return what is looked at of a program."""
        source = source_of(".py", text)
        comments = {text.count("\n", 0, at) + 1: said for at, said in source.comments} if source else {}
        return cls(tree, comments, frozenset(_handed_on(tree)), bool(_TESTS.search(path)))

    def said_in(self, node: ast.stmt) -> list[str]:
        """Return the comments in a function or class, and the docstring."""
        last = node.end_lineno or node.lineno
        after = last + 1  # a comment may stand after the last statement
        said = [text for line, text in self.comments.items() if node.lineno <= line <= after]
        document = ast.get_docstring(node) if isinstance(node, _Function | ast.ClassDef) else None
        return [*said, *([document] if document else [])]


def _handed_on(tree: ast.Module) -> Iterator[str]:
    """Yield the names that are used other than to be called: given to others, or kept."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in called:
            yield _last_name(node)


def _base_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (_last_name(base) for base in node.bases)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _stubs_of(program: _Program, bases: set[str]) -> Iterator[str]:
    for node in program.tree.body:
        if (
            isinstance(node, _Function)
            and _is_stub(node, program)
            and (not program.tests or node.name.startswith("test"))
        ):
            yield node.name
        if isinstance(node, ast.ClassDef) and not _is_open(node, bases) and not program.tests:
            if _is_empty_class(node, program):
                yield node.name
            for inner in node.body:
                if isinstance(inner, _Function) and not _is_special(inner.name) and _is_stub(inner, program):
                    yield f"{node.name}.{inner.name}"


def _is_empty_class(node: ast.ClassDef, program: _Program) -> bool:
    """Return whether a class holds nothing, and a comment says that something is to come."""
    empty = all(isinstance(inner, ast.Pass) or _is_text(inner) for inner in node.body)
    return empty and not node.decorator_list and any(TODO.search(said) for said in program.said_in(node))


def _is_open(node: ast.ClassDef, bases: set[str]) -> bool:
    """Return whether methods of a class may be empty: it has a base whose hooks they are, is one itself, or
    is abstract."""
    own = [name for base in node.bases if (name := _last_name(base)) != "object"]
    abstract = any(isinstance(inner, _Function) and inner.decorator_list for inner in node.body)
    return (
        bool(own)
        or bool(node.keywords)
        or node.name in bases
        or bool(_BASE.search(node.name))
        or (abstract and "abstract" in ast.dump(node))
    )


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_stub(node: _Function, program: _Program) -> bool:
    if node.decorator_list or NOTHING.search(node.name):
        return False
    said = program.said_in(node)
    to_do = any(TODO.search(text) for text in said)
    body = [each for each in node.body if not _is_text(each)]
    if len(body) == 1 and (_raises_not_implemented(body[0]) or _says_unfinished(body[0])):
        return True
    if all(isinstance(each, ast.Pass) for each in body):
        return to_do or not (
            any(ON_PURPOSE.search(text) for text in said)
            or (HANDLER.search(node.name) and node.name in program.handed_on)
        )
    return to_do and all(map(_is_trivial, body))


def _is_text(node: ast.stmt) -> bool:
    """Return whether a statement is a docstring or `...`."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _raises_not_implemented(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Raise) or node.exc is None:
        return False
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    if isinstance(raised, ast.expr) and _last_name(raised) == "NotImplementedError":
        return True
    return isinstance(node.exc, ast.Call) and _is_unfinished(node.exc.args)


def _says_unfinished(node: ast.stmt) -> bool:
    """Return whether a statement only says that this is not implemented."""
    value = node.value if isinstance(node, ast.Expr | ast.Return) else None
    if isinstance(value, ast.Call):
        return _is_unfinished(value.args)
    return value is not None and _is_unfinished([value])


def _is_unfinished(values: list[ast.expr]) -> bool:
    return len(values) == 1 and any(
        isinstance(value, ast.Constant)
        and isinstance(value.value, str)
        and bool(UNFINISHED.match(value.value))
        for value in values
    )


def _is_trivial(node: ast.stmt) -> bool:
    """Return whether a statement does nothing with what the function was given."""
    match node:
        case ast.Pass():
            return True
        case ast.Return(value=value):
            return value is None or isinstance(value, ast.Name) or _is_constant(value)
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            return _is_constant(value)
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=args)):
            return all(isinstance(each, ast.Constant) for each in args)
    return False


def _is_constant(value: ast.expr | None) -> bool:
    if value is None or isinstance(value, ast.Constant):
        return True
    return isinstance(value, ast.List | ast.Tuple | ast.Dict | ast.Set) and not any(
        child for child in ast.iter_child_nodes(value) if not isinstance(child, ast.expr_context)
    )
