"""Pytest plugin of `bench.mutation`: which functions each test calls, how long it takes, which one failed.

REACH_FOLDER: write a map there, one file a process. REACH_FAILED: append the failing tests to that file.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
DRAWN = tuple(f"{ROOT / package}{os.sep}" for package in ("engine", "bot"))


class Reach:
    """Note each called function of a test by a trace of calls alone, which no line pays for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._called: dict[int, CodeType] = {}
        self._tests: list[tuple[str, float, int]] = []
        self._of: dict[str, list[int]] = {}
        self._bad = False

    def _trace(self, frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if id(code) not in self._called:
            self._called[id(code)] = code  # kept, so that no other code gets its id

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None]:
        """Trace one test with its fixtures."""
        self._called, self._bad, began = {}, False, time.perf_counter()
        threading.settrace(self._trace)
        sys.settrace(self._trace)
        yield
        sys.settrace(None)
        threading.settrace(None)
        if self._bad:
            return
        names = {self._name(code) for code in list(self._called.values())} - {""}
        number = len(self._tests)
        self._tests.append((item.nodeid, round(time.perf_counter() - began, 3), len(names)))
        for name in names:
            self._of.setdefault(name, []).append(number)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that fails without any change shows nothing."""
        self._bad |= report.failed

    def pytest_sessionfinish(self) -> None:
        """Write what was seen."""
        if self._tests:
            said = {"tests": self._tests, "reached": self._of}
            (self._folder / f"{os.getpid()}.json").write_text(json.dumps(said), encoding="utf-8")

    @staticmethod
    def _name(code: CodeType) -> str:
        if not code.co_filename.startswith(DRAWN):
            return ""
        return f"{os.path.relpath(code.co_filename, ROOT)}:{code.co_qualname}"


class Failed:
    """Note which tests failed."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Append one line."""
        if report.failed:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{report.nodeid}\n")


def pytest_configure(config: Any) -> None:
    """Take part where the environment asks for it."""
    if folder := os.environ.get("REACH_FOLDER"):
        config.pluginmanager.register(Reach(Path(folder)))
    if file := os.environ.get("REACH_FAILED"):
        config.pluginmanager.register(Failed(Path(file)))
