"""Checks of assignments: which files decide the result, and who wrote them.

A check is a command that a head gave with an assignment. Its exit code is as trustworthy as the files that
decide it: tests and settings of the test runner. Their author could make it report anything.
"""

from __future__ import annotations

import ast
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence

RUNNERS = frozenset({"pytest", "py.test", "unittest"})
_STEERS = frozenset(
    {"conftest.py", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"}
    | {"pytest.toml", ".pytest.toml"}
)
_METADATA = (".dist-info/entry_points.txt", ".egg-info/entry_points.txt")
SHOWN = 6
SHOWN_COMMAND = 300
_SHELLS = frozenset({"sh", "bash", "/bin/sh", "/bin/bash"})
_LIVE = frozenset('"$`\\!')
"""Characters that mean something between double quotes."""

RUNNABLE = (".py", ".js", ".sh")
"""Suffixes of files that can be run."""

MORE_INPUT = "EOFError: EOF when reading a line"
"""Last line of a Python program that asks for more input after all of it was read: it shows nothing."""


def shown(command: Sequence[str]) -> str:
    """Return a command as people and reports see it: of one for a shell the script, without its quotes."""
    script = len(command) == 3 and command[0] in _SHELLS and command[1] in ("-c", "-lc", "-ec")
    return (command[2] if script else typed(command))[:SHOWN_COMMAND]


def typed(command: Sequence[str]) -> str:
    """Return a command as one would type it for a shell, in double quotes where a word has single ones."""
    return " ".join(_quoted(word) for word in command)


def _quoted(word: str) -> str:
    return f'"{word}"' if "'" in word and not _LIVE & set(word) else shlex.quote(word)


def asks_on(output: str) -> bool:
    """Return whether a program's output shows that it only asked for more input than it was given."""
    return MORE_INPUT in output


def runs_tests(command: Sequence[str]) -> bool:
    """Return whether the command calls a test runner, directly or through Python or a shell."""
    return any(_base(word) in RUNNERS for word in _words(command))


def deciding(command: Sequence[str], paths: Iterable[str]) -> list[str]:
    """Return those of `paths` that decide the result of `command`: the files it names, and for a test runner
    its tests (all, where it names none) and its settings."""
    words = {word.partition("::")[0].removeprefix("./").rstrip("/") for word in _words(command)}
    words |= {word.replace(".", "/") + end for word in words for end in (".py", "/__main__.py")}
    present = sorted(set(paths))
    exact = {path for path in present if path in words}
    if not runs_tests(command):
        return sorted(exact)
    tests = [path for path in present if is_test(path)]
    below = [path for path in tests if any(path.startswith(f"{word}/") for word in words)]
    chosen = exact | set(below) or set(tests)
    return sorted(chosen | {path for path in present if steers(path)})


def whose(command: Sequence[str], authors: Mapping[str, str], runner: str) -> tuple[list[str], list[str]]:
    """Return the deciding files as (those last written by `runner`, those of others)."""
    files = deciding(command, authors)
    own = [path for path in files if authors[path] == runner]
    return own, [path for path in files if authors[path] != runner]


def named(paths: Sequence[str]) -> str:
    """Return the first few paths, and how many more there are."""
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more


def hidden_by_python(paths: Iterable[str]) -> list[str]:
    """Return files named like a standard library module, which a check imports instead of them."""
    names = {path: _base(path).removesuffix(".py") for path in paths if path.endswith(".py")}
    return sorted(path for path, name in names.items() if name in sys.stdlib_module_names)


def _words(command: Sequence[str]) -> list[str]:
    return [word.strip("'\"();&|") for argument in command for word in argument.split()]


def _base(path: str) -> str:
    return path.rpartition("/")[2]


_SELECTS = ("-k", "-m", "-p", "--deselect", "--ignore", "--lf", "--last-failed", "--co", "--collect-only")
"""Options by which a command itself runs only some of the tests."""


def runs_all(command: Sequence[str]) -> bool:
    """Return whether a test runner is asked for all tests of the files that decide its result."""
    words = _words(command)
    at = next((n for n, word in enumerate(words) if _base(word) in RUNNERS), None)
    if at is None or any("::" in word or word.startswith(_SELECTS) for word in words[at + 1 :]):
        return False
    named = [word for word in words[at + 1 :] if not word.startswith("-")]
    return _base(words[at]) != "unittest" or not named or named[0] == "discover"


def tests_in(source: bytes, runner: str) -> int:
    """Return how many different tests a source plainly holds: functions of its top level (not for unittest),
    and methods of classes that are tests."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    cases = [each for each in classes if any("TestCase" in ast.unparse(base) for base in each.bases)]
    if runner != "unittest":
        cases += [each for each in classes if each.name.startswith("Test") and not each.bases]
    methods = {(each.name, name) for each in cases for name in _test_names(each.body)}
    return len(methods) + (0 if runner == "unittest" else len(_test_names(body)))


def _test_names(body: Sequence[ast.stmt]) -> set[str]:
    functions = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name for node in functions if node.name.startswith("test")}


def is_test(path: str) -> bool:
    """Return whether test runners find tests in a file of this name."""
    name = _base(path)
    return name.endswith(".py") and (name.startswith("test") or name.endswith("_test.py"))


def steers(path: str) -> bool:
    """Return whether a file holds settings or hooks of test runners."""
    return _base(path) in _STEERS or path.endswith(_METADATA)


_SKIPS = (b"skip", b"xfail", b"expectedFailure", b"__test__")
_LEAVES_OUT = (
    b"python_",
    b"testpaths",
    b"ignore",
    b"deselect",
    b"norecurse",
    b"collect",
    b"addopts",
    *_SKIPS,
)


def may_skip(source: bytes) -> bool:
    """Return whether a file of tests says itself that some of them are skipped or expected to fail."""
    return any(word in source for word in _SKIPS)


def leaves_out(path: str, source: bytes) -> bool:
    """Return whether a file of settings or hooks could say which tests a test runner leaves out."""
    return steers(path) and any(word in source for word in _LEAVES_OUT)
