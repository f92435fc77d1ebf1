"""Nobody is done, and nobody waits, over what went wrong in the same answer and is not read yet."""

from __future__ import annotations

from engine.domain.checks import shown, typed
from engine.events import FileWritten, Intervened
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, RunResult
from tests.engine.autonomy.conftest import Stage
from tests.fakes.cast import View, accepting, boss_of
from tests.fakes.parts import FakeSandbox

Call = tuple[str, dict[str, object]]


def write(path: str, content: str, **more: object) -> Call:
    """A call that writes a file."""
    return ("write_file", {"path": path, "content": content, **more})


def submit(view: View, *files: str) -> Call:
    """A call that submits the newest assignment."""
    return ("submit", {"assignment": view.given, "summary": "all is there", "files": list(files)})


async def test_a_refused_write_stops_the_submission_in_the_same_answer(stage: Stage) -> None:
    """Two write one file; the second reads of that, and of a failed program, before its work is handed in."""
    heard: list[str] = []

    def ada(view: View) -> ChatAnswer:
        if not view.did("submit"):
            return call(write("style.css", "a {}\n"), submit(view, "style.css"))
        return say("Idle.")

    def ben(view: View) -> ChatAnswer:
        mine, run = write("b.txt", "b\n"), ("run", {"command": ["python", "b.py"]})
        if view.steps == 0:
            return call(("wait_for", {"what": ["style.css"]}))
        heard.append(view.last)
        if view.steps == 1:  # the program runs in a part of its own
            return call(write("style.css", "b {}\n"), mine, run, submit(view, "b.txt", "style.css"))
        if view.steps == 2:
            return call(write("style.css", "b {}\n", append=True), submit(view, "b.txt", "style.css"))
        return say("Idle.")

    codes = iter([1, 0])
    sandbox = FakeSandbox(lambda _: RunResult(next(codes), "no such file"))
    play = await stage({"Boss": boss_of("Ada", "Ben"), "Ada": ada, "Ben": ben}, sandbox=sandbox)
    await play.end()
    assert "Not submitted: write_file was refused; a program ended with 1, above" in heard[1]
    assert await play.engine.look.read_file(play.task, "style.css") == b"a {}\nb {}\n"
    assert [event.path for event in play.of(FileWritten, name="Ben")] == ["b.txt", "style.css"]


async def test_a_turn_does_not_end_over_a_refusal(stage: Stage) -> None:
    """Who hands out work and waits in one answer reads at once that a part of it did not happen."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            them = [{"name": "Ada", "role": "w", "task": "write ada.txt"}]
            lost = ("send_message", {"to": ["Bea"], "text": "hello", "wait": True})
            return call(lost, ("recruit", {"members": them, "wait": True}))
        heard.append(view.last)
        return call(("update_todo", {"items": "no list"}), ("wait_for", {"what": ["ada.txt"]}))

    play = await stage({"Boss": boss, "Ada": lambda _: say("Not yet.")})
    await play.until_heard(heard)
    assert "Your turn goes on: send_message was refused" in heard[0]
    assert (await play.until(Intervened)).rule  # a refused todo hurts nobody: it slept
    assert len(heard) == 1


async def test_nobody_is_done_over_a_program_that_failed_unseen(stage: Stage) -> None:
    """The boss that runs and finishes in one answer, the auditor that runs and accepts in one."""
    heard: dict[str, list[str]] = {"Boss": [], "Auditor": []}
    run: Call = ("run", {"command": ["python", "x.py"]})
    finish: Call = ("finish", {"report": "it works"})

    def boss(view: View) -> ChatAnswer:
        heard["Boss"].append(view.last)
        return call(write("x.py", "1"), run, finish) if view.steps == 0 else call(run, finish)

    def auditor(view: View) -> ChatAnswer:
        heard["Auditor"].append(view.last)
        verdict: Call = ("verdict", {"verdict": "accept", "findings": "runs"})
        return call(run, verdict) if view.steps == 0 else accepting("runs")(view)

    codes = iter([1, 0, 3])
    sandbox = FakeSandbox(lambda _: RunResult(next(codes), ""))
    play = await stage({"Boss": boss, "Auditor": auditor}, sandbox=sandbox, audit_rounds=1)
    assert (await play.end()).verified
    assert "Not finished: a program ended with 1, above" in heard["Boss"][1]
    assert "Not accepted: a program ended with 3, above" in heard["Auditor"][1]


async def test_who_insists_is_told_once(stage: Stage) -> None:
    """An agent that knows that the program fails, and says so, is not kept from the end."""

    def boss(_: View) -> ChatAnswer:
        log = write("log.md", "tried\n", append=True)
        return call(log, ("run", {"command": ["python", "x.py"]}), ("finish", {"report": "it fails"}))

    play = await stage({"Boss": boss}, sandbox=FakeSandbox(lambda _: RunResult(1, "")))
    await play.end()
    assert await play.engine.look.read_file(play.task, "log.md") == b"tried\ntried\n"


async def test_documents_of_the_giver_come_with_an_assignment_that_does_not_name_them(stage: Stage) -> None:
    """What fixes how the parts fit together was written just before, and nobody has to find it."""
    heard: list[str] = []
    check = ["python", "-c", "assert 'x' in open('a.txt').read()"]

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            return call(write("INTERFACES.md", "a.txt holds x\n"), write("old.py", "1\n"))
        if not view.did("recruit"):
            them = [{"name": "Ada", "role": "w", "task": "make your part", "command": check}]
            return call(write("terms.md", "x: ten\n"), ("recruit", {"members": them, "wait": True}))
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        heard.append(view.all)
        return say("Idle.")

    play = await stage({"Boss": boss, "Ada": ada})
    await play.until_heard(heard)
    assert "INTERFACES.md as it is now:\n  a.txt holds x\n" in heard[0]
    assert "terms.md as it is now:\n  x: ten\n" in heard[0] and "old.py as it is now" not in heard[0]
    assert "Files there are: INTERFACES.md, old.py, terms.md" in heard[0]
    assert f'checked by running: python -c "{check[2]}"\n' in heard[0]


def test_a_command_is_shown_as_it_is_typed() -> None:
    """Quotes as people would set them; what means something between double quotes stays in single ones."""
    assert typed(["sh", "-c", "python b.py && test 1 -eq 1"]) == "sh -c 'python b.py && test 1 -eq 1'"
    assert shown(["sh", "-c", "printf 'a b' | \"$X\""]) == "printf 'a b' | \"$X\"", "no quotes of quotes"
    assert shown(["sh", "x.sh"]) == "sh x.sh"
    assert typed(["python", "-c", "print('a b')"]) == "python -c \"print('a b')\""
    assert typed(["echo", "it's $HOME"]) == "echo 'it'\"'\"'s $HOME'"
