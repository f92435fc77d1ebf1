"""What was run stands under the report, and where judgement goes by runs nobody can talk it away."""

from __future__ import annotations

from engine.llm.scripted import call
from engine.ports import ChatAnswer, RunResult
from tests.engine.autonomy.conftest import Stage
from tests.fakes.cast import View
from tests.fakes.parts import FakeSandbox

RUN = ("run", {"command": ["python", "main.py"]})
BOAST = ("finish", {"report": "All works."})


def behaving(exit_code: int) -> FakeSandbox:
    """Every run ends so."""
    said = "Traceback\nValueError: five" if exit_code else "five\n"
    return FakeSandbox(lambda request: RunResult(exit_code, said))


def boss(view: View) -> ChatAnswer:
    """Writes, runs, writes once more, boasts."""
    write = ("write_file", {"path": f"main{view.steps}.py", "content": "x\n"})
    return (call(write), call(RUN), call(write), call(BOAST))[min(view.steps, 3)]


async def test_a_report_cannot_hide_a_run_that_failed(stage: Stage) -> None:
    """The end says the exit code, the error and that files changed since, whatever the boss claims."""
    end = await (await stage({"Boss": boss}, sandbox=behaving(1))).end()
    assert end.report.startswith("All works.")
    assert "What was run, as the engine saw it:" in end.report
    assert "exit code 1; last line: ValueError: five" in end.report
    assert "before the last change of the files" in end.report


async def test_a_judgement_that_runs_contradict_is_refused(stage: Stage) -> None:
    """An auditor may neither accept what it has not run nor reject what ran well."""
    heard: list[str] = []

    def auditor(view: View) -> ChatAnswer:
        heard.append(view.last)
        accept = ("verdict", {"verdict": "accept", "findings": "it runs"})
        reject = ("verdict", {"verdict": "reject", "findings": "I do not like it"})
        return (call(accept), call(RUN), call(reject), call(accept))[min(view.steps, 3)]

    play = await stage({"Boss": boss, "Auditor": auditor}, sandbox=behaving(0), audit_rounds=1, by_runs=True)
    assert (await play.end()).verified
    assert "You have run nothing" in heard[1] and "The verdict is accept" in heard[3]
