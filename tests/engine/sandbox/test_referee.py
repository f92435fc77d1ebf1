"""A test run ends well only when its runner said so itself."""

from __future__ import annotations

import pytest

from engine.ports import RunnerReport, RunRequest, RunResult, Sandbox
from engine.sandbox.testimony import UNSAID_CODE, read_report, refereed

PYTEST = ("python", "-m", "pytest", "-q")
UNITTEST = ("python", "-m", "unittest")
TEST = b"""
import unittest
from calc import add

class T(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(1, 2), 3)
"""
GOOD, WRONG = b"def add(a, b): return a + b\n", b"def add(a, b): return 0\n"
SAYS = b"print('Ran 1 test in 0.0s\\n\\nOK\\n1 passed', flush=True)\n"
FORGERIES = {
    "exits": b"import os\n" + SAYS + b"os._exit(0)\n",
    "exits politely": b"import sys\n" + SAYS + b"sys.exit(0)\n",
    "exits later": b"""
import os, threading, time
def add(a, b):
    time.sleep(1)
def end():
    time.sleep(0.2)
    print('OK 1 passed', flush=True)
    os._exit(0)
threading.Thread(target=end).start()
""",
    "writes to every handle": b"""
import json, os
report = dict(secret='', code=0, collected=1, passed=1, failed=0, skipped=0)
for handle in range(3, 64):
    try: os.write(handle, json.dumps(report).encode() + b'\\n')
    except OSError: pass
os._exit(0)
""",
    "becomes another program": b"import os\nos.execvp('true', ['true'])\n",
    "kills": b"import os\nos.kill(os.getpid(), 9)\n",
    "a child reports": b"""
import os, sys
if os.fork() == 0:
    sys.exit(0)
os._exit(0)
""",
}


async def _run(sandbox: Sandbox, command: tuple[str, ...], calc: bytes, **more: bytes) -> RunResult:
    files = {"test_calc.py": TEST, "calc.py": calc, **{f"{name}.py": text for name, text in more.items()}}
    return await sandbox.run(RunRequest(command, files, guarded=True))


@pytest.mark.parametrize("command", [PYTEST, UNITTEST, ("pytest", "-q"), ("sh", "-c", "python -m pytest -q")])
async def test_what_the_runner_said_is_told(sandbox: Sandbox, command: tuple[str, ...]) -> None:
    """Numbers and exit code of an honest run, good and bad."""
    runner = "unittest" if command == UNITTEST else "pytest"
    good = await _run(sandbox, command, GOOD)
    assert (good.exit_code, good.tests) == (0, RunnerReport(runner, 1, 1, 0, 0)), good.output
    bad = await _run(sandbox, command, WRONG)
    assert (bad.exit_code, bad.tests) == (1, RunnerReport(runner, 1, 0, 1, 0)), bad.output


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("command", [PYTEST, UNITTEST])
async def test_code_that_ends_the_runner_passes_nothing(
    sandbox: Sandbox, command: tuple[str, ...], forgery: str
) -> None:
    """Whatever was printed and whichever way it ended."""
    result = await _run(sandbox, command, FORGERIES[forgery])
    assert result.exit_code != 0
    assert result.tests is None or not result.tests.passed


CHANGED = {
    "assertion": b"import unittest\nunittest.TestCase.assertEqual = lambda *a, **k: None\n",
    "test case": b"""
import unittest
def run(self, result=None):
    result.startTest(self); result.addSuccess(self); result.stopTest(self)
unittest.TestCase.run = run
""",
    "result": b"""
import unittest
unittest.TestResult.addFailure = unittest.TextTestResult.addFailure = lambda *a: None
unittest.TestResult.wasSuccessful = lambda self: True
""",
    "pytest": b"""
import _pytest.python, _pytest.unittest
_pytest.python.Function.runtest = _pytest.unittest.TestCaseFunction.runtest = lambda self: None
""",
}


@pytest.mark.parametrize("change", CHANGED)
async def test_code_that_changes_the_runner_passes_nothing(sandbox: Sandbox, change: str) -> None:
    """Its own functions are others at the end than at the beginning: that is said, and which."""
    for command in {"result": (UNITTEST,), "pytest": (PYTEST,)}.get(change, (PYTEST, UNITTEST)):
        result = await _run(sandbox, command, WRONG + CHANGED[change])
        assert result.exit_code == UNSAID_CODE, result.output
        assert result.tests is not None and result.tests.altered
        assert f"was changed while it ran, by code in its process: {result.tests.altered[0]}" in result.output


WORKSPACE = {
    "ends at exit": {"calc.py": WRONG + b"import atexit, os\natexit.register(lambda: os._exit(0))\n"},
    "exits at exit": {"calc.py": WRONG + b"import atexit, sys\natexit.register(lambda: sys.exit(0))\n"},
    "site": {f"{name}customize.py": b"import os\nos._exit(0)\n" for name in ("site", "user")},
    "runners": {f"{name}.py": b"def main(*a, **k): return 0\n" for name in ("pytest", "unittest", "_pytest")},
    "referee": {"megaagent_referee.py": b"import sys\nsys.exit(0)\n"},
    "python": dict.fromkeys(("python", "bin/python", "pytest"), b"#!/bin/sh\nexit 0\n"),
    "settings that collect only": {"pytest.ini": b"[pytest]\naddopts = --co\n"},
    "settings that load": {
        "pytest.ini": b"[pytest]\naddopts = -p evil\n",
        "evil.py": b"import os\nos._exit(0)\n",
    },
    "reports without runs": {
        "conftest.py": b"""
from _pytest.reports import TestReport
def pytest_runtest_protocol(item, nextitem):
    for when in ('setup', 'call', 'teardown'):
        report = TestReport(item.nodeid, item.location, {}, 'passed', None, when)
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
    },
}


@pytest.mark.parametrize("trick", WORKSPACE)
async def test_files_in_the_workspace_make_no_failing_test_pass(sandbox: Sandbox, trick: str) -> None:
    """Whatever they are called, and whatever settings and hooks they bring."""
    for command in (PYTEST, UNITTEST):
        files = {"test_calc.py": TEST, "calc.py": WRONG, **WORKSPACE[trick]}
        result = await sandbox.run(RunRequest(command, files, guarded=True))
        assert result.exit_code != 0, result.output
        assert result.tests is None or not result.tests.passed


async def test_a_list_of_tests_is_no_failure(sandbox: Sandbox) -> None:
    """A command that itself asks for no more than the list gets it, with nothing passed."""
    result = await sandbox.run(
        RunRequest((*PYTEST, "--co"), {"test_calc.py": TEST, "calc.py": WRONG}, guarded=True)
    )
    assert (result.exit_code, result.tests) == (0, RunnerReport("pytest", 1, 0, 0, 0))


async def test_a_runner_kept_open_is_refereed_too(sandbox: Sandbox) -> None:
    """However tests are run, the same counts; one that is closed before its end has said nothing."""
    for calc, code in ((GOOD, 0), (FORGERIES["exits"], UNSAID_CODE)):
        files = {"test_calc.py": TEST, "calc.py": calc}
        session, result = await sandbox.open(RunRequest(PYTEST, files, guarded=True))
        while result.exit_code == -1:
            result = await session.send("", 1.0)
        assert (result.exit_code, result.tests is not None) == (code, code == 0)
    slow = {"test_slow.py": b"import time\ndef test_it(): time.sleep(60)\n"}
    session, _ = await sandbox.open(RunRequest(PYTEST, slow, timeout_s=0.2, guarded=True))
    closed = await session.close()
    assert (closed.ended, closed.tests) == ("killed", None)


async def test_the_end_that_proves_nothing_is_explained(sandbox: Sandbox) -> None:
    """The agent hears why an exit code of 0 does not count."""
    result = await _run(sandbox, PYTEST, FORGERIES["exits"])
    assert result.exit_code == UNSAID_CODE
    assert "pytest was ended before it could say how the tests went" in result.output


@pytest.mark.parametrize(
    "conftest",
    [
        b"def pytest_sessionfinish(session): session.exitstatus = 0\n",
        b"import os\ndef pytest_sessionfinish(session): os._exit(0)\n",
        b"""
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    made = yield
    made.get_result().outcome = 'passed'
""",
        b"def pytest_collection_modifyitems(items): items.clear()\n",
    ],
    ids=["exit status", "exit", "outcome", "nothing to run"],
)
async def test_a_conftest_makes_no_failing_test_pass(sandbox: Sandbox, conftest: bytes) -> None:
    """What is counted is what the test raised."""
    result = await _run(sandbox, PYTEST, WRONG, conftest=conftest)
    assert result.tests is None or not result.tests.passed
    assert result.exit_code != 0


async def test_skipped_and_expected_failures_are_no_passes(sandbox: Sandbox) -> None:
    """They are counted apart, and an expected failure does not fail the run."""
    marks = b"""
import pytest
@pytest.mark.skip
def test_one(): pass
@pytest.mark.xfail
def test_two(): assert False
def test_three(): pytest.skip('later')
"""
    result = await sandbox.run(RunRequest(PYTEST, {"test_marks.py": marks}, guarded=True))
    assert (result.exit_code, result.tests) == (0, RunnerReport("pytest", 3, 0, 0, 3)), result.output


async def test_a_test_may_start_and_fork_what_it_likes(sandbox: Sandbox) -> None:
    """Children neither hold the channel nor end the runner's word."""
    test = b"""
import multiprocessing, os, subprocess, sys

def test_children():
    open_here = subprocess.run([sys.executable, '-c', 'import os; print(os.listdir("/proc/self/fd"))'],
                               capture_output=True, text=True, close_fds=False)
    assert len(eval(open_here.stdout)) <= 5, open_here.stdout
    with multiprocessing.get_context('fork').Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
"""
    result = await sandbox.run(RunRequest(PYTEST, {"test_it.py": test}, guarded=True))
    assert (result.exit_code, result.tests) == (0, RunnerReport("pytest", 1, 1, 0, 0)), result.output


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("pytest", "-x"), ["python", "-m", "megaagent_referee", "4", "5", "pytest", "-x"]),
        (("python3", "-W", "error", "-m", "unittest", "a"), ["unittest", "a"]),
        (("python", "-B", "-m", "pytest"), ["python", "-B", "-m", "megaagent_referee", "4", "5", "pytest"]),
        (("sh", "-c", "python -m pytest tests"), ["pytest", "tests"]),
        (("python", "check.py", "-m", "pytest"), None),
        (("python", "-c", "-m", "pytest"), None),
        (("sh", "-c", "python -m pytest; true"), None),
        (("make", "test"), None),
        ((), None),
    ],
)
def test_which_commands_are_refereed(argv: tuple[str, ...], words: list[str] | None) -> None:
    """Runners called directly, or as all that a shell is given."""
    found = refereed(argv)
    assert (found is None) == (words is None)
    if found is not None and words is not None:
        assert found.words(4, 5)[-len(words) :] == words


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b'"x"\n',
        b'{"secret": "other", "collected": 1, "passed": 1, "failed": 0, "skipped": 0}\n',
        b'{"secret": "mine", "collected": 1, "passed": 1, "failed": 0}\n',
        b'{"secret": "mine", "collected": 1, "passed": 1, "failed": 0, "skipped": 0}\nmore\n',
        b'{"secret": "mine", "collected": 1, "passed": 1, "failed": 0, "skipped": 0, "altered": 7}\n',
    ],
)
def test_anything_but_one_good_report_is_none(told: bytes) -> None:
    """Nothing, garbage, a wrong secret, a part, and more than one line."""
    assert read_report(told, b"mine", "pytest") is None


CLASS_TEST = TEST
FUNCTION_TEST = b"from calc import add\n\ndef test_add():\n    assert add(1, 2) == 3\n"
EMPTY_TEST = (
    r"import unittest\nclass T(unittest.TestCase):\n    def test_add(self): pass\ndef test_add(): pass\n"
)
REPLACED = {
    "code of a test by a fixture": """
import pytest
@pytest.fixture(autouse=True)
def bend(request):
    request.node.obj = lambda *a: None
    yield
""",
    "method that runs it": """
def pytest_collection_modifyitems(items):
    for item in items: item.runtest = lambda: None
""",
    "its file, for the time of the import": f"""
import atexit, pathlib
path = pathlib.Path('test_calc.py')
old = path.read_text()
path.write_text('{EMPTY_TEST}')
atexit.register(path.write_text, old)
""",
    "builtins": "import builtins\nclass Other(Exception): pass\nbuiltins.AssertionError = Other\n",
    "writing": """
import os
write = os.write
os.write = lambda handle, raw: write(handle, raw.replace(b'"failed": 1', b'"failed": 0'))
""",
}


@pytest.mark.parametrize("what", REPLACED)
async def test_what_was_replaced_of_a_test_is_noticed(sandbox: Sandbox, what: str) -> None:
    """By hooks, by fixtures, on the disk: the test that ran is not the one that was given."""
    files = {"test_calc.py": FUNCTION_TEST, "calc.py": WRONG, "conftest.py": REPLACED[what].encode()}
    result = await sandbox.run(RunRequest(PYTEST, files, guarded=True))
    assert result.exit_code != 0, result.output


HOOKS = {
    "pytest_pyfunc_call": "def pytest_pyfunc_call(pyfuncitem): return True\n",
    "pytest_runtest_call": """
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    made = yield
    made.force_result(None)
""",
}


@pytest.mark.parametrize("hook", HOOKS)
async def test_files_that_decide_how_tests_end_are_told(sandbox: Sandbox, hook: str) -> None:
    """Which file, by which hook; a conftest with fixtures alone is none of them."""
    files = {"test_calc.py": FUNCTION_TEST, "calc.py": WRONG, "conftest.py": HOOKS[hook].encode()}
    result = await sandbox.run(RunRequest(PYTEST, files, guarded=True))
    assert result.tests is not None and result.tests.steered == (("conftest.py", hook),)
    fixture = b"import pytest\n@pytest.fixture\ndef two(): return 2\n"
    files |= {"calc.py": GOOD, "conftest.py": fixture}
    result = await sandbox.run(RunRequest(PYTEST, files, guarded=True))
    assert result.tests is not None and result.tests.steered == ()


async def test_which_tests_of_which_file_ran_is_told(sandbox: Sandbox) -> None:
    """Each counted once, whatever its parameters; those that fail or are skipped are not among them."""
    several = b"""
import pytest
@pytest.mark.parametrize("n", [1, 2])
def test_one(n): pass
def test_two(): pass
@pytest.mark.skip
def test_three(): pass
"""
    files = {"a/test_several.py": several, "test_calc.py": CLASS_TEST, "calc.py": GOOD}
    result = await sandbox.run(RunRequest(PYTEST, files, guarded=True))
    assert result.tests is not None and result.tests.ran == {"a/test_several.py": 2, "test_calc.py": 1}
    result = await sandbox.run(RunRequest(UNITTEST, files, guarded=True))
    assert result.tests is not None and result.tests.ran == {"test_calc.py": 1}


PUT_BACK = {
    "the method that runs tests": (
        PYTEST,
        {
            "conftest.py": """
from _pytest.python import Function
real = Function.runtest
Function.runtest = lambda self: None
def pytest_sessionfinish(session): Function.runtest = real
"""
        },
    ),
    "the plugin that runs tests": (
        PYTEST,
        {
            "conftest.py": """
def pytest_configure(config):
    python = config.pluginmanager.get_plugin('python')
    config.hook.pytest_pyfunc_call._remove_plugin(python)
"""
        },
    ),
    "an assertion, by itself": (
        UNITTEST,
        {
            "calc.py": """
import unittest
def add(a, b): return 0
real = unittest.TestCase.assertEqual
def once(*args): unittest.TestCase.assertEqual = real
unittest.TestCase.assertEqual = once
"""
        },
    ),
    "an assertion, at the end of the module": (
        UNITTEST,
        {
            "calc.py": """
import unittest
def add(a, b): return 0
real = unittest.TestCase.assertEqual
unittest.TestCase.assertEqual = lambda *args: None
unittest.addModuleCleanup(setattr, unittest.TestCase, 'assertEqual', real)
"""
        },
    ),
}


@pytest.mark.parametrize("what", PUT_BACK)
async def test_what_is_replaced_only_for_the_time_of_the_tests_is_noticed(
    sandbox: Sandbox, what: str
) -> None:
    """That all is as it was at the end is not enough: it is looked at around each test."""
    command, bent = PUT_BACK[what]
    test = FUNCTION_TEST if command is PYTEST else TEST
    files = {"test_calc.py": test, "calc.py": WRONG, **{path: text.encode() for path, text in bent.items()}}
    result = await sandbox.run(RunRequest(command, files, guarded=True))
    assert result.exit_code == UNSAID_CODE and result.tests is not None and result.tests.altered, (
        result.output
    )


async def test_a_test_may_replace_for_its_time_what_is_not_the_runners(sandbox: Sandbox) -> None:
    """Input, open, functions of the system: as tests do."""
    tests = b"""
import builtins, os
def test_one(monkeypatch):
    monkeypatch.setattr(builtins, 'input', lambda *a: '3')
    monkeypatch.setattr(os, 'getcwd', lambda: '/')
    assert input() == '3' and os.getcwd() == '/'
"""
    result = await sandbox.run(RunRequest(PYTEST, {"test_one.py": tests}, guarded=True))
    assert result.exit_code == 0 and result.tests is not None and result.tests.altered == (), result.output


TAKES_PART = {
    "_inner_hookexec": """
def pytest_configure(config):
    manager = config.pluginmanager
    real = manager._inner_hookexec
    def bent(name, *rest): return True if name == 'pytest_pyfunc_call' else real(name, *rest)
    manager._inner_hookexec = bent
""",
    "find_spec": """
import importlib.abc, importlib.util, sys
class Other(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name == 'test_calc':
            return importlib.util.spec_from_file_location(name, 'test_calc.py', loader=self)
    def create_module(self, spec): return None
    def exec_module(self, module): exec('def test_add(): pass', vars(module))
sys.meta_path.insert(0, Other())
""",
}


@pytest.mark.parametrize("what", TAKES_PART)
async def test_files_that_take_the_place_of_pytest_or_of_python_are_told(sandbox: Sandbox, what: str) -> None:
    """Which file: a submission whose author wrote it is refused, as one with a hook is."""
    files = {"test_calc.py": FUNCTION_TEST, "calc.py": WRONG, "conftest.py": TAKES_PART[what].encode()}
    result = await sandbox.run(RunRequest(PYTEST, files, guarded=True))
    assert result.tests is not None and ("conftest.py", what) in result.tests.steered
