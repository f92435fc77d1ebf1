"""Evidence of checks: which files a check loads, whose they are, and what was changed since, said first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.evidence import Touch, concerned, evidence_of
from engine.domain.loading import loaded, read_by
from engine.ports import RunnerReport

CHECK = ["python", "check.py"]


@pytest.mark.parametrize(
    ("command", "files", "wanted"),
    [
        (CHECK, {"check.py": "import helper", "helper.py": "", "x.py": ""}, ["check.py", "helper.py"]),
        (CHECK, {"check.py": "__import__('helper')", "helper.py": ""}, ["check.py", "helper.py"]),
        (
            CHECK,
            {"check.py": "import importlib as i\ni.import_module('lib.helper')", "lib/helper.py": ""},
            ["check.py", "lib/helper.py"],
        ),
        (
            CHECK,
            {"check.py": "import sys\nsys.path.insert(0, 'lib')\nimport helper", "lib/helper.py": ""},
            ["check.py", "lib/helper.py"],
        ),
        (CHECK, {"check.py": "import runpy\nrunpy.run_path('t/a.py')", "t/a.py": ""}, ["check.py", "t/a.py"]),
        (
            ["pytest"],
            {"t/u/test_a.py": "from .. import helpers", "t/helpers.py": "", "t/conftest.py": ""},
            ["t/conftest.py", "t/helpers.py", "t/u/test_a.py"],
        ),
        (
            ["pytest"],
            {"test_a.py": "", "conftest.py": "pytest_plugins = ['fixtures.db']", "fixtures/db.py": ""},
            ["conftest.py", "fixtures/db.py", "test_a.py"],
        ),
        (["sh", "check.sh"], {"check.sh": "python 'a.py' || exit 1", "a.py": ""}, ["a.py", "check.sh"]),
        (
            ["python", "-c", "import game"],
            {"game.py": "import rules", "rules.py": ""},
            ["game.py", "rules.py"],
        ),
        (CHECK, {"check.py": "import json", "data/json.py": ""}, ["check.py"]),
        (CHECK, {"check.py": "syntax error(", "helper.py": ""}, ["check.py"]),
    ],
)
def test_what_a_check_loads_is_followed(command: list[str], files: dict[str, str], wanted: list[str]) -> None:
    """Imports of every form, scripts named in it, plugins of the runner; never the standard library."""
    assert loaded(command, {path: text.encode() for path, text in files.items()}) == wanted


NODE = {
    "check.js": "const h = require('./lib/h');\nimport x from './lib/y.mjs';",
    "lib/h.js": "require('../k')",
    "lib/y.mjs": "",
    "k/index.js": "",
    "lib/h.txt": "",
    "other.js": "",
}


@pytest.mark.parametrize(
    ("command", "files", "wanted"),
    [
        ("node check.js", NODE, "check.js k/index.js lib/h.js lib/y.mjs"),
        ("node --test", {"a.test.js": "", "src/a.js": "", "a.md": ""}, "a.test.js src/a.js"),
        ("go test ./...", {"go.mod": "", "a_test.go": "", "n.md": ""}, "a_test.go go.mod"),
        ("make test", {"Makefile": "test:\n\tpython t/v.py\n", "t/v.py": "", "b": ""}, "Makefile t/v.py"),
        ("make -C t all", {"t/Makefile": "", "t/b.py": ""}, "t/Makefile"),
        (
            "perl t/a.t",
            {"t/a.t": "use Foo::Bar;", "lib/Foo/Bar.pm": "", "Foo.pm": ""},
            "lib/Foo/Bar.pm t/a.t",
        ),
        ("ruby a.rb", {"a.rb": "require_relative 'h'", "h.rb": "", "i.rb": ""}, "a.rb h.rb"),
        (
            "gcc -o t t.c",
            {"t.c": '#include "s/k.h"\n#include <h.h>', "s/k.h": "", "h.h": ""},
            "h.h s/k.h t.c",
        ),
        ("sh a.sh", {"a.sh": "python -m u.v", "u/v.py": "import w", "u/w.py": ""}, "a.sh u/v.py u/w.py"),
        (
            "python check.py",
            {"check.py": "run(['-m', 'parts.two'])", "parts/two.py": ""},
            "check.py parts/two.py",
        ),
    ],
)
def test_what_a_program_in_another_language_names_is_followed(
    command: str, files: dict[str, str], wanted: str
) -> None:
    """By its words, from its folder or the root, with a suffix or without; runners find files alone."""
    found = {path: text.encode() for path, text in files.items()}
    assert loaded(command.split(), found) == wanted.split()
    for line in (f"cd . && {command}", f"{command} > out.txt"):
        assert set(wanted.split()) <= set(loaded(["sh", "-c", line], found))


def test_a_change_of_folder_in_a_shell_line_is_followed() -> None:
    """The file is named from the folder it changes to."""
    found = {"t/v.py": b"import h", "t/h.py": b"", "u/v.py": b""}
    assert loaded(["sh", "-c", "cd t && python v.py"], found) == ["t/h.py", "t/v.py"]


def test_a_run_depends_on_the_data_that_its_programs_name() -> None:
    """Files and folders in constants; not what nothing names."""
    files = {"build.py": b"from pathlib import Path\nPath('parts').glob('*')\nopen('head.md')"}
    files |= dict.fromkeys(("parts/1.md", "parts/a/2.md", "head.md", "other.md", "partsy.md"), b"")
    assert read_by(["python", "build.py"], files) == ["build.py", "head.md", "parts/1.md", "parts/a/2.md"]


def touches(*changes: tuple[str, str | None]) -> list[Touch]:
    """Changes of one file, numbered from 1."""
    return [Touch(number, agent, blob) for number, (agent, blob) in enumerate(changes, 1)]


def test_a_check_of_the_giver_that_the_submitter_changed_is_said_first() -> None:
    """Before the result, with the revision it had, and apart from the submitter's own files."""
    history = {
        "check.py": touches(("Dov", "a"), ("Finn", "b")),
        "helper.py": touches(("Finn", "c")),
        "rules.py": touches(("Iris", "d")),
    }
    evidence = evidence_of(("python", "check.py"), "Finn", "Dov", None, history)
    lines = evidence.text().splitlines()
    assert lines[0] == (
        "Not proof: code of the task decides how this program ends. check.py was yours (revision 1); Finn, "
        "who submits, changed it since. Finn, who submits, last wrote what this check goes by or loads, "
        "which could end it so: helper.py."
    )
    assert lines[1].startswith("Its check exited with code 0")
    assert [each.path for each in evidence.altered] == ["check.py"]


def test_a_check_that_was_deleted_or_put_back_is_told_as_what_it_is() -> None:
    """A deleted test of the giver is named; one that has its first content again is not."""
    files = {"test_b.py": b""}
    assert concerned(["pytest"], files, {"test_a.py", "test_b.py", "main.py"}) == ["test_a.py", "test_b.py"]
    history = {
        "test_a.py": touches(("Dov", "a"), ("Finn", None)),
        "test_b.py": touches(("Dov", "b"), ("Finn", "x"), ("Finn", "b")),
    }
    text = evidence_of(("pytest",), "Finn", "Dov", None, history).text()
    assert "test_a.py was yours (revision 1); Finn, who submits, deleted it since." in text.splitlines()[0]
    assert "test_b.py was" not in text


def test_changes_by_third_parties_are_told_of_the_givers_files_only() -> None:
    """What Iris did to a colleague's file is between them; what she did to the giver's check is not."""
    history = {
        "check.py": touches(("Dov", "a"), ("Iris", "b")),
        "tool.py": touches(("Tess", "a"), ("Iris", "b")),
        "mine.py": touches(("Tess", "a"), ("Finn", "b")),
    }
    altered = evidence_of(("python", "check.py"), "Finn", "Dov", None, history).altered
    assert [(each.path, each.owner, each.by) for each in altered] == [
        ("check.py", "Dov", ("Iris",)),
        ("mine.py", "Tess", ("Finn",)),
    ]


REPORT = RunnerReport("pytest", 3, 3, 0, 0, ran={"test_a.py": 1, "test_b.py": 2})
SOURCE = b"def test_one(): pass\nclass TestIt:\n    def test_two(self): pass\n    def other(self): pass\n"


def test_every_check_that_loads_files_of_the_task_says_first_that_it_is_no_proof() -> None:
    """Whoever wrote them, the giver too: they run in the process that reports."""
    history = {"test_a.py": touches(("Dov", "a"))}
    for tests in (REPORT, None):
        text = evidence_of(("python", "-m", "pytest"), "Finn", "Dov", tests, history).text()
        assert text.splitlines()[0].startswith("Not proof: ")
        assert "passed" not in text and "well" not in text
    assert evidence_of(("true",), "Finn", "Dov", None, {}).text().startswith("Its check exited with code 0")


@pytest.mark.parametrize(
    ("command", "settings", "bent"),
    [
        (["pytest"], "", "test_a.py (Dov): 1 of 2"),
        (["pytest", "tests"], "Finn", "may be why"),
        (["pytest"], "Dov", ""),
        (["pytest", "-k", "one"], "Finn", ""),
        (["python", "-m", "unittest", "test_a.T"], "Finn", ""),
    ],
)
def test_tests_that_did_not_run_are_counted_by_their_source(
    command: list[str], settings: str, bent: str
) -> None:
    """Told in the first line; refused where the submitter's settings may be why, never for a wish of the
    giver or of the command itself."""
    history = {"test_a.py": touches(("Dov", "a")), "test_b.py": touches(("Dov", "b"))}
    history |= {"pytest.ini": touches((settings, "c"))} if settings else {}
    files = {"test_a.py": SOURCE, "test_b.py": SOURCE, "pytest.ini": b""}
    evidence = evidence_of(tuple(command), "Finn", "Dov", REPORT, history, files)
    told = "test_a.py (Dov): 1 of 2" in evidence.text().splitlines()[0]
    assert told == (len(command) < 3) and "test_b.py (Dov): " not in evidence.text()
    assert (settings == "Finn" and told) == bool(evidence.bent)
    if settings == "Finn" and told:
        assert bent in evidence.bent


def test_a_file_of_others_of_which_nothing_ran_shows_nothing() -> None:
    """Neither settings nor the file itself say so, so something in the process kept it from running: code
    that skips the test, whatever else is skipped, too."""
    history, files = {"test_c.py": touches(("Dov", "a"))}, {"test_c.py": SOURCE}
    assert evidence_of(("pytest",), "Finn", "Dov", REPORT, history, files).bent
    skipped = replace(REPORT, skipped=1)
    assert evidence_of(("pytest",), "Finn", "Dov", skipped, history, files).bent
    itself = {"test_c.py": b"import pytest\npytest.importorskip('numpy')  # skips\n" + SOURCE}
    assert not evidence_of(("pytest",), "Finn", "Dov", skipped, history, itself).bent
    history |= {"conftest.py": touches(("Dov", "b"))}
    for settings, says in ((b"import pytest\n", False), (b"collect_ignore = ['test_c.py']\n", True)):
        evidence = evidence_of(("pytest",), "Finn", "Dov", REPORT, history, files | {"conftest.py": settings})
        assert bool(evidence.bent) != says
    passed_by = {"build/test_c.py": touches(("Dov", "a"))}
    assert not evidence_of(("pytest",), "Finn", "Dov", REPORT, passed_by, {"build/test_c.py": SOURCE}).bent


NAMES = st.sampled_from(["Dov", "Finn", "Iris"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["a", "b", None])), min_size=1, max_size=6))
def test_whatever_the_submitter_left_in_a_check_is_named(changes: list[tuple[str, str | None]]) -> None:
    """The file is named before the result whenever its content is the submitter's last word."""
    evidence = evidence_of(("python", "check.py"), "Finn", "Dov", None, {"check.py": touches(*changes)})
    last, blob = changes[-1]
    given = [content for agent, content in changes if agent == "Dov"]
    restored = bool(given) and given[-1] == blob
    if last == "Finn" and blob is not None and not restored:
        assert "check.py" in evidence.text().split("Its check")[0]
