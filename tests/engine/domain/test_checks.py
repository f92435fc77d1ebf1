"""Which files decide how a check ends, and how that is said."""

from __future__ import annotations

import pytest

from engine.domain.checks import deciding, hidden_by_python, runs_tests

PATHS = ("main.py", "tests/test_a.py", "tests/test_b.py", "tests/data.txt", "conftest.py", "setup.cfg")
TESTS = ["conftest.py", "setup.cfg", "tests/test_a.py", "tests/test_b.py"]


@pytest.mark.parametrize(
    ("command", "files"),
    [
        (["pytest"], TESTS),
        (["python", "-m", "pytest", "-q", "./tests/"], TESTS),
        (["sh", "-c", "cd . && pytest tests"], TESTS),
        (["pytest", "tests/test_a.py::test_x"], ["conftest.py", "setup.cfg", "tests/test_a.py"]),
        (["python", "-m", "unittest", "tests.test_b"], ["conftest.py", "setup.cfg", "tests/test_b.py"]),
        (["python", "main.py", "--selftest"], ["main.py"]),
        (["python", "-m", "main"], ["main.py"]),
        (["true"], []),
    ],
)
def test_what_decides_is_what_a_command_names_and_what_steers_it(
    command: list[str], files: list[str]
) -> None:
    """Tests with what configures them; for any other program the files it names."""
    assert deciding(command, PATHS) == files


def test_calls_of_a_test_runner_are_known() -> None:
    """However they are wrapped; a file that only has such a name in it is none."""
    assert runs_tests(["sh", "-c", "python -m pytest -q"]) and runs_tests(["/env/bin/pytest"])
    assert not runs_tests(["python", "pytest_report.py"])


def test_names_python_has_itself_are_found() -> None:
    """Only modules, wherever they lie."""
    assert hidden_by_python(["calendar.py", "src/queue.py", "json.txt", "game.py"]) == [
        "calendar.py",
        "src/queue.py",
    ]
