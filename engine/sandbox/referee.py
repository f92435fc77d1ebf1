"""Runs a test runner inside the sandbox and tells the engine what the runner itself found, at its very end.

Placed among the packages of the sandbox's Python; it uses nothing of the engine. The word goes over a pipe
that nothing the tests start inherits, with a secret that is read once before any code of the task is loaded.
So printed summaries, `os._exit`, threads and killed runners prove nothing. A pass counts only for a test that
the runner ran here, and what was replaced of the runner itself is told. What it cannot do: tests load the
code they test into this process, and code that searches the interpreter's memory for the secret finds it, or
answers every comparison as it likes. Whoever shows the result says so.

    python -m megaagent_referee SECRET_FD REPORT_FD pytest|unittest [arguments]
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any


class Counts:
    """Test counts, taken from what each test raised."""

    def __init__(self) -> None:
        self.collected = self.passed = self.failed = self.skipped = 0
        self._seals: Seals | None = None

    def seal(self) -> None:
        """Note what the runner is made of, once it is loaded and nothing of the task is."""
        for place in Seals.CLASSES:
            with contextlib.suppress(ImportError):
                importlib.import_module(place.partition(":")[0])
        self._seals = Seals()

    def as_dict(self) -> dict[str, object]:
        """Return the counts by name, and which functions of the runner were replaced (`altered`)."""
        named = {name: value for name, value in vars(self).items() if name != "_seals"}
        return {**named, "altered": self._seals.broken()[:5] if self._seals else []}


class Seals:
    """The functions of the runner's classes, as they were before any code of the task was loaded."""

    CLASSES = (
        "unittest.case:TestCase",
        "unittest.suite:TestSuite",
        "unittest.result:TestResult",
        "unittest.runner:TextTestResult",
        "unittest.runner:TextTestRunner",
        "_pytest.python:Function",
        "_pytest.unittest:TestCaseFunction",
        "_pytest.runner:CallInfo",
        "_pytest.reports:TestReport",
    )

    def __init__(self) -> None:
        found = {place: self._functions(place) for place in self.CLASSES}
        self._kept = {place: functions for place, functions in found.items() if functions}

    @staticmethod
    def _functions(place: str) -> dict[str, object]:
        module, _, name = place.partition(":")
        cls = getattr(sys.modules.get(module), name, None)
        return {key: value for key, value in vars(cls).items() if callable(value)} if cls else {}

    def broken(self) -> list[str]:
        """Return the functions that are others now."""
        return [
            f"{place.partition(':')[2]}.{name}"
            for place, functions in self._kept.items()
            for name, function in functions.items()
            if self._functions(place).get(name) is not function
        ]


def with_pytest(arguments: list[str], counts: Counts) -> int:
    """Run pytest and return its exit code."""
    pytest = importlib.import_module("pytest")
    raised: dict[str, bool] = {}

    class Witness:
        """Pytest plugin that counts what tests raised; what other plugins do afterwards changes nothing."""

        def pytest_collection_finish(self, session: Any) -> None:
            counts.collected = len(session.items)

        def pytest_collectreport(self, report: Any) -> None:
            counts.failed += bool(report.failed)

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)  # type: ignore[untyped-decorator]
        def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
            yield  # pytest's own plugin for unittest notes here what a test case raised
            skipped = call.excinfo is not None and call.excinfo.errisinstance(pytest.skip.Exception)
            raised[f"{item.nodeid} {call.when}"] = call.excinfo is not None and not skipped

        @pytest.hookimpl(trylast=True)  # type: ignore[untyped-decorator]
        def pytest_runtest_logreport(self, report: Any) -> None:
            # Of a test that was not run here, but only reported, nothing is known.
            bad = raised.get(f"{report.nodeid} {report.when}")
            if report.skipped:  # an expected failure among them
                counts.skipped += 1
            elif bad or report.failed:
                counts.failed += 1
            elif bad is False and report.when == "call":
                counts.passed += 1

    counts.seal()
    return int(pytest.main(arguments, plugins=[Witness()]))


def with_unittest(arguments: list[str], counts: Counts) -> int:
    """Run unittest and return its exit code."""
    unittest = importlib.import_module("unittest")
    counts.seal()
    program = unittest.main(module=None, argv=["python -m unittest", *arguments], exit=False)
    result = program.result
    counts.collected = result.testsRun
    counts.failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    counts.skipped = len(result.skipped) + len(result.expectedFailures)
    counts.passed = counts.collected - counts.failed - counts.skipped
    return 0 if result.wasSuccessful() else 1


RUNNERS = {"pytest": with_pytest, "unittest": with_unittest}


def main() -> None:
    """Read the secret, run the tests, write the report, and exit with the runner's code."""
    source, report, runner, *arguments = sys.argv[1:]
    with os.fdopen(int(source), "rb") as file:
        secret = file.read().decode()
    pipe = int(report)
    os.set_inheritable(pipe, False)
    os.register_at_fork(after_in_child=lambda: os.close(pipe))
    sys.argv = [runner, *arguments]
    counts = Counts()
    code = RUNNERS[runner](arguments, counts)
    sys.stdout.flush()
    os.write(pipe, json.dumps({"secret": secret, "code": code, **counts.as_dict()}).encode() + b"\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
