"""Accepted work that is changed afterwards: whoever accepted it hears of it, once, and is not woken."""

from __future__ import annotations

from engine.events import AcceptedWorkChanged
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer
from tests.engine.autonomy.conftest import Stage
from tests.fakes.cast import View, accepting

Call = tuple[str, dict[str, object]]
MEMBERS = [{"name": name, "role": "w", "instructions": "w"} for name in ("Ada", "Bo")]
RECRUIT: Call = ("recruit", {"members": MEMBERS})


def give(name: str) -> Call:
    """An assignment."""
    return ("assign", {"to": name, "title": f"part of {name}", "details": "d"})


def write(path: str, content: str) -> Call:
    """A call that writes a file."""
    return ("write_file", {"path": path, "content": content})


async def test_whoever_accepted_hears_once_of_each_later_change(stage: Stage) -> None:
    """Ada's part is accepted; Bo changes what it names and what it did not name, several times. The boss
    reads it with what wakes it, the auditor with the report, people as one event a file."""
    heard: list[str] = []
    briefed: list[str] = []

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        if not view.did("recruit"):
            return call(RECRUIT, give("Ada"))
        if not view.submitted:
            return say("Waiting.")
        accept: Call = ("review", {"assignment": view.submitted[0], "verdict": "accept"})
        if "(part of Bo)" in view.last:
            own: Call = ("edit_file", {"path": "b.txt", "old": "x", "new": "by the boss"})
            return call(accept, own, ("finish", {"report": "ok"}))
        return call(accept, give("Bo"))

    def ada(view: View) -> ChatAnswer:
        if "Assignment #" not in view.all or view.did("submit"):
            return say("Idle.")
        submit: Call = ("submit", {"assignment": view.given, "summary": "done", "files": ["a.txt"]})
        return call(write("a.txt", "1\n"), write("helper.txt", "1\n"), submit)

    def bo(view: View) -> ChatAnswer:
        if "Assignment #" not in view.all or view.did("submit"):
            return say("Idle.")
        edits = [
            ("edit_file", {"path": "a.txt", "old": str(n), "new": str(n + 1)}) for n in (view.steps + 1,)
        ]
        if view.steps < 2:
            return call(("read_file", {"path": "a.txt"}), *edits)
        helper: Call = ("edit_file", {"path": "helper.txt", "old": "1", "new": "2"})
        submit: Call = ("submit", {"assignment": view.given, "summary": "done"})
        return call(helper, write("b.txt", "x\n"), submit)

    def auditor(view: View) -> ChatAnswer:
        briefed.append(view.all)
        return accepting("fine")(view)

    play = await stage({"Boss": boss, "Ada": ada, "Bo": bo, "Auditor": auditor}, audit_rounds=1)
    await play.end()
    told = play.of(AcceptedWorkChanged)
    assert [(each.paths, each.name, each.giver) for each in told] == [
        (("a.txt",), "Bo", "Boss"),
        (("helper.txt",), "Bo", "Boss"),
    ]
    woken = [text for text in heard if "after #1 (part of Ada) of Ada was accepted" in text]
    assert len(woken) == 1 and "Submission of #2" in woken[0]
    assert "Bo changed a.txt after #1" in woken[0] and "Bo changed helper.txt after #1" in woken[0]
    assert "Changed after it was accepted: a.txt (#1, by Bo); helper.txt (#1, by Bo)" in briefed[0]


async def test_a_further_change_is_announced_once_the_notice_before_was_read(stage: Stage) -> None:
    """Bo changes a.txt twice before the boss reads of it, and once more after that: two notices."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        if not view.did("recruit"):
            return call(RECRUIT, give("Ada"))
        if not view.submitted:
            return say("Waiting.")
        accept: Call = ("review", {"assignment": view.submitted[0], "verdict": "accept"})
        return call(accept, ("finish", {"report": "ok"}) if "#3" in view.last else give("Bo"))

    def ada(view: View) -> ChatAnswer:
        if "Assignment #" not in view.all or view.did("submit"):
            return say("Idle.")
        submit: Call = ("submit", {"assignment": view.given, "summary": "done", "files": ["a.txt"]})
        return call(write("a.txt", "0\n"), submit)

    def bo(view: View) -> ChatAnswer:
        old = len(edits)
        if "Assignment #" not in view.last and old != 1:
            return say("Idle.")
        edits.append(view.last)
        edit: Call = ("edit_file", {"path": "a.txt", "old": str(old), "new": str(old + 1)})
        submit: Call = ("submit", {"assignment": view.given, "summary": "done"})
        if old == 0:
            return call(("read_file", {"path": "a.txt"}), edit)
        return call(edit, submit)

    edits: list[str] = []
    play = await stage({"Boss": boss, "Ada": ada, "Bo": bo})
    await play.end()
    told = [text for text in heard if "Bo changed a.txt after #1" in text]
    assert [text.count("Bo changed a.txt after #1") for text in told] == [1, 1]
    assert ["Submission of #2" in text for text in told] == [True, False]
    assert len(play.of(AcceptedWorkChanged)) == 2


async def test_a_change_for_further_work_of_the_same_giver_is_no_news(stage: Stage) -> None:
    """Its submission names it. Neither a message, a line for people nor the auditor's list says it too."""
    heard: list[str] = []
    briefed: list[str] = []

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        if not view.did("recruit"):
            return call(RECRUIT, give("Ada"))
        if not view.submitted:
            return say("Waiting.")
        accept: Call = ("review", {"assignment": view.submitted[0], "verdict": "accept"})
        second = "#2" in view.last
        return call(accept, ("finish", {"report": "ok"})) if second else call(accept, give("Ada"))

    def ada(view: View) -> ChatAnswer:
        if view.all.count("Assignment #") <= view.all.count("Submitted to Boss"):
            return say("Idle.")
        wrote = write("a.txt", f"{view.steps}\n")
        return call(wrote, ("submit", {"assignment": view.given, "summary": "done", "files": ["a.txt"]}))

    def auditor(view: View) -> ChatAnswer:
        briefed.append(view.all)
        return accepting("fine")(view)

    play = await stage({"Boss": boss, "Ada": ada, "Auditor": auditor}, audit_rounds=1)
    await play.end()
    assert play.of(AcceptedWorkChanged) == []
    assert any("Submission of #2" in text and "a.txt (+1 -1 by Ada)" in text for text in heard)
    assert not any("See that it still holds" in text for text in heard)
    assert briefed and "Changed after it was accepted" not in briefed[0]
