"""Nothing that plainly lacks a part is called done: the boss gets it back once, then people are told."""

from __future__ import annotations

from typing import Any

from engine.commands import AnswerGate
from engine.domain.completeness import Missing
from engine.events import CodeRan, GateRaised, TaskEnded
from engine.llm.scripted import call
from engine.ports import ChatAnswer, RunRequest, RunResult
from tests.engine.autonomy.conftest import Stage
from tests.fakes.cast import View
from tests.fakes.parts import FakeSandbox

STUB = ("write_file", {"path": "photos.py", "content": "def rename(folder):\n    pass\n"})
WHOLE = ("write_file", {"path": "photos.py", "content": "def rename(folder):\n    return 3\n"})
FINISH = ("finish", {"report": "All works."})
EMPTY = Missing("empty_function", "photos.py", "rename")


def acting(heard: list[str], *steps: tuple[str, dict[str, Any]]) -> Any:
    """A boss that takes these steps, one after the other."""

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        return call(steps[min(view.steps, len(steps) - 1)])

    return boss


async def test_a_stub_is_sent_back_once_and_repaired(stage: Stage) -> None:
    """The refusal names it; what is whole then ends as usual."""
    heard: list[str] = []
    play = await stage({"Boss": acting(heard, STUB, FINISH, WHOLE, FINISH)}, audit_rounds=0)
    end = await play.end()
    assert "rename() in photos.py is empty" in heard[2]
    assert (end.basis, end.missing) == ("unjudged", ())


async def test_people_are_asked_about_what_is_still_missing_and_may_take_it(stage: Stage) -> None:
    """No auditor is paid for it; accepted, the task is done by a person's word."""
    heard: list[str] = []
    play = await stage({"Boss": acting(heard, STUB, FINISH)}, audit_rounds=2)
    gate = await play.until(GateRaised)
    assert gate.kind == "audit" and "rename() in photos.py is empty" in gate.question
    await play.engine.handle(AnswerGate(gate.gate_id, "me", "accept"))
    end = await play.end()
    assert (end.state, end.basis, end.verified) == ("done", "accepted", False)


async def test_unattended_it_ends_as_not_finished(stage: Stage) -> None:
    """Nobody is there to ask: the end itself says what is missing, as data."""
    play = await stage({"Boss": acting([], STUB, FINISH)}, audit_rounds=2, attended=False)
    end = await play.until(TaskEnded)
    assert (end.state, end.basis, end.verified) == ("done", "unfinished", False)
    assert end.missing == (EMPTY,)


async def test_examples_of_the_goal_are_run_for_a_small_model(stage: Stage) -> None:
    """What they show is a run like any other, and a failing one is missing."""
    asked: list[RunRequest] = []

    def behave(request: RunRequest) -> RunResult:
        asked.append(request)
        return RunResult(1, 'EXAMPLES {"count": 1, "failed": [["double(2)", "3"]]}\n0 of 1 hold\n')

    wrong = ("write_file", {"path": "double.py", "content": "def double(n):\n    return n + 1\n"})
    play = await stage(
        {"Boss": acting([], wrong, FINISH)},
        goal="Write double.py with double(n): double(2) returns 4.",
        sandbox=FakeSandbox(behave),
        audit_rounds=0,
        by_runs=True,
        attended=False,
    )
    end = await play.end()
    assert end.missing == (Missing("example", "", "double(2) gave 3"),)
    assert "Failed:\n- Boss: the goal's own examples: exit code 1; last line: 0 of 1 hold" in end.report
    assert play.of(CodeRan)[-1].command == "the goal's own examples"
    assert "double(2)" in asked[-1].files["_goal_examples.py"].decode()


async def test_a_program_that_failed_last_is_not_called_done(stage: Stage) -> None:
    """A small model is not sent back for it and nobody is asked: the end says so, as the report does."""
    write = ("write_file", {"path": "tip.py", "content": "print(1 / 0)\n"})
    run = ("run", {"command": ["python", "tip.py"]})
    play = await stage(
        {"Boss": acting([], write, run, FINISH)},
        sandbox=FakeSandbox(lambda _: RunResult(1, "ZeroDivisionError: division by zero\n")),
        audit_rounds=0,
        by_runs=True,
    )
    end = await play.end()
    assert (end.basis, end.missing) == ("unfinished", (Missing("fails", "", "python tip.py"),))
    assert end.report.startswith("Not finished: 1 of 1 programs failed.")
    assert not play.of(GateRaised)


async def test_a_large_models_goal_is_not_run(stage: Stage) -> None:
    """Its own tests and the auditor are worth more; nothing is run that nobody asked for."""
    right = ("write_file", {"path": "double.py", "content": "def double(n):\n    return n * 2\n"})
    play = await stage(
        {"Boss": acting([], right, FINISH)},
        goal="Write double.py with double(n): double(2) returns 4.",
        audit_rounds=0,
    )
    assert (await play.end()).missing == ()
    assert not play.of(CodeRan)
