"""What a result plainly lacks is found without running it, and what is empty on purpose is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.account import RunRecord
from engine.domain.completeness import Missing, missing_in

STUBS = """
def rename_photos(folder):
    # Implementation to rename photos
    pass

def plan(folder):
    \"\"\"Return the new names.\"\"\"

def run():
    raise NotImplementedError("later")

def count(folder):
    return 0  # TODO: count them
"""
ON_PURPOSE = '''
import abc
import click
from typing import Protocol, overload

class Store(Protocol):
    def get(self, key: str) -> str: ...

class Base(abc.ABC):
    @abc.abstractmethod
    def run(self): pass
    def hook(self): pass

class Handler(SomeLibrary):
    def log_message(self, *words): pass

class Shape:
    def area(self):
        raise NotImplementedError

class Square(Shape):
    def area(self): return 4

class Context:
    def __enter__(self): return self
    def __exit__(self, *error): pass

class Problem(Exception):
    """Something."""

@click.group()
def cli():
    """All commands."""

def noop(): pass

def zero(): return 0

def main():
    def on_tick(): pass
    return on_tick
'''


def found(goal: str, runs: tuple[RunRecord, ...] = (), **files: str) -> list[tuple[str, str, str]]:
    """What is missing; a file's name with `__` for the point before its suffix."""
    texts = {name.replace("__", "."): text.encode() for name, text in files.items()}
    return [(each.kind, each.path, each.what) for each in missing_in(goal, texts, runs)]


def test_the_newcomers_first_task_is_not_finished() -> None:
    """The file of stubs that once stood under "Done": each empty function, the tests, the option."""
    goal = "Write rename_photos.py: it renames photos, has a --dry-run option, and comes with pytest tests."
    seen = missing_in(goal, {"rename_photos.py": STUBS.encode()}, ())
    names = [each.what for each in seen if each.kind == "empty_function"]
    assert names == ["rename_photos", "plan", "run", "count"]
    assert Missing("tests") in seen and Missing("option", "", "--dry-run") in seen


def test_what_is_empty_on_purpose_is_no_stub() -> None:
    """Interfaces, hooks, fakes and skeletons may be empty."""
    assert found("Write it.", app__py=ON_PURPOSE) == []
    assert missing_in("Write it.", {"pkg/__init__.py": b"def f(): pass\n"}, ()) == ()
    assert missing_in("Write it.", {"tests/fakes.py": b"def send(text): pass\n"}, ()) == ()
    assert found("Write the skeleton of a shop.", shop__py=STUBS) == []


def test_a_test_that_tests_nothing_is_a_stub() -> None:
    """An empty test is reported like any other empty function."""
    assert found("Write it.", test_a__py="def test_a():\n    pass\n") == [
        ("empty_function", "test_a.py", "test_a")
    ]


def test_files_that_the_goal_names_are_looked_for_in_any_folder() -> None:
    """Case does not count; a file of spaces is empty."""
    goal = "Write plan.md and budget.csv."
    assert found(goal, plan__md="A plan.\n") == [("file", "budget.csv", "")]
    assert found(goal, plan__md=" \n", budget__csv="a,b\n") == [("empty_file", "plan.md", "")]
    assert missing_in(goal, {"out/Plan.md": b"x", "budget.csv": b"a,b\n"}, ()) == ()


@pytest.mark.parametrize(
    ("path", "text", "wrong"),
    [
        ("budget.csv", "| item | cost |\n|---|---|\n| bed | 3 |\n", True),
        ("budget.csv", "```csv\na,b\n```\n", True),
        ("budget.csv", "# Budget of the weekend\n\nFirst we eat.\n", True),
        ("budget.csv", "item,cost\nbed,3\n", False),
        ("budget.csv", "#id,name\n1,x\n", False),
        ("a.json", "{", True),
        ("a.json", "{}", False),
        ("tsconfig.json", "{ // why\n}", False),
        ("tests/invalid.json", "{", False),
        ("a.py", "def f(:\n", True),
        ("a.py", "```python\nx = 1\n```\n", True),
        ("a.py", "x = '\\d'\n", False),
        ("a.toml", "[a", True),
        ("a.js", "```js\nx\n```\n", True),
        ("a.html", "just words", True),
        ("a.html", "<p>x</p>", False),
        ("README.md", "```sh\nls\n```\n", False),
        ("notes.txt", "{", False),
    ],
)
def test_content_is_what_the_name_says(path: str, text: str, wrong: bool) -> None:
    """A file of data must be readable as what its suffix promises."""
    seen = missing_in("Make it.", {path: text.encode()}, ())
    assert [each.kind for each in seen] == (["content"] if wrong else [])


def test_a_text_that_goes_round_in_circles_is_seen() -> None:
    """Prose that repeats itself is reported; songs, rules and data may repeat."""
    line = "The museum opens at ten and closes at six in the evening.\n"
    other = "Then we walk along the river to the old town and eat.\n"
    assert found("A plan.", plan__md=line * 6) == [("repeats", "plan.md", "")]
    assert found("A plan.", plan__md="# Plan\n" + (line + other) * 6) == [("repeats", "plan.md", "")]
    assert found("A plan.", plan__md=line.replace("\n", " ") * 6) == [("repeats", "plan.md", "")]
    assert found("A plan.", plan__md=line * 3 + other) == []
    for period, missing in ((12, [("repeats", "plan.md", "")]), (13, [])):
        many = "".join(f"Hall {number}: {line}" for number in range(period))
        assert found("A plan.", plan__md=many * 6) == missing
    assert found("Write a song.", song__txt=line * 6) == []
    assert found("A plan.", plan__md="---\n" * 90) == []
    assert found("Data.", data__csv="0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n" * 50) == []


def test_a_program_that_prints_nothing_is_seen_where_something_is_to_be_seen() -> None:
    """One run with output is enough."""
    silent = RunRecord("python game.py", 0, "exit", "")
    loud = RunRecord("python main.py", 0, "exit", "hello\n")
    goal = "Write game.py, which prints a board."
    assert found(goal, (silent,), game__py="x = 1\n") == [("silent", "game.py", "")]
    assert found(goal, (silent, loud), game__py="x = 1\n") == []
    assert found("Write game.py with a function board().", (silent,), game__py="x = 1\n") == []
    assert found(goal, (), game__py="x = 1\n") == []


@given(
    st.dictionaries(st.sampled_from(["a.py", "a.json", "a.csv", "a.md", "a.html"]), st.binary(max_size=200))
)
def test_any_content_can_be_looked_at(files: dict[str, bytes]) -> None:
    """Nothing fails, and what is named stands there."""
    assert all(each.path in files for each in missing_in("Make it.", files, ()))
