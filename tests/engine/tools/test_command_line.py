"""Commands that models write as one line are run as they were meant."""

from __future__ import annotations

import pytest

from engine.tools import TOOLS


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["python", "a b.py"], ["python", "a b.py"]),
        (["a.out"], ["a.out"]),
        ("python -m pytest -q", ["python", "-m", "pytest", "-q"]),
        (["python -m pytest -q"], ["python", "-m", "pytest", "-q"]),
        ('["python", "a.py"]', ["python", "a.py"]),
        ("python a.py 'x y'", ["python", "a.py", "x y"]),
        ("python a.py > out.txt", ["sh", "-c", "python a.py > out.txt"]),
        ("cd src && make", ["sh", "-c", "cd src && make"]),
        ("A=1 python a.py", ["sh", "-c", "A=1 python a.py"]),
        ("echo it's", ["sh", "-c", "echo it's"]),
    ],
)
def test_a_line_is_taken_as_its_words_or_given_to_the_shell(written: object, meant: list[str]) -> None:
    """Checks go by the words, so that who wrote what they run is still seen."""
    assert TOOLS["run"].arguments.model_validate({"command": written}).command == meant
    given = {"to": "Ada", "title": "t", "details": "d", "command": written}
    assert TOOLS["assign"].arguments.model_validate(given).command == meant


@pytest.mark.parametrize("written", [[], "", "  ", 7, ["python", 3], None])
def test_what_is_no_command_is_refused(written: object) -> None:
    """A run needs one."""
    with pytest.raises(ValueError, match="command"):
        TOOLS["run"].arguments.model_validate({"command": written})
