"""Runs a test runner inside the sandbox and tells the engine what the runner itself found, at its very end.

Placed among the packages of the sandbox's Python; it uses nothing of the engine. The word goes over a pipe
that nothing the tests start inherits, with a secret that is read once before any code of the task is loaded.
So printed summaries, `os._exit`, threads and killed runners prove nothing. A pass counts only for a test that
the runner ran here; what was replaced of the runner or of a test, and which files of the task take part in
running tests, is told. What it cannot do: tests load the code they test into this process, and code that
searches the interpreter's memory for the secret finds it, or answers every comparison as it likes. Whoever
shows the result says so first.

    python -m megaagent_referee SECRET_FD REPORT_FD pytest|unittest [arguments]
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

MOST_FILES = 300
MOST_NAMED = 5
MOST_READ = 400_000
_write = os.write  # as it was before any code of the task was loaded
HERE = f"{os.path.realpath(os.curdir)}{os.sep}"

STEERING = frozenset(
    {
        "pytest_cmdline_main",
        "pytest_collect_file",
        "pytest_collection",
        "pytest_make_collect_report",
        "pytest_pycollect_makeitem",
        "pytest_pycollect_makemodule",
        "pytest_pyfunc_call",
        "pytest_runtest_call",
        "pytest_runtest_makereport",
        "pytest_runtest_protocol",
        "pytest_runtestloop",
    }
)
"""Hooks whose implementation decides whether a test runs and what its result is."""

OWN = frozenset({"_pytest.main", "_pytest.python", "_pytest.runner", "_pytest.unittest"})
"""Modules by which pytest itself runs tests."""


def path_here(file: object) -> str:
    """Return a file's path in the task, "" for one from elsewhere."""
    path = os.path.realpath(str(file)) if file else ""
    return path[len(HERE) :] if path.startswith(HERE) else ""


def code_of(function: object) -> Any:
    """Return the code of a function or method, None for anything else."""
    return getattr(getattr(function, "__func__", function), "__code__", None)


def implementations(manager: Any) -> Iterator[tuple[str, Any]]:
    """Yield the implementations of the hooks that run tests, by name."""
    for name in STEERING:
        hook = getattr(manager.hook, name, None)
        yield from ((name, each) for each in (hook.get_hookimpls() if hook is not None else ()))


class Counts:
    """Test counts, taken from what each test raised."""

    def __init__(self) -> None:
        self.collected = self.passed = self.failed = self.skipped = 0
        self.ran: dict[str, set[str]] = {}
        self.steered: set[str] = set()
        self.replaced: set[str] = set()
        self._seals: Seals | None = None
        self._sources: dict[str, bytes] = {}
        self._finders = [*sys.meta_path]

    def seal(self) -> None:
        """Note what the runner is made of, once it is loaded and nothing of the task is."""
        for place in Seals.PLACES:
            with contextlib.suppress(ImportError):
                importlib.import_module(place.partition(":")[0])
        self._seals = Seals()
        self._sources = dict(test_files())

    def watch(self) -> None:
        """Look whether the runner is now what it was: what is put back until the end counts too."""
        self.replaced.update(self._seals.broken(Seals.RUNNER) if self._seals else [])

    def look(self, file: object) -> None:
        """Look whether a test file is what it was before any code of the task was loaded."""
        path = path_here(file)
        if path in self._sources and content(path) != self._sources[path]:
            self.replaced.add(path)

    def take_part(self, name: str, function: object) -> None:
        """Note a file of the task whose function of this name takes part in running tests."""
        path = path_here(getattr(code_of(function), "co_filename", ""))
        if path:
            self.steered.add(f"{path} {name}")

    def look_at_finders(self) -> None:
        """Note what of the task finds modules in Python's place, once the tests are loaded."""
        for finder in sys.meta_path:
            if not any(finder is each for each in self._finders):
                self.take_part("find_spec", getattr(finder, "find_spec", None))

    def note(self, file: object, name: str) -> None:
        """Note that a test of a file was run and raised nothing."""
        self.ran.setdefault(path_here(file), set()).add(name)

    def words(self, secret: str, code: int) -> bytes:
        """Return the report as JSON. Written by hand: the library's functions can be replaced by now."""
        altered = [*sorted(self.replaced), *(self._seals.broken() if self._seals else [])]
        numbers = [("code", code), ("collected", self.collected), ("passed", self.passed)]
        numbers += [("failed", self.failed), ("skipped", self.skipped)]
        parts = [f"{quoted(name)}: {int(value)}" for name, value in numbers]
        parts.append(f'"secret": {quoted(secret)}')
        parts.append(f'"altered": [{", ".join(map(quoted, altered[:MOST_NAMED]))}]')
        parts.append(f'"steered": [{", ".join(map(quoted, sorted(self.steered)[:MOST_NAMED]))}]')
        ran = [f"{quoted(path)}: {len(names)}" for path, names in sorted(self.ran.items())[:MOST_FILES]]
        parts.append(f'"ran": {{{", ".join(ran)}}}')
        return f"{{{', '.join(parts)}}}\n".encode()


def quoted(text: str) -> str:
    """Return a text as a JSON string."""
    safe = "".join(
        c if c.isprintable() and c.isascii() and c not in '"\\' else f"\\u{ord(c):04x}" for c in text
    )
    return f'"{safe}"'


def content(path: str) -> bytes:
    """Return the bytes of a file of the task, none of one that cannot be read."""
    with contextlib.suppress(OSError), open(f"{HERE}{path}", "rb") as file:  # noqa: PTH123
        return file.read(MOST_READ)
    return b""


def test_files() -> Iterator[tuple[str, bytes]]:
    """Yield the test files of the task with their content."""
    found = 0
    for folder, _, names in os.walk(HERE):
        for name in names:
            if name.endswith(".py") and "test" in name and found < MOST_FILES:
                found += 1
                path = path_here(f"{folder}{os.sep}{name}")
                yield path, content(path)


class Seals:
    """The functions of the runner's classes and modules, before any code of the task was loaded."""

    PLACES = (
        "builtins:",
        "os:",
        "unittest.case:TestCase",
        "unittest.loader:TestLoader",
        "unittest.main:TestProgram",
        "unittest.suite:TestSuite",
        "unittest.result:TestResult",
        "unittest.runner:TextTestResult",
        "unittest.runner:TextTestRunner",
        "_pytest.main:",
        "_pytest.main:Session",
        "_pytest.outcomes:",
        "_pytest.python:",
        "_pytest.python:Function",
        "_pytest.python:Module",
        "_pytest.python:PyCollector",
        "_pytest.raises:",
        "_pytest.raises:RaisesExc",
        "_pytest.unittest:TestCaseFunction",
        "_pytest.runner:",
        "_pytest.runner:CallInfo",
        "_pytest.runner:SetupState",
        "_pytest.reports:TestReport",
        "_pytest.skipping:",
        "_pytest.assertion.rewrite:AssertionRewritingHook",
        "pluggy._hooks:HookCaller",
        "pluggy._manager:PluginManager",
        "pytest:",
        "__main__:",
        "__main__:Counts",
        "__main__:Witness",
    )

    RUNNER = tuple(place for place in PLACES if place not in ("builtins:", "os:"))
    """What no test has a reason to replace, not even while it runs."""

    def __init__(self) -> None:
        self._kept = {place: self._functions(place) for place in self.PLACES}

    @staticmethod
    def _functions(place: str) -> dict[str, object]:
        module, _, name = place.partition(":")
        found: Any = sys.modules.get(module)
        owner = getattr(found, name, None) if name else found
        if owner is None:
            return {}
        return {key: value for key, value in vars(owner).items() if callable(value) and key != "_"}

    def broken(self, places: Iterable[str] = PLACES) -> list[str]:
        """Return the functions that are others now."""
        found = []
        for place in places:
            now = self._functions(place)
            owner = place.rpartition(":")[2] or place.rpartition(":")[0]
            others = [name for name, was in self._kept[place].items() if now.get(name) is not was]
            found += [f"{owner}.{name}" for name in others]
        return found


class Witness:
    """Pytest plugin that counts what tests raised; what other plugins do afterwards changes nothing."""

    def __init__(self, pytest: Any, counts: Counts) -> None:
        self._skip, self._counts = pytest.skip.Exception, counts
        self._raised: dict[str, bool] = {}
        self._codes: dict[str, Any] = {}
        self._own: set[tuple[str, object]] = set()

    def pytest_plugin_registered(self, plugin: object, manager: Any) -> None:
        """Note what of pytest runs tests, before any code of the task is loaded, and the files of the task
        that take part."""
        self._own = self._own or {
            (name, each.function)
            for name, each in implementations(manager)
            if getattr(each.function, "__module__", "") in OWN
        }
        for name in STEERING:
            self._counts.take_part(name, getattr(plugin, name, None))

    def _watch(self, manager: Any) -> None:
        """Look whether pytest still runs tests itself, in the way that it has from the beginning."""
        self._counts.watch()
        now = [(name, each.function) for name, each in implementations(manager)]
        self._counts.replaced.update(f"pytest.{name}" for name, _ in self._own.difference(now))
        for name, function in now:
            self._counts.take_part(name, function)
        self._counts.take_part("_inner_hookexec", manager._inner_hookexec)

    def pytest_itemcollected(self, item: Any) -> None:
        """Note a test's own code, and what of the task finds modules in Python's place."""
        self._counts.look_at_finders()
        self._counts.look(item.path)
        self._codes[item.nodeid] = code_of(getattr(item, "obj", None))

    def pytest_collection_finish(self, session: Any) -> None:
        """Count the tests."""
        self._counts.collected = len(session.items)

    def pytest_collectreport(self, report: Any) -> None:
        """Count what could not be collected."""
        self._counts.failed += bool(report.failed)

    def pytest_runtest_call(self, item: Any) -> None:
        """Look whether it is still the test that was collected; plugins from elsewhere may wrap it."""
        self._watch(item.config.pluginmanager)
        before, code = self._codes.get(item.nodeid), code_of(getattr(item, "obj", None))
        other = code is not before and (code is None or path_here(code.co_filename))
        if before is not None and (other or "runtest" in vars(item)):
            self._counts.replaced.add(f"{before.co_name[:60]}")

    def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
        """Note what a part of a test raised."""
        self._watch(item.config.pluginmanager)
        before = call.excinfo
        yield  # pytest's own plugin for unittest notes here what a test case raised
        bad = [one for one in (before, call.excinfo) if one is not None]
        skipped = bool(bad) and all(one.errisinstance(self._skip) for one in bad)
        self._raised[f"{item.nodeid} {call.when}"] = bool(bad) and not skipped
        if call.when == "call" and not bad:
            code = self._codes.get(item.nodeid)
            name = str(getattr(item, "originalname", None) or item.name)
            owner = getattr(getattr(item, "cls", None), "__name__", "")
            self._counts.look(item.path)
            self._counts.note(item.path if code is not None else None, f"{owner}.{name}")

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count a result. Of a test that was not run here, but only reported, nothing is known."""
        bad = self._raised.get(f"{report.nodeid} {report.when}")
        if report.skipped:  # an expected failure among them
            self._counts.skipped += 1
        elif bad or report.failed:
            self._counts.failed += 1
        elif bad is False and report.when == "call":
            self._counts.passed += 1


def with_pytest(arguments: list[str], counts: Counts) -> int:
    """Run pytest and return its exit code."""
    pytest = importlib.import_module("pytest")
    for name, options in {
        "pytest_runtest_call": {"tryfirst": True},
        "pytest_runtest_makereport": {"hookwrapper": True, "tryfirst": True},
        "pytest_runtest_logreport": {"trylast": True},
    }.items():
        pytest.hookimpl(getattr(Witness, name), **options)
    counts.seal()
    return int(pytest.main(arguments, plugins=[Witness(pytest, counts)]))


def with_unittest(arguments: list[str], counts: Counts) -> int:
    """Run unittest and return its exit code."""
    unittest = importlib.import_module("unittest")

    class Result(unittest.TextTestResult):  # type: ignore[name-defined,misc]
        def startTestRun(self) -> None:  # noqa: N802 - the name in unittest
            counts.look_at_finders()
            super().startTestRun()

        def startTest(self, test: Any) -> None:  # noqa: N802 - the name in unittest
            counts.watch()
            super().startTest(test)

        def addSuccess(self, test: Any) -> None:  # noqa: N802 - the name in unittest
            counts.watch()
            super().addSuccess(test)
            module = sys.modules.get(type(test).__module__)
            name = f"{type(test).__name__}.{getattr(test, '_testMethodName', '')}"
            counts.look(getattr(module, "__file__", None))
            counts.note(getattr(module, "__file__", None), name)

    class Runner(unittest.TextTestRunner):  # type: ignore[name-defined,misc]
        resultclass = Result

    counts.seal()
    program = unittest.main(
        module=None, argv=["python -m unittest", *arguments], exit=False, testRunner=Runner
    )
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
    _write(pipe, counts.words(secret, code))
    sys.exit(code)


if __name__ == "__main__":
    main()
