"""Runs under a referee: which ones, and how the test runner's own report changes their result.

The part inside the sandbox is referee.py.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from engine.ports import RunnerReport

MODULE = "megaagent_referee"
UNSAID_CODE = 70
"""The exit code of a runner that said nothing at its end (sysexits.h, EX_SOFTWARE)."""

_PYTHON = re.compile(r"(/env/bin/)?python(3(\.\d+)?)?")
_SCRIPTS = {
    "pytest": "pytest",
    "py.test": "pytest",
    "/env/bin/pytest": "pytest",
    "/env/bin/py.test": "pytest",
}
_SHELLS = frozenset({"sh", "bash", "/bin/sh", "/bin/bash", "/usr/bin/bash"})
_PLAIN = re.compile(r"[\w ./:=,+-]+")  # nothing that means more to a shell than a word
_TAKES_A_WORD = frozenset({"-W", "-X"})
_MOST = 65_536
_FUNCTION = re.compile(r"[A-Za-z0-9_./<>-]{1,120}")
_COLLECTS = frozenset({"--co", "--collect-only"})
"""Arguments of a command that asks for no more than a list of the tests."""


@dataclass(frozen=True, slots=True)
class Refereed:
    """A test runner called directly: the Python command before it, the runner, its arguments."""

    python: tuple[str, ...]
    runner: str
    arguments: tuple[str, ...]

    def words(self, secret_fd: int, report_fd: int) -> list[str]:
        """Return the command that runs it under the referee."""
        return [*self.python, "-m", MODULE, str(secret_fd), str(report_fd), self.runner, *self.arguments]


def refereed(argv: Sequence[str]) -> Refereed | None:
    """Return the runner that `argv` calls directly, or as a shell's only command; None for anything else."""
    if len(argv) == 3 and argv[0] in _SHELLS and argv[1] == "-c" and _PLAIN.fullmatch(argv[2]):
        argv = argv[2].split()
    if argv and argv[0] in _SCRIPTS:
        return Refereed(("python",), _SCRIPTS[argv[0]], tuple(argv[1:]))
    if not argv or not _PYTHON.fullmatch(argv[0]):
        return None
    at = 1
    while at < len(argv) and argv[at].startswith("-") and argv[at] not in ("-m", "-c", "-"):
        at += 2 if argv[at] in _TAKES_A_WORD else 1
    if len(argv) <= at + 1 or argv[at] != "-m" or argv[at + 1] not in ("pytest", "unittest"):
        return None
    return Refereed(tuple(argv[:at]), argv[at + 1], tuple(argv[at + 2 :]))


def new_secret() -> bytes:
    """Return a secret known only to the referee."""
    return secrets.token_hex(16).encode()


def read_report(raw: bytes, secret: bytes, runner: str) -> RunnerReport | None:
    """Return the referee's report; None unless exactly one report came and held the secret."""
    lines = raw[:_MOST].splitlines()
    try:
        report = json.loads(lines[0]) if len(lines) == 1 else {}
        if not secrets.compare_digest(str(report["secret"]).encode(), secret):
            return None
        numbers = {name: int(report[name]) for name in ("collected", "passed", "failed", "skipped")}
        altered = tuple(name for name in report.get("altered", ()) if _FUNCTION.fullmatch(name))
        steered = [str(word).rpartition(" ") for word in report.get("steered", ())]
        ran = {str(path): int(count) for path, count in report.get("ran", {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    hooks = tuple((path, hook) for path, _, hook in steered if _FUNCTION.fullmatch(hook))
    return RunnerReport(runner, **numbers, altered=altered, steered=hooks, ran=ran)


def judged(
    code: int, text: str, report: RunnerReport | None, runner: str, arguments: Sequence[str] = ()
) -> tuple[int, str]:
    """Return exit code and output corrected by the runner's report: 0 only if the runner reported success of
    all that it collected, and is still what it was."""
    if code != 0:
        return code, text
    if report is None:
        note = (
            f"{runner} was ended before it could say how the tests went: code in its process ended it. "
            "Its exit code 0 and what was printed prove nothing."
        )
        return UNSAID_CODE, f"{text}\n{note}\n"
    if report.altered:
        note = (
            f"{runner} was changed while it ran, by code in its process: {', '.join(report.altered)}. "
            "Its result proves nothing."
        )
        return UNSAID_CODE, f"{text}\n{note}\n"
    missing = report.collected - report.passed - report.failed - report.skipped
    if missing > 0 and not report.failed and not _COLLECTS.intersection(arguments):
        note = f"{runner} ended with exit code 0, but {missing} of its tests did not run."
        return 1, f"{text}\n{note}\n"
    if report.failed:
        note = f"{runner} ended with exit code 0, but {report.failed} of its tests or files failed."
        return 1, f"{text}\n{note}\n"
    return code, text
