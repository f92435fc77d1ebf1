"""What was run stands under the report, and where judgement goes by runs nobody can talk it away."""

from __future__ import annotations

from engine.domain.account import RUNS, UNJUDGED
from engine.events import Audited
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, RunRequest, RunResult
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
    assert end.runs[0] == RUNS
    assert "exit code 1; last line: ValueError: five" in end.runs[1]
    assert "before the last change of what it depends on" in end.runs[1]


async def test_a_report_in_the_engines_own_words_hides_no_run_either(stage: Stage) -> None:
    """A model that writes like the engine is held against what was run all the same."""

    def mimic(view: View) -> ChatAnswer:
        claim = ("finish", {"report": f"All works. {UNJUDGED}"})
        return (call(RUN), call(claim))[min(view.steps, 1)]

    end = await (await stage({"Boss": mimic}, sandbox=behaving(1))).end()
    assert end.basis == "unjudged"
    assert "exit code 1; last line: ValueError: five" in end.runs[1]


async def test_a_run_is_one_line_with_its_agent_and_is_not_stale_by_what_it_wrote(stage: Stage) -> None:
    """Line breaks of a command stay out of the report; its own files and other ones do not make it stale."""

    def builds(request: RunRequest) -> RunResult:
        return RunResult(0, "built\n", changed={"book.md": b"all\n"})

    def part(view: View) -> ChatAnswer:
        code = (
            "import build\nfor part in build.parts:\n    print(part, 'and a very long line of a program')\n"
        )
        return (
            call(("write_file", {"path": "build.py", "content": "parts = [1]\n"})),
            call(
                ("run", {"command": ["python", "-c", code]}),
                ("write_file", {"path": "notes.md", "content": "x"}),
            ),
            call(BOAST),
        )[min(view.steps, 2)]

    _, line = (await (await stage({"Boss": part}, sandbox=FakeSandbox(builds))).end()).runs
    assert (
        line.startswith('- Boss: python -c "import build for part in build.parts:')
        and "…: exit code 0" in line
    )
    assert "before the last change" not in line and len(line) < 140


async def test_a_judgement_that_runs_contradict_is_refused(stage: Stage) -> None:
    """An auditor may neither accept what it has not run nor reject what ran well."""
    heard: list[str] = []

    def auditor(view: View) -> ChatAnswer:
        heard.append(view.last)
        accept = ("verdict", {"verdict": "accept", "findings": "it runs"})
        reject = ("verdict", {"verdict": "reject", "findings": "I do not like it"})
        return (call(accept), call(RUN), call(reject), call(accept))[min(view.steps, 3)]

    play = await stage({"Boss": boss, "Auditor": auditor}, sandbox=behaving(0), audit_rounds=1, by_runs=True)
    await play.end()
    assert "You have run nothing" in heard[1] and "The verdict is accept" in heard[3]


def auditor_who_boasts(view: View) -> ChatAnswer:
    """Runs it, then says more than that."""
    praise = ("verdict", {"verdict": "accept", "findings": "Every rule of the game is right."})
    return (call(RUN), call(praise))[min(view.steps, 1)]


async def test_where_a_models_word_is_worth_little_the_end_is_told_by_runs(stage: Stage) -> None:
    """Neither the boss's boast nor the auditor's praise is in the report, and nothing counts as confirmed."""
    cast = {"Boss": boss, "Auditor": auditor_who_boasts}
    play = await stage(cast, sandbox=behaving(0), audit_rounds=1, by_runs=True)
    end = await play.end()
    assert end.basis == "ran" and not end.verified
    assert "All works" not in end.report and "Every rule" not in end.report
    assert (
        "Ended with exit code 0, or by its agent:\n- Auditor: python main.py: exit code 0; last line: five"
        in end.report
    )
    assert "Nobody judged" in end.report
    assert not end.verified
    [audited] = play.of(Audited)
    found = "By its own report, python main.py: exit code 0; last line: five."
    assert (audited.verdict, audited.findings) == ("ran", found)


async def test_a_program_that_breaks_is_told_as_what_failed(stage: Stage) -> None:
    """By the run itself, with its error."""
    play = await stage({"Boss": boss}, sandbox=behaving(1), audit_rounds=0, by_runs=True)
    report = (await play.end()).report
    assert "Failed:\n- Boss: python main.py: exit code 1; last line: ValueError: five" in report
    assert report.startswith("Not finished: 1 of 1 programs failed.")
    assert "Ran without" not in report and "All works" not in report


def asking() -> FakeSandbox:
    """Every run asks for more input than was typed in."""
    return FakeSandbox(lambda request: RunResult(1, "Traceback\nEOFError: EOF when reading a line\n"))


async def test_a_program_that_asks_for_more_input_is_told_as_neither(stage: Stage) -> None:
    """That it read all that was typed shows nothing, good or bad."""
    play = await stage({"Boss": boss}, sandbox=asking(), audit_rounds=0, by_runs=True)
    report = (await play.end()).report
    assert "Was not tried to its end:\n- Boss: python main.py: it asked for more input" in report
    assert "Ran without" not in report and "Failed" not in report


async def test_nobody_may_accept_a_program_that_only_asked_for_more_input(stage: Stage) -> None:
    """An auditor whose run shows nothing cannot say that it ran well."""
    heard: list[str] = []

    def auditor(view: View) -> ChatAnswer:
        heard.append(view.last)
        accept = ("verdict", {"verdict": "accept", "findings": "it runs"})
        reject = ("verdict", {"verdict": "reject", "findings": "it was not tried"})
        return (call(RUN), call(accept), call(reject))[min(view.steps, 2)]

    play = await stage({"Boss": boss, "Auditor": auditor}, sandbox=asking(), audit_rounds=1, by_runs=True)
    assert (await play.until(Audited)).verdict == "rejected"
    assert "The verdict is reject" in heard[2]


async def test_an_auditor_with_nothing_to_run_says_that_it_only_read(stage: Stage) -> None:
    """Texts cannot be run: reading them is enough to accept, and is told as no more than that."""

    def writer(view: View) -> ChatAnswer:
        return (call(("write_file", {"path": "menu.md", "content": "x\n"})), call(BOAST))[min(view.steps, 1)]

    def reader(view: View) -> ChatAnswer:
        return call(("verdict", {"verdict": "accept", "findings": "Delicious."}))

    play = await stage({"Boss": writer, "Auditor": reader}, audit_rounds=1, by_runs=True)
    end = await play.end()
    assert end.report.startswith("Nothing was run.") and "Made: menu.md." in end.report
    assert "only read" in play.of(Audited)[0].findings


async def test_a_run_in_the_same_answer_as_the_end_is_told(stage: Stage) -> None:
    """The boss's last run stands below its report, and makes the report where the engine writes it."""

    def at_once(view: View) -> ChatAnswer:
        return call(RUN, BOAST)

    said = await (await stage({"Boss": at_once}, sandbox=behaving(1))).end()
    assert "exit code 1; last line: ValueError: five" in said.runs[1]
    told = await (await stage({"Boss": at_once}, sandbox=behaving(0), by_runs=True)).end()
    assert "- Boss: python main.py: exit code 0; last line: five" in told.report


async def test_a_run_in_the_same_answer_as_the_verdict_decides_it(stage: Stage) -> None:
    """The auditor's run counts for its verdict, and is in the report that the engine writes."""

    asked: list[View] = []

    def auditor(view: View) -> ChatAnswer:
        asked.append(view)
        return call(RUN, ("verdict", {"verdict": "accept", "findings": "it runs"}))

    play = await stage({"Boss": boss, "Auditor": auditor}, sandbox=behaving(0), audit_rounds=1, by_runs=True)
    end = await play.end()
    assert end.basis == "ran" and "- Auditor: python main.py: exit code 0; last line: five" in end.report
    assert len(asked) == 1


async def test_a_submission_without_a_check_says_that_its_member_ran_nothing(stage: Stage) -> None:
    """Not of documents, nor where something was run since it was given, in the same answer too."""
    told: list[str] = []
    made = {"Code": ("code.py", ()), "Text": ("text.md", ()), "Tried": ("tried.py", (RUN,))}

    def head(view: View) -> ChatAnswer:
        told.append(view.last)
        if not view.did("recruit"):
            members = [{"name": name, "role": "w", "instructions": "w"} for name in made]
            given = [("assign", {"to": name, "title": name, "details": "d"}) for name in made]
            return call(("recruit", {"members": members}), *given)
        accept = [("review", {"assignment": number, "verdict": "accept"}) for number in view.submitted]
        ends = view.all.count("Submission of") == len(made)
        return call(*accept, *[BOAST][: int(ends)]) if accept else say("I wait.")

    def member(view: View) -> ChatAnswer:
        if "Assignment #" not in view.all or view.did("submit"):
            return say("Idle.")
        path, runs = made[view.name]
        submit = ("submit", {"assignment": view.given, "summary": "done"})
        return call(("write_file", {"path": path, "content": "x\n"}), *runs, submit)

    play = await stage({"Boss": head, **dict.fromkeys(made, member)}, sandbox=behaving(0))
    await play.end()
    submissions = {
        name: part
        for name in made
        for text in told
        for part in text.split("Submission of #")
        if f"({name})" in part
    }
    unrun = "No check was given, and its member ran nothing."
    assert {name: unrun in text for name, text in submissions.items()} == {
        "Code": True,
        "Text": False,
        "Tried": False,
    }
