"""A run that broke for want of what it was not given says nothing about the program; one that broke by
itself does, whatever it prints."""

from __future__ import annotations

import pytest

from engine.domain.account import RunRecord, account_of
from engine.domain.inconclusive import Lack, lack_of

TAKES = b"import sys\nprint(int(sys.argv[1]))\n"
PARSES = b"import argparse\np = argparse.ArgumentParser()\np.add_argument('n')\np.parse_args()\n"
PLAIN = b"print(1)\n"
FILES = {
    "takes.py": TAKES,
    "parses.py": PARSES,
    "plain.py": PLAIN,
    "there.csv": b"1\n",
    "cut.py": b"import sys\n(",
}
NO_ARGUMENT = (
    'Traceback (most recent call last):\n  File "/task/takes.py", line 2, in <module>\n'
    "    print(int(sys.argv[1]))\n              ~~~~~~~~^^^\nIndexError: list index out of range\n"
)
OTHER_INDEX = NO_ARGUMENT.replace("sys.argv[1]", "rows[1]").replace("              ~~~~~~~~^^^\n", "")
NAME_ERROR = (
    "Traceback (most recent call last):\n  File \"/task/takes.py\"\nNameError: name 'x' is not defined\n"
)
NO_FILE = "Traceback (most recent call last):\nFileNotFoundError: [Errno 2] No such file or directory: '{}'\n"


@pytest.mark.parametrize(
    ("command", "code", "output", "lack"),
    [
        ("python takes.py", 1, NO_ARGUMENT, Lack("arguments")),
        ("python ./takes.py", 1, NO_ARGUMENT, Lack("arguments")),
        ("python takes.py", 1, "usage: takes.py N\n", Lack("arguments")),
        (
            "python parses.py",
            2,
            "usage: parses.py [-h] n\nerror: required: n\n",
            Lack("arguments"),
        ),
        ("python takes.py", 1, NAME_ERROR, Lack()),
        ("python takes.py", 1, OTHER_INDEX, Lack()),
        ("python takes.py 3", 1, NO_ARGUMENT, Lack()),
        ("python plain.py", 1, "usage: plain.py N\n", Lack()),
        ("python cut.py", 1, "SyntaxError: '(' was never closed\n", Lack()),
        ("python plain.py", 1, NO_FILE.format("items.csv"), Lack("file", "items.csv")),
        ("python plain.py", 1, NO_FILE.format("there.csv"), Lack()),
        ("python plain.py", 1, NO_FILE.format("items.csv") + "more\n", Lack()),
        ("python plain.py", 1, "EOFError: EOF when reading a line\n", Lack("input")),
        ("takes.py", 127, "takes.py: not found\n", Lack("command")),
        ("./takes.py", 126, "./takes.py: Permission denied\n", Lack("command")),
        (
            "python no.py",
            2,
            "python: can't open file '/task/no.py': [Errno 2] No such file\n",
            Lack("command"),
        ),
        ("python takes.py", 0, NO_FILE.format("items.csv"), Lack()),
    ],
)
def test_what_a_run_lacked(command: str, code: int, output: str, lack: Lack) -> None:
    """Each want is seen by the exit code, the end of the output and the program; nothing else is one."""
    assert lack_of(command.split(), code, output, FILES) == lack


def test_a_report_calls_such_a_run_untried() -> None:
    """Neither a success nor a failure; a real failure beside it stays one."""
    untried = RunRecord("python takes.py", 1, "exit", NO_ARGUMENT, lack="arguments")
    alone = account_of([untried], ["takes.py"])
    assert alone.startswith("Not tried to the end: a program takes arguments and was given none.")
    assert "Failed" not in alone and "Ended with exit code 0" not in alone
    broken = RunRecord("python plain.py", 1, "exit", NAME_ERROR)
    assert account_of([untried, broken], ["takes.py"]).startswith("Not finished: 1 of 2 programs failed.")
