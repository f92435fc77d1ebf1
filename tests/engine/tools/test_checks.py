"""Submissions are held against their check in the real sandbox, and whose tests it ran is said."""

from __future__ import annotations

import pytest

from engine.events import AssignmentChanged
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, Sandbox
from tests.engine.autonomy.conftest import Play, Stage
from tests.fakes.cast import Part, View

Call = tuple[str, dict[str, object]]
COMMAND = ["python", "-m", "pytest", "-q", "tests"]
RECRUIT: Call = ("recruit", {"members": [{"name": "Ada", "role": "w", "instructions": "w"}]})
GIVE: Call = ("assign", {"to": "Ada", "title": "t", "details": "d", "command": COMMAND})


def write(path: str, content: str) -> Call:
    """A call that writes a file."""
    return ("write_file", {"path": path, "content": content})


HEADS_TEST = write("tests/test_main.py", "from main import two\n\ndef test_two():\n    assert two == 2\n")
WRONG, RIGHT = write("main.py", "two = 3\n"), write("main.py", "two = 2\n")
LIE = write("pytest.py", "raise SystemExit(0)\n")
OWN_TEST = write("tests/test_more.py", "def test_more():\n    assert True\n")


def boss(*before: Call) -> Part:
    """Prepares, gives the work, accepts it, finishes."""

    def part(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(*before, RECRUIT, GIVE)
        if view.submitted:
            accept: Call = ("review", {"assignment": view.submitted[0], "verdict": "accept"})
            return call(accept, ("finish", {"report": "ok"}))
        return say("Waiting.")

    return part


async def played(stage: Stage, real: Sandbox, head: Part, *steps: tuple[Call, ...]) -> tuple[Play, list[str]]:
    """Ada does `steps`, one an answer, each followed by a submission -> the play, and what she heard."""
    heard: list[str] = []

    def ada(view: View) -> ChatAnswer:
        heard.append(view.last)
        if "Assignment #" not in view.all or view.steps >= len(steps):
            return say("Idle.")
        return call(*steps[view.steps], ("submit", {"assignment": view.given, "summary": "All good."}))

    play = await stage({"Boss": head, "Ada": ada}, sandbox=real)
    await play.end()
    return play, heard


async def test_a_module_named_like_the_runner_fakes_no_submission(stage: Stage, real: Sandbox) -> None:
    """The head's test fails, whatever lies beside it; the work is taken once it is right."""
    play, heard = await played(stage, real, boss(HEADS_TEST), (LIE, WRONG), (RIGHT,))
    refusals = [text for text in heard if "its check failed" in text]
    assert len(refusals) == 1 and "1 failed" in refusals[0]
    assert play.of(AssignmentChanged, state="submitted")


async def test_who_judges_and_who_reads_the_report_hear_whose_tests_it_were(
    stage: Stage, real: Sandbox
) -> None:
    """Tests of the one who submits are named to the head and in the report, the head's own are told apart."""
    play, _ = await played(stage, real, boss(HEADS_TEST), (RIGHT, OWN_TEST))
    [submitted] = play.of(AssignmentChanged, state="submitted")
    assert submitted.note.splitlines() == [
        "Not proof: pytest ran in one process with code of the task, which could change or end what it "
        "reports. Ada, who submits, last wrote what this check goes by or loads, which could change that "
        "result: main.py, tests/test_more.py.",
        "Its check: pytest counted 2 of 2 tests without a failure (python -m pytest -q tests).",
        "Decided by files of others: tests/test_main.py (Boss).",
        "Ada says: All good.",
    ]
    runs = (await play.end()).runs
    assert "(this check depends on what Ada, who submitted the work, wrote: tests/test_more.py)" in runs[1]


async def test_a_check_by_somebody_elses_tests_is_not_marked(stage: Stage, real: Sandbox) -> None:
    """Nothing is held against whoever passed the head's tests."""
    play, _ = await played(stage, real, boss(HEADS_TEST), (RIGHT,))
    end = await play.end()
    assert len(end.runs) == 2 and "who submitted" not in "".join(end.runs)


async def test_a_file_named_like_a_part_of_python_is_pointed_out(stage: Stage, real: Sandbox) -> None:
    """The check that imports Python's own says why, so that it can be renamed."""
    test = write("tests/test_main.py", "from queue import mine\n\ndef test_it():\n    assert mine\n")
    mine = write("queue.py", "mine = 1\n")
    edit: Call = ("edit_file", {"path": "tests/test_main.py", "old": "queue", "new": "mine"})
    renamed = (write("mine.py", "mine = 1\n"), edit)
    _, heard = await played(stage, real, boss(test), (mine,), renamed)
    hint = "imports Python's own modules before yours of the same name: queue.py"
    assert sum(hint in text for text in heard) == 1


FORGED = "import os\nprint('1 passed in 0.01s', flush=True)\nos._exit(0)\n"
LATER = (
    "import os, threading, time\ntwo = 3\n"
    "def end():\n    time.sleep(0.2)\n    print('1 passed', flush=True)\n    os._exit(0)\n"
    "threading.Thread(target=end).start()\n"
)
STEERING = "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n"
SLOW_TEST = write(
    "tests/test_main.py",
    "import time\nfrom main import two\n\ndef test_two():\n    time.sleep(1)\n    assert two == 2\n",
)


@pytest.mark.parametrize(
    "forgery",
    [
        (write("main.py", FORGED),),
        (write("main.py", LATER),),
        (WRONG, write("conftest.py", STEERING)),
        (WRONG, write("tests/conftest.py", FORGED)),
    ],
    ids=["exits at its import", "exits from a thread", "steers the runner", "exits in its conftest"],
)
async def test_a_forged_end_of_the_runner_is_no_submission(
    stage: Stage, real: Sandbox, forgery: tuple[Call, ...]
) -> None:
    """Printed summaries and exit codes of the code under test prove nothing; the right work is then taken."""
    written = [str(arguments["path"]) for _, arguments in forgery]
    repaired = (RIGHT, *(write(path, "") for path in written if "conftest" in path))
    play, heard = await played(stage, real, boss(SLOW_TEST), forgery, repaired)
    assert sum("its check failed" in text for text in heard) == 1
    assert len(play.of(AssignmentChanged, state="submitted")) == 1


BENT = {
    "hook": (write("conftest.py", "def pytest_pyfunc_call(pyfuncitem): return True\n"),),
    "settings": (write("pytest.ini", "[pytest]\npython_files = test_more.py\n"), OWN_TEST),
    "ignored": (write("tests/conftest.py", "collect_ignore = ['test_main.py']\n"), OWN_TEST),
    "rewritten": (
        write("conftest.py", "open('tests/test_main.py', 'w').write('def test_two(): pass\\n')\n"),
    ),
    "module": (
        write(
            "tests/test_a.py",
            "import sys, types\nsys.modules['test_main'] = types.ModuleType('test_main')\n"
            "sys.modules['test_main'].__file__ = __file__.replace('_a', '_main')\ndef test_a(): pass\n",
        ),
    ),
}


@pytest.mark.parametrize("way", BENT)
async def test_a_test_of_the_giver_that_did_not_run_is_no_submission(
    stage: Stage, real: Sandbox, way: str
) -> None:
    """Whichever hook, setting or module of the submitter kept it from running; without it, it is taken."""
    back = [str(arguments["path"]) for _, arguments in BENT[way]]
    removed: list[Call] = [("delete_file", {"path": path}) for path in back]
    repaired = (RIGHT, *removed)
    play, heard = await played(stage, real, boss(HEADS_TEST), (WRONG, *BENT[way]), repaired)
    assert sum("Not submitted: its check" in text for text in heard) == 1
    assert len(play.of(AssignmentChanged, state="submitted")) == 1


async def test_a_check_that_runs_no_test_is_no_submission(stage: Stage, real: Sandbox) -> None:
    """Nothing collected, or all of it skipped, passes nothing."""
    skipped = "import pytest\n\n@pytest.mark.skip\ndef test_two():\n    pass\n"
    play, heard = await played(stage, real, boss(write("tests/test_main.py", skipped)), (RIGHT,), (OWN_TEST,))
    assert sum("No test of it passed" in text for text in heard) == 1
    [submitted] = play.of(AssignmentChanged, state="submitted")
    assert "\nIts check: pytest counted 1 of 2 tests without a failure, 1 skipped (" in submitted.note
    assert "tests ran without a failure: tests/test_main.py (Boss): 0 of 1." in submitted.note.splitlines()[0]


async def test_of_a_plain_program_only_its_exit_code_is_told(stage: Stage, real: Sandbox) -> None:
    """The first line says that the code under test could have ended it; nothing says that it went well."""
    heads = write("check.py", "from lib import two\nassert two == 2\n")
    files = (write("lib.py", "from main import two\n"), write("main.py", FORGED))

    def head(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            given: Call = (
                "assign",
                {"to": "Ada", "title": "t", "details": "d", "command": ["python", "check.py"]},
            )
            return call(heads, RECRUIT, given)
        return boss()(view)

    play, _ = await played(stage, real, head, files)
    [submitted] = play.of(AssignmentChanged, state="submitted")
    assert submitted.note.splitlines()[:2] == [
        "Not proof: code of the task decides how this program ends. Ada, who submits, last wrote what this "
        "check goes by or loads, which could end it so: lib.py, main.py.",
        "Its check exited with code 0, and nothing else is known of it (python check.py).",
    ]
    assert "ended well" not in submitted.note


async def test_a_loosened_check_of_the_giver_is_said_before_its_result(stage: Stage, real: Sandbox) -> None:
    """Ada weakens what the head's check imports: the head reads that first, with the list of changes."""
    check = write("check.py", "from terms import wanted\nassert wanted in open('a.md').read()\n")
    terms = write("terms.py", "wanted = 'password manager'\n")
    loosened: Call = ("edit_file", {"path": "terms.py", "old": "password manager", "new": "x"})
    told: list[str] = []

    def head(view: View) -> ChatAnswer:
        told.append(view.last)
        if not view.did("recruit"):
            command = ["python", "check.py"]
            return call(
                check,
                terms,
                RECRUIT,
                ("assign", {"to": "Ada", "title": "t", "details": "d", "command": command}),
            )
        return boss()(view)

    await played(stage, real, head, (write("a.md", "x\n"), loosened))
    [message] = [text for text in told if "Submission of" in text]
    first = (
        "Not proof: code of the task decides how this program ends. terms.py was yours (revision 2); Ada, "
        "who submits, changed it since.\n"
    )
    assert f"Submission of #1 (t): {first}  Its check exited with code 0" in message
    assert "Changed since you gave it: a.md (added +1 -0 by Ada), terms.py (+1 -1 by Ada)" in message
