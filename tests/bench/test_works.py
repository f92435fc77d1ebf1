"""The small works judge rightly: what is right passes their hidden checks, what is empty does not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.works import FRESH, KINDS, SEEN, UNSEEN, WORKS, Work, prelude
from bench.works.__main__ import Result, rewrites, table
from bench.works.marking import claims, files_in, mark, prose_of
from engine.ports import RunRequest, RunResult, Sandbox, SandboxSession, SandboxStatus
from engine.queries import StepView


class PlainSandbox(Sandbox):
    """Runs the files of these works, which are our own, without containment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def status(self) -> SandboxStatus:
        """Return that programs can be run."""
        return SandboxStatus(True, "plain")

    async def run(self, request: RunRequest) -> RunResult:
        """Run a program in the folder, without limits."""
        for path, data in request.files.items():
            (self._folder / path).write_bytes(data)
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, *request.argv[1:]],
            cwd=self._folder,
            capture_output=True,
            check=False,
        )
        return RunResult(done.returncode, (done.stdout + done.stderr).decode())

    async def open(self, request: RunRequest) -> tuple[SandboxSession, RunResult]:
        """Raise NotImplementedError: no work of this suite is talked to."""
        raise NotImplementedError


def test_each_of_the_three_sets_has_twelve_works_of_all_kinds() -> None:
    """The sets are as large and as mixed as each other."""
    assert len(WORKS) == len({work.name for work in WORKS}) == 36
    assert len(SEEN) == len(UNSEEN) == len(FRESH) == 12
    assert all({work.kind for work in half} == set(KINDS) for half in (SEEN, UNSEEN, FRESH))


@pytest.mark.soak
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
async def test_the_reference_passes_and_an_empty_file_does_not(work: Work, tmp_path: Path) -> None:
    """Each check accepts what is right and refuses a file without anything in it."""
    right, empty = tmp_path / "right", tmp_path / "empty"
    right.mkdir()
    empty.mkdir()
    assert set(work.reference) == set(work.files)
    made = {path: text.encode() for path, text in work.reference.items()}
    marked = await mark(work, made, PlainSandbox(right))
    assert marked.passed, marked
    assert not (await mark(work, dict.fromkeys(work.files, b""), PlainSandbox(empty))).passed


def test_a_program_is_stopped_by_what_it_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine it takes longer, which is not its fault."""
    monkeypatch.setattr(prelude, "CPU_S", 1)
    assert prelude.run("-c", "while True: pass").code < 0
    assert prelude.run("-c", "import time; time.sleep(1.2); print('ended')").out == "ended\n"


async def test_a_file_that_nobody_made_fails_the_work(tmp_path: Path) -> None:
    """The mark names the file."""
    marked = await mark(SEEN[0], {}, PlainSandbox(tmp_path))
    assert not marked.passed and "runlength.py" in marked.note


@pytest.mark.parametrize(
    ("report", "count"),
    [
        ("Works, as far as it was run:\n- python a.py: exit code 0", 1),
        ("The function works correctly.", 1),
        ("It does not work.\nNobody judged whether it is correct.", 0),
        ("Ran without an error:\n- python a.py: exit code 0, no output", 0),
        ("Try whether it works.", 0),
    ],
)
def test_claims_of_success_are_counted(report: str, count: int) -> None:
    """What only says that a program ran is no claim."""
    assert len(claims(report)) == count


def test_blocks_of_an_answer_become_its_files() -> None:
    """A file's name stands above its block; the rest is prose."""
    answer = "leap.py\n```python\nA = 1\n```\nIt works.\n\n**test_leap.py**\n```python\nB = 2\n```\n"
    assert files_in(answer, ("leap.py", "test_leap.py")) == {
        "leap.py": b"A = 1\n",
        "test_leap.py": b"B = 2\n",
    }
    assert "A = 1" not in prose_of(answer) and "It works." in prose_of(answer)


def test_the_table_counts_passes_by_kind() -> None:
    """A row has passes, number of works, medians and claims."""
    rows = [
        Result("plain", "a", "dialogue", True, 2, 2, "", 3.0, 10, "answered", 1, (), "", {}),
        Result("plain", "b", "dialogue", False, 1, 2, "", 5.0, 30, "answered", 1, ("works",), "", {}),
    ]
    dialogue = next(line for line in table(rows).splitlines() if line.startswith("dialogue"))
    assert dialogue.split()[1:] == ["1", "of", "2", "4", "20", "1"]


def test_the_table_says_what_a_second_writing_did() -> None:
    """The first versions of the same runs are counted beside the last ones, for each means."""
    one = Result(
        "product", "x", "dialogue", True, 2, 2, "", 3.0, 10, "ended", 1, (), "", {"a.py": ""}, True, 1
    )
    made = [
        replace(one, once=False, writings=2, after=("run",)),
        replace(one, once=False, passed=False, writings=3, after=("run", "finish")),
        one,
    ]
    assert table(made).splitlines()[-3:] == [
        "first versions of 3 runs: 1 pass",
        "written once more after finish: 1, right by it 0, wrong by it 0",
        "written once more after run: 2, right by it 1, wrong by it 0",
    ]


def test_a_file_written_once_more_names_what_came_before() -> None:
    """The tool that was called last, whatever else was written between."""
    called = [("write_file", '{"path": "a.py"}'), ("run", "{}"), ("write_file", '{"path": "b.py"}')]
    called += [("finish", "{}"), ("write_file", '{"path": "a.py"}')]
    steps = [
        StepView(1, 1, n, 0.0, 1.0, "", "", ((name, arguments, ""),), 1, 1, 1, "m")
        for n, (name, arguments) in enumerate(called)
    ]
    assert list(rewrites(reversed(steps))) == ["finish"]
