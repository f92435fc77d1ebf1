"""Guarded runs: a checkout cannot put its own in the place of Python's modules or the test runner."""

from __future__ import annotations

import pytest

from engine.ports import RunRequest, Sandbox

FAILING = b"def test_it():\n    assert 1 == 2\n"
LIE = b"import os\nos._exit(0)\n"
PYTEST = ("python", "-m", "pytest", "-q", "tests")
SHADOWS = ("pytest.py", "pytest/__init__.py", "_pytest/__init__.py", "pluggy.py", "json.py", "argparse.py")


@pytest.mark.parametrize("shadow", SHADOWS)
async def test_a_shadow_of_the_runner_fakes_no_success(sandbox: Sandbox, shadow: str) -> None:
    """A failing test fails; unguarded the same files say that all is well, so the guard is what holds."""
    files = {"tests/test_it.py": FAILING, shadow: LIE}
    plain = await sandbox.run(RunRequest(PYTEST, files))
    guarded = await sandbox.run(RunRequest(PYTEST, files, guarded=True))
    assert plain.exit_code == 0
    assert (guarded.exit_code, "1 failed" in guarded.output) == (1, True), guarded.output


@pytest.mark.parametrize("shadow", ["decimal.py", "tests/decimal.py"])
async def test_a_shadow_beside_the_tests_is_not_what_they_import(sandbox: Sandbox, shadow: str) -> None:
    """The runner does not put the folder of a test before Python's own modules either."""
    test = b"from decimal import Decimal\n\ndef test_it():\n    assert Decimal(1) == 2\n"
    shadowed = b"class Decimal:\n    def __init__(self, _): pass\n    def __eq__(self, _): return True\n"
    files = {"tests/test_it.py": test, shadow: shadowed}
    result = await sandbox.run(RunRequest(PYTEST, files, guarded=True))
    assert (result.exit_code, "1 failed" in result.output) == (1, True), result.output


@pytest.mark.parametrize("command", [("python", "check.py"), ("python", "-m", "unittest", "-q", "check")])
async def test_a_script_cannot_be_faked_by_what_lies_beside_it(
    sandbox: Sandbox, command: tuple[str, ...]
) -> None:
    """The same for checks that are no pytest."""
    check = (
        b"import unittest\n\nclass T(unittest.TestCase):\n    def test_it(self): self.fail()\n\n"
        b'if __name__ == "__main__":\n    unittest.main()\n'
    )
    files = {"check.py": check, "unittest.py": LIE, "sitecustomize.py": LIE, "usercustomize.py": LIE}
    assert (await sandbox.run(RunRequest(command, files))).exit_code == 0
    result = await sandbox.run(RunRequest(command, files, guarded=True))
    assert (result.exit_code, "FAILED" in result.output) == (1, True), result.output


async def test_honest_tests_find_all_that_is_theirs(sandbox: Sandbox) -> None:
    """Modules of the root, beside the test, beside a script that a test starts, and in its working folder."""
    test = b"""
import subprocess, sys
from helper import three
from main import two
from package.inner import four

def test_it(tmp_path):
    (tmp_path / "made.py").write_text("print(6)")
    script = subprocess.run([sys.executable, "tools/show.py"], capture_output=True, text=True)
    module = subprocess.run([sys.executable, "-m", "made"], cwd=tmp_path, capture_output=True, text=True)
    assert (two, three, four, script.stdout, module.stdout) == (2, 3, 4, "5\\n", "6\\n"), script.stderr
"""
    files = {
        "tests/test_it.py": test,
        "tests/helper.py": b"three = 3\n",
        "main.py": b"two = 2\n",
        "package/__init__.py": b"",
        "package/inner.py": b"four = 4\n",
        "tools/show.py": b"from beside import five\nprint(five)\n",
        "tools/beside.py": b"five = 5\n",
    }
    for command in (PYTEST, ("pytest", "-q"), ("python", "-m", "pytest")):
        result = await sandbox.run(RunRequest(command, files, guarded=True))
        assert result.exit_code == 0, result.output
