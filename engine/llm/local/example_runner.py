"""Runs a goal's examples beside a task's files, inside the sandbox, where it is sent as text.

Standard library only. Prints one line that begins with EXAMPLES: how many there are, and which failed.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib.util
import io
import json
import shlex
import subprocess
import sys
from typing import Any

COMMAND_S = 10
SHOWN = 120
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def names_in(modules: list[str]) -> dict[str, Any]:
    """Return what the modules define; one that breaks when it is loaded defines nothing."""
    names: dict[str, Any] = {}
    for path in modules:
        spec = importlib.util.spec_from_file_location(path.rpartition("/")[2][:-3], path)
        if spec is None or spec.loader is None:
            continue
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException as error:  # noqa: BLE001 - whatever a program does is its result
            names["__failed__"] = f"{type(error).__name__}: {error}"
        names.update(vars(module))
    return names


def value_of(source: str, names: dict[str, Any]) -> tuple[Any, str]:
    """Return the value of an expression, and what it printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        value = eval(source, names)  # noqa: S307 - inside the sandbox
    return value, said.getvalue()


def outcome(example: dict[str, str], names: dict[str, Any]) -> str:
    """Return "" where an example holds, else what came instead."""
    source, want = example["source"], example["want"]
    if example["kind"] == "printed":
        words = [sys.executable, *shlex.split(source)[1:]]
        done = subprocess.run(  # noqa: S603 - inside the sandbox
            words, capture_output=True, text=True, timeout=COMMAND_S, input="", check=False
        )
        last = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1:]
        return "" if done.stdout.split() == want.split() else (last[0] if last else "nothing")
    if example["kind"] == "value":
        value, _ = value_of(source, names)
        return "" if value == ast.literal_eval(want) else repr(value)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(source, "<example>", "single"), names)  # noqa: S102 - inside the sandbox
    shown = said.getvalue()
    return "" if doctest.OutputChecker().check_output(want, shown, FLAGS) else shown.strip() or "nothing"


def main(given: str) -> None:
    """Run all examples."""
    asked = json.loads(given)
    with contextlib.redirect_stdout(io.StringIO()):
        names = names_in(asked["modules"])
    failed = []
    for example in asked["examples"]:
        try:
            came = outcome(example, names)
        except BaseException as error:  # noqa: BLE001 - whatever a program does is its result
            came = f"{type(error).__name__}: {error}"
            if isinstance(error, NameError) and "__failed__" in names:
                came = names["__failed__"]
        if came:
            failed.append([example["source"].strip()[:SHOWN], came.strip()[:SHOWN]])
    count = len(asked["examples"])
    sys.stdout.write("EXAMPLES " + json.dumps({"count": count, "failed": failed}) + "\n")
    sys.stdout.write(f"{count - len(failed)} of {count} hold\n")
    sys.exit(1 if failed else 0)
