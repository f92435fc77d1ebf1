"""What one run leaves cannot change how Python itself starts in a later one, or what a later one finds."""

from __future__ import annotations

import pytest

from engine.ports import RunRequest
from tests.engine.sandbox.arena import Arena
from tests.engine.sandbox.test_attacks import USERS

POISON = "import os; os.write(1, b'poisoned\\n')\n"
PLANT = f"""
import os, subprocess, sys
poison = {POISON!r}
for name in ["sitecustomize.py", "usercustomize.py", "evil.pth", "pyvenv.cfg", "python._pth"]:
    open(name, "w").write(poison)
os.makedirs("lib/python3.11/site-packages")
open("lib/python3.11/site-packages/evil.pth", "w").write(poison)
os.makedirs("__pycache__")
open("__pycache__/json.cpython-311.pyc", "wb").write(b"poison")
for path in ["/tmp/left", "/dev/shm/left", "/tmp/.local/lib/python3.11/site-packages/evil.pth"]:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").write(poison)
subprocess.Popen(["sleep", "1000"], start_new_session=True)
"""
LATER = "import json, os; print(os.path.exists('/tmp/left'), os.path.exists('/dev/shm/left'), json.dumps(1))"


@pytest.mark.parametrize("user", USERS)
def test_nothing_a_run_leaves_starts_with_the_next(user: str, request: pytest.FixtureRequest) -> None:
    """Start-up files of Python in the checkout come back as files, and no Python runs them by itself."""
    arena: Arena = request.getfixturevalue(user)
    first = arena.run(RunRequest(("python", "-c", PLANT), {}))
    assert {"sitecustomize.py", "usercustomize.py", "evil.pth"} <= set(first.changed)
    assert not any("__pycache__" in path for path in first.changed)
    files = dict(first.changed)
    for argv in (("python", "-c", LATER), ("python", "-I", "-c", LATER), ("/usr/bin/python3", "-c", LATER)):
        assert arena.run(RunRequest(argv, files)).output == "False False 1\n"


@pytest.mark.parametrize("user", USERS)
def test_pytest_starts_clean(user: str, request: pytest.FixtureRequest) -> None:
    """A planted cache of the last failures, or start-up files, do not change what pytest runs."""
    arena: Arena = request.getfixturevalue(user)
    files = {
        "sitecustomize.py": b"import os; os._exit(0)\n",
        ".pytest_cache/v/cache/lastfailed": b'{"test_x.py::test_gone": true}',
        "test_x.py": b"def test_bad(): assert False\n",
    }
    for argv in (("pytest", "-q", "--lf"), ("python", "-m", "pytest", "-q")):
        result = arena.run(RunRequest(argv, files))
        assert result.exit_code != 0
        assert "1 passed" not in result.output
