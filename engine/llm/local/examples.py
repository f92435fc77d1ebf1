"""Examples that a goal itself gives, and a program that runs them; pure.

`>>>` lines with what they show, `f(2) returns 4`, `assert f(2) == 4`, and "`python a.py 100 C` prints 212.0".
Only what can be compared exactly is an example: a value that is described in words is none.
"""

from __future__ import annotations

import ast
import doctest
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import resources

from engine.domain.stubs import parsed

MOST = 20
RUNNER_FILE = "_goal_examples.py"
SHOWN = "the goal's own examples"
_STATED = re.compile(
    r"(?P<call>\b[A-Za-z_]\w*\((?:[^()\n]|\([^()\n]*\))*\))`?\s*(?:should\s+)?(?:returns?|gives|==|->|\u2192|=>)\s*"
    r"`?(?P<want>'[^'\n]*'|\"[^\"\n]*\"|\[[^\]\n]*\]|\([^()\n]*\)|\{[^}\n]*\}|-?\d+(?:\.\d+)?|True|False|None)"
)
_PRINTED = re.compile(
    r"`(?P<command>python3? [^`\n]+)`\s+(?:should\s+)?(?:prints?|outputs?|shows?|gives)\s+"
    r"(?:`(?P<quoted>[^`\n]+)`|\"(?P<said>[^\"\n]+)\"|(?P<number>-?\d+(?:\.\d+)?)(?![\w.]*\w))"
)
_MARK = "EXAMPLES "


@dataclass(frozen=True, slots=True)
class Example:
    """One example. `kind`: "shown" (a `>>>` line: its output), "value" (its value), "printed" (a command's
    output)."""

    kind: str
    source: str
    want: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of the examples: how many there are, and the ones that failed, with what came instead."""

    count: int
    failed: tuple[tuple[str, str], ...] = ()


def examples_of(goal: str) -> tuple[Example, ...]:
    """Return the goal's examples in order."""
    return tuple(dict.fromkeys((*_shown(goal), *_stated(goal), *_printed(goal))))[:MOST]


def _shown(goal: str) -> Iterator[Example]:
    # A docstring's own end is no part of what its last example shows.
    text = re.sub(r'^[ \t]*(?:"""|\'\'\')[ \t]*$', "", goal, flags=re.M)
    try:
        found = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return
    for each in found:
        if parsed(each.source) is not None:
            yield Example("shown", each.source, each.want)


def _stated(goal: str) -> Iterator[Example]:
    without = re.sub(r"^\s*>>>.*$", "", goal, flags=re.M)
    for found in _STATED.finditer(without):
        try:
            call, _ = ast.parse(found["call"], mode="eval"), ast.literal_eval(found["want"])
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        # Names among the arguments are no values: `f(text) returns 0` is a description.
        if isinstance(call.body, ast.Call) and all(map(_is_value, call.body.args)):
            yield Example("value", found["call"], found["want"])


def _is_value(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _printed(goal: str) -> Iterator[Example]:
    for found in _PRINTED.finditer(goal):
        want = found["quoted"] or found["said"] or found["number"]
        try:
            words = shlex.split(found["command"])
        except ValueError:
            continue
        if len(words) > 1 and words[1].endswith(".py") and not any(c in found["command"] for c in "<>|&"):
            yield Example("printed", found["command"], want)


def runner(goal: str, files: Mapping[str, bytes]) -> bytes | None:
    """Return a program that runs the goal's examples beside the files; None where there is nothing to run."""
    programs = {path: data.decode("utf-8", "replace") for path, data in files.items() if path.endswith(".py")}
    usable = [
        one for one in examples_of(goal) if one.kind != "printed" or shlex.split(one.source)[1] in files
    ]
    if not programs or not usable:
        return None
    wanted = {name for one in usable if one.kind != "printed" for name in _called(one.source)}
    modules = [path for path, text in programs.items() if wanted & _defined(text)]
    given = json.dumps({"examples": [asdict(one) for one in usable], "modules": modules})
    source = resources.files("engine.llm.local").joinpath("example_runner.py").read_text(encoding="utf-8")
    return f"{source}\n\nmain({given!r})\n".encode()


def _called(source: str) -> set[str]:
    tree = parsed(source)
    nodes = ast.walk(tree) if tree is not None else ()
    return {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def _defined(text: str) -> set[str]:
    tree = parsed(text)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds)} if tree is not None else set()


def tried(output: str) -> Tried | None:
    """Return what the runner's output says; None when it did not come to its end."""
    lines = [line for line in output.splitlines() if line.startswith(_MARK)]
    try:
        said = json.loads(lines[-1].removeprefix(_MARK)) if lines else None
        failed = tuple((str(source), str(got)) for source, got in said["failed"]) if said else ()
        return Tried(int(said["count"]), failed) if said else None
    except (ValueError, KeyError, TypeError):
        return None
