"""Examples are read from the goal's own words and tell what is right from what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.works.seen import RUNLENGTH, TEMPERATURE
from engine.llm.local.examples import RUNNER_FILE, Example, Tried, examples_of, runner, tried


@pytest.mark.parametrize(
    ("goal", "found"),
    [
        (
            'def f(n):\n    """Double.\n    >>> f(2)\n    4\n    """\n',
            [Example("shown", "f(2)\n", "4\n")],
        ),
        ("such tests as: assert f(2, [1]) == 4", [Example("value", "f(2, [1])", "4")]),
        ("f('a') returns 'aa' and `g(1)` -> `[1, 2]`", [("f('a')", "'aa'"), ("g(1)", "[1, 2]")]),
        (
            "`python a.py 100 C` prints 212.0 (to Fahrenheit)",
            [Example("printed", "python a.py 100 C", "212.0")],
        ),
        ("`python a.py 20` prints the prime numbers up to 20", []),
        ("a function count(text) returns 0 for nothing", []),
        ("half(3) returns 1.5 of it", [Example("value", "half(3)", "1.5")]),
        ("", []),
    ],
)
def test_examples_are_those_that_can_be_compared(goal: str, found: list[object]) -> None:
    """An example has an input and an exact output."""
    seen = examples_of(goal)
    assert [
        one if isinstance(want, Example) else (one.source, one.want)
        for one, want in zip(seen, found, strict=True)
    ] == found


def run_examples(folder: Path, goal: str, **files: str) -> Tried | None:
    """Run the examples beside the files, as the sandbox does."""
    texts = {name.replace("__", "."): text.encode() for name, text in files.items()}
    program = runner(goal, texts)
    if program is None:
        return None
    for path, data in {**texts, RUNNER_FILE: program}.items():
        (folder / path).write_bytes(data)
    done = subprocess.run(
        [sys.executable, RUNNER_FILE], cwd=folder, capture_output=True, text=True, check=False
    )
    return tried(done.stdout)


def test_a_right_function_holds_and_a_wrong_one_says_what_came(tmp_path: Path) -> None:
    """A failure names the call and what it returned or raised."""
    right = run_examples(tmp_path, RUNLENGTH.goal, runlength__py=RUNLENGTH.reference["runlength.py"])
    assert right == Tried(3)
    wrong = run_examples(tmp_path, RUNLENGTH.goal, runlength__py="def runlength(text):\n    return None\n")
    assert wrong is not None and wrong.count == 3
    assert wrong.failed[0] == ('runlength("aaab")', "nothing")
    breaks = run_examples(
        tmp_path, RUNLENGTH.goal, runlength__py="x = List()\n\ndef runlength(t):\n    return t\n"
    )
    assert breaks is not None and "NameError" in breaks.failed[0][1]


def test_a_program_is_run_with_the_arguments_of_its_example(tmp_path: Path) -> None:
    """A failure names the command and what it printed."""
    program = TEMPERATURE.reference["temperature.py"]
    assert run_examples(tmp_path, TEMPERATURE.goal, temperature__py=program) == Tried(2)
    wrong = run_examples(tmp_path, TEMPERATURE.goal, temperature__py="print(5)\n")
    assert wrong == Tried(2, (("python temperature.py 100 C", "5"), ("python temperature.py 32 F", "5")))


def test_a_goal_without_examples_has_nothing_to_run(tmp_path: Path) -> None:
    """No runner is written, and other output is not read as a result."""
    assert runner("Write a.py.", {"a.py": b"x = 1\n"}) is None
    assert runner(RUNLENGTH.goal, {"notes.md": b"x"}) is None
    assert tried("anything else\n") is None


@given(st.text(max_size=200))
def test_any_goal_can_be_read(goal: str) -> None:
    """Nothing fails, whatever a person types, and few examples are taken."""
    assert len(examples_of(goal)) <= 20
