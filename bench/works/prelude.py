"""Helpers of the hidden checks; put before each check and run beside the files. Standard library only."""

import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

results: dict[str, bool] = {}
CPU_S, WAIT_S = 30, 120
"""What a program may compute, which a busy machine does not shorten; and how long it may wait for nothing."""


def check(name: str, holds: object) -> None:
    """Record one check."""
    results[name] = bool(holds)


def run(*words: str, stdin: str = "") -> SimpleNamespace:
    """Run a Python program; return its exit code and what it wrote."""
    try:
        made = subprocess.run(
            [sys.executable, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S)),
        )
    except subprocess.TimeoutExpired:
        return SimpleNamespace(code=-1, out="", err="it did not end")
    return SimpleNamespace(code=made.returncode, out=made.stdout, err=made.stderr)


def pytest(path: str) -> SimpleNamespace:
    """Run tests; return how many passed and failed."""
    said = run("-m", "pytest", "-q", "-p", "no:cacheprovider", path).out
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", said)}
    return SimpleNamespace(passed=counts.get("passed", 0), failed=counts.get("failed", 0))


def raises(kind: type[Exception], function: Callable[..., Any], *values: Any) -> bool:
    """Return whether a call raises an error of this kind."""
    try:
        function(*values)
    except kind:
        return True
    return False


def put(path: str, text: str) -> None:
    """Write a file."""
    Path(path).write_text(text)


replace = put


def got(path: str) -> str:
    """Return the text of a file, "" when it is not there."""
    return Path(path).read_text() if Path(path).is_file() else ""


def loaded(path: str) -> Any:
    """Return the value of a JSON file, None when there is none."""
    try:
        return json.loads(got(path))
    except ValueError:
        return None


def said_all() -> None:
    """Print the results, whatever happened before."""
    print("\nRESULT " + json.dumps(results))
