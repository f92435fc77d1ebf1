"""Runs that broke for want of something the program was not given, which shows nothing about it. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.domain.checks import RUNNABLE, asks_on
from engine.domain.stubs import parsed

Want = Literal["", "input", "arguments", "file", "command"]

NOT_FOUND, NOT_RUNNABLE, USAGE = 127, 126, 2
"""Exit codes of a shell for a command that is not there or is no program, and of argparse and Python for
their arguments."""

_NO_FILE = re.compile(
    r"^FileNotFoundError: \[Errno 2\] No such file or directory: '([^'\n]{1,300})'\s*\Z", re.M
)
_NO_PROGRAM = re.compile(r"^\S*python\S*: can't open file '[^'\n]+': \[Errno 2\]", re.M)
_ARGV = re.compile(
    r"^(?=[^\n]*\bargv\b)[^\n]*+(?:\n[ ^~]*+)?\nIndexError: list index out of range\s*\Z", re.M
)
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True, slots=True)
class Lack:
    """What a run lacked ("": nothing, it says something about the program), and of a file its name."""

    want: Want = ""
    path: str = ""


def lack_of(command: Sequence[str], exit_code: int, output: str, files: Mapping[str, bytes]) -> Lack:
    """Return what a run that ended with an error lacked, given the task's `files`.

    "command": the command starts no program of the task. "input": all was read and more was asked for.
    "file": one that is not there. "arguments": it was called with none, and says so or breaks over it.
    """
    if not exit_code:
        return Lack()
    if asks_on(output):
        return Lack("input")
    if exit_code in (NOT_FOUND, NOT_RUNNABLE) or (exit_code == USAGE and _NO_PROGRAM.search(output)):
        return Lack("command")
    missing = _NO_FILE.search(output)
    if missing and missing[1].removeprefix("./") not in files:
        return Lack("file", missing[1])
    if _without_arguments(command, files) and _breaks_over_arguments(exit_code, output):
        return Lack("arguments")
    return Lack()


def _without_arguments(command: Sequence[str], files: Mapping[str, bytes]) -> bool:
    """Return whether the command ends with a program of the task that reads its arguments."""
    path = command[-1].removeprefix("./") if command else ""
    if not path.endswith(RUNNABLE) or path not in files:
        return False
    tree = parsed(files[path].decode("utf-8", "replace"))
    return tree is not None and any(_reads_arguments(node) for node in ast.walk(tree))


def _reads_arguments(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="argv") | ast.Attribute(attr="parse_args"):
            return True
        case ast.ImportFrom(module="sys", names=names):
            return any(name.name == "argv" for name in names)
    return False


def _breaks_over_arguments(exit_code: int, output: str) -> bool:
    """Return whether it refused in its own words, as argparse does, or took one that is not there."""
    return _TRACEBACK not in output or (exit_code == 1 and _ARGV.search(output) is not None)
