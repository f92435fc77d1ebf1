"""The tool diff, and the diff in the message of a second submission."""

from __future__ import annotations

import re

import pytest

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer
from tests.engine.autonomy.conftest import Stage
from tests.engine.tools.test_read_and_search import Call, played, write
from tests.fakes.cast import View, worker

ADA = {"name": "Ada", "role": "w", "instructions": "w"}
GIVEN: tuple[Call, ...] = (
    ("recruit", {"members": [ADA]}),
    ("assign", {"to": "Ada", "title": "t", "details": "d"}),
)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "Nothing has changed since."),
        (
            {"path": "a.txt", "since": "1"},
            "a.txt changed by Boss\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three",
        ),
        ({"since": "1"}, "b.txt added by Boss\n@@ -0,0 +1 @@\n+new"),
        ({"path": "b.txt", "since": "9"}, "Nothing has changed since."),
        ({"since": "yesterday"}, "since is last_look, a revision such as 12, or an assignment such as #3."),
        ({"since": "#7"}, "There is no assignment #7."),
        ({"path": "no.txt"}, "You have not looked at no.txt yet."),
    ],
)
async def test_a_diff_shows_what_changed_since(stage: Stage, asked: dict[str, object], says: str) -> None:
    """Since the last look, a revision or an assignment; what cannot be compared is said."""
    _, heard = await played(
        stage,
        write("a.txt", "one\ntwo\nthree\n"),
        ("edit_file", {"path": "a.txt", "old": "two", "new": "2"}),
        write("b.txt", "new\n"),
        ("diff", asked),
    )
    assert says in heard[3]


async def test_a_long_diff_is_cut_at_a_line_and_names_every_file(stage: Stage) -> None:
    """It stays within its bound, says how much is left out, and which files are."""
    long = "".join(f"line {number}\n" for number in range(2_000))
    _, heard = await played(
        stage, write("0.txt", "x"), write("a.txt", long), write("b.txt", long), ("diff", {"since": "1"})
    )
    assert len(heard[3]) < 6_200
    assert re.search(r"… \(\d+ more lines of a.txt\)\nAlso changed: b.txt$", heard[3])


async def test_a_diff_says_what_was_never_looked_at_and_where_a_line_break_is_missing(stage: Stage) -> None:
    """Nothing that others made passes for unchanged; what only lost its last line break is a change."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(write("own.txt", "mine\n"), GIVEN[0], GIVEN[1])
        if view.submitted and not view.did("diff"):
            return call(("diff", {}), write("own.txt", "mine"), ("diff", {"path": "own.txt", "since": "1"}))
        if view.did("diff"):
            heard.extend(message.content for message in view.request.messages if message.role == "tool")
            accept = ("review", {"assignment": 1, "verdict": "accept"})
            return call(accept, ("finish", {"report": "done"}))
        return say("Waiting.")

    await (await stage({"Boss": boss, "Ada": worker})).end()
    assert "Nothing has changed since.\nYou have not looked at: ada.txt (by Ada)" in heard
    assert "-mine\n+mine\n\\ No newline at end of file" in heard[-1]


async def test_a_diff_since_accepted_work_shows_what_came_after(stage: Stage) -> None:
    """Who accepted it knows the rest."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(*GIVEN)
        if view.submitted and not view.did("review"):
            return call(("review", {"assignment": view.submitted[0], "verdict": "accept"}))
        if view.did("review") and not view.did("diff"):
            edit: Call = ("edit_file", {"path": "ada.txt", "old": "Ada", "new": "Bo"})
            if not view.did("edit_file"):
                return call(("read_file", {"path": "ada.txt"}), edit)
            return call(("diff", {"since": "#1"}))
        heard.extend([view.last] if view.did("diff") else [])
        return say("Waiting.")

    play = await stage({"Boss": boss, "Ada": worker})
    await play.until_heard(heard)
    assert heard[0] == "Since #1 was accepted:\nada.txt changed by Boss\n@@ -1 +1 @@\n-Ada\n+Bo"


async def test_a_second_submission_without_a_change_says_so(stage: Stage) -> None:
    """The reviewer need not look for what is not there."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(*GIVEN)
        if view.submitted:
            heard.append(view.last)
            verdict = "accept" if len(heard) > 1 else "reject"
            judged = {"assignment": view.submitted[0], "verdict": verdict, "feedback": "say 2"}
            return call(("review", judged), *([("finish", {"report": "done"})] if len(heard) > 1 else []))
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        if not view.did("write_file"):
            return worker(view)
        return call(("submit", {"assignment": view.given, "summary": "it is right"}))

    await (await stage({"Boss": boss, "Ada": ada})).end()
    assert (
        "changed no file" not in heard[0]
        and "Its member changed no file since its last submission." in heard[1]
    )


async def test_a_second_submission_tells_the_reviewer_what_changed(stage: Stage) -> None:
    """The first message has what was made since the assignment, whole or by name; the one after a rejection
    has the member's changes since then, and the reviewer's own look finds the same. An assignment brings the
    small files that it names."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            task = "Write a.txt after own.txt, as big.md and no.txt say."
            given = ("assign", {"to": "Ada", "title": "t", "details": task})
            return call(write("own.txt", "mine"), write("big.md", "x" * 5_000), GIVEN[0], given)
        if view.submitted:
            if not view.did("review"):
                heard.append(view.last)
                no = {"assignment": view.submitted[0], "verdict": "reject", "feedback": "say 2"}
                return call(("read_file", {"path": "a.txt"}), ("review", no))
            heard.append(view.last)
            return call(("diff", {}))
        if len(heard) == 3:
            heard.append(view.last)
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        if "Assignment #" not in view.all:
            return say("Idle.")
        submit: Call = ("submit", {"assignment": view.given, "summary": "done", "files": ["a.txt"]})
        if not view.did("submit"):
            heard.append(view.all)
            added: Call = ("write_file", {"path": "own.txt", "content": "hers\n", "append": True})
            return call(write("a.txt", "one\ntwo\n"), write("b.txt", "long\n" * 2_000), added, submit)
        if "was rejected" in view.last:
            return call(("edit_file", {"path": "a.txt", "old": "two", "new": "2"}), submit)
        return say("Idle.")

    play = await stage({"Boss": boss, "Ada": ada})
    while len(heard) < 4:
        await play.more()
    assert "own.txt as it is now:\n  mine\n  Files there are: big.md, own.txt\n" in heard[0]
    assert "Changed since its last submission" not in heard[1]
    assert "Made since you gave it:\n  a.txt added by Ada\n" in heard[1]
    assert "+two" in heard[1] and "Also changed: b.txt" in heard[1] and "+long" not in heard[1]
    assert await play.engine.look.read_file(play.task, "own.txt") == b"mine\nhers\n"
    shown = "a.txt changed by Ada\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    since = heard[2].partition("Changed since its last submission:")[2]
    assert "+2" in since and "own.txt" not in since
    assert shown in heard[3]


@pytest.mark.parametrize("data", ["a.csv", "a.json"])
async def test_large_data_does_not_push_the_program_out_of_a_second_submission(
    stage: Stage, data: str
) -> None:
    """Of a table some rows say enough; of what does not fit, the short changes are whole."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(*GIVEN)
        for number in view.submitted:
            heard.append(view.last)
            return call(("review", {"assignment": number, "verdict": "reject", "feedback": "again"}))
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        if "Assignment #" not in view.all:
            return say("Idle.")
        rows = "".join(f"{n};{view.steps}\n" for n in range(2_000))
        done: Call = ("submit", {"assignment": view.given, "summary": "s", "files": [data, "z.py"]})
        made = write(data, rows), write("z.py", f"answer = {len(heard)}\n")
        return call(*made, done) if len(heard) < 2 else say("Idle.")

    play = await stage({"Boss": boss, "Ada": ada})
    while len(heard) < 2:
        await play.more()
    assert "+answer = 0" in heard[0] and "-answer = 0\n  +answer = 1" in heard[1]
    assert f"more lines of {data})" in heard[1] and "+1999;" not in heard[1]


async def test_a_large_file_named_beside_a_small_one_does_not_push_it_out(stage: Stage) -> None:
    """The small one comes whole although it is named last; of tables that do not fit, the first lines."""
    heard: list[str] = []
    rows = "".join(f"{number},{number * number}\n" for number in range(410))

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            task = "Sum up more.csv and data.csv by the rules in rules.txt."
            given = ("assign", {"to": "Ada", "title": "t", "details": task})
            made = [write("data.csv", f"n,square\n{rows}"), write("more.csv", f"m,square\n{rows * 9}")]
            return call(*made, write("rules.txt", "round down\n" * 20), GIVEN[0], given)
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        heard.append(view.last)
        return say("Idle.")

    play = await stage({"Boss": boss, "Ada": ada})
    await play.until_heard(heard)
    assert "rules.txt as it is now:\n  round down\n" in heard[0] and heard[0].count("round down") == 20
    assert "data.csv as it is now" not in heard[0]
    for start in ("data.csv begins (of 3,", "more.csv begins (of 3"):
        assert start in heard[0]
    assert "  n,square\n  0,0\n  1,1\n" in heard[0] and "  m,square\n  0,0\n" in heard[0]
    assert len(heard[0]) < 2_000


async def test_the_submission_of_a_head_shows_what_its_members_made(stage: Stage) -> None:
    """What is handed in comes first, whoever wrote it, and each file names all who changed it."""
    heard: list[str] = []
    team = {"members": [{"name": "Ben", "role": "w", "task": "Write part.md and add to table.md."}]}

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            lead = {"name": "Ada", "role": "w", "task": "Have part.md made.", "leads": True}
            return call(("recruit", {"members": [lead]}))
        if view.submitted:
            heard.append(view.last)
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(write("table.md", "hers\n"), ("recruit", team))
        if view.submitted:
            yes = {"assignment": view.submitted[0], "verdict": "accept"}
            return call(
                ("review", yes), ("submit", {"assignment": 1, "summary": "done", "files": ["part.md"]})
            )
        return say("Waiting.")

    def ben(view: View) -> ChatAnswer:
        added: Call = ("write_file", {"path": "table.md", "content": "his\n", "append": True})
        submit: Call = ("submit", {"assignment": view.given, "summary": "done", "files": ["part.md"]})
        return call(write("part.md", "the part\n"), added, write("notes.md", "n\n"), submit)

    play = await stage({"Boss": boss, "Ada": ada, "Ben": ben})
    await play.until_heard(heard)
    changed, _, made = heard[0].partition("Made since you gave it:")
    assert "part.md (added +1 -0 by Ben), notes.md (added +1 -0 by Ben), table.md" in changed
    assert made.startswith("\n  part.md added by Ben\n  @@ -0,0 +1 @@\n  +the part\n")
    assert "table.md added by Ada and Ben" in made


async def test_a_second_assignment_repeats_no_file_that_its_reader_knows(stage: Stage) -> None:
    """Ada's own file, and one that she has read, are named; one that was changed since comes whole."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(write("read.txt", "as read"), write("old.txt", "old"), *GIVEN)
        if view.submitted and not view.did("review"):
            task = "Extend own.txt after read.txt and old.txt."
            again: Call = ("assign", {"to": "Ada", "title": "t", "details": task})
            accept: Call = ("review", {"assignment": view.submitted[0], "verdict": "accept"})
            return call(accept, write("old.txt", "renewed"), again)
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        if "Assignment #" not in view.all:
            return say("Idle.")
        if not view.did("read_file"):
            return call(("read_file", {"path": "read.txt"}), ("read_file", {"path": "old.txt"}))
        if not view.did("submit"):
            submit: Call = ("submit", {"assignment": view.given, "summary": "done", "files": ["own.txt"]})
            return call(write("own.txt", "hers"), submit)
        if "Assignment #2" in view.last:
            heard.append(view.last)
        return say("Idle.")

    play = await stage({"Boss": boss, "Ada": ada})
    await play.until_heard(heard)
    assert "old.txt as it is now:\n  renewed\n" in heard[0]
    assert "Unchanged since you saw them: own.txt, read.txt\n" in heard[0]
    assert "hers" not in heard[0] and "as read" not in heard[0]


async def test_a_change_between_submission_and_rejection_is_shown(stage: Stage) -> None:
    """Ada repairs on a word of the boss what she has handed in. The boss hears that the submission is older,
    and after its rejection gets the repair, which it has not seen."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(*GIVEN)
        if "it says 2" in view.last:
            heard.append(view.last)
            judged = {"assignment": 1, "verdict": "reject", "feedback": "say 2"}
            return call(("review", judged))
        if view.submitted and not view.did("send_message"):
            return call(("send_message", {"to": ["Ada"], "text": "say 2 in ada.txt", "wait": True}))
        heard.append(view.last)
        accept = ("review", {"assignment": 1, "verdict": "accept"})
        return call(accept, ("finish", {"report": "done"})) if view.submitted else say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        if "was rejected" in view.last:
            return call(("submit", {"assignment": view.given, "summary": "it said so before"}))
        if "say 2 in ada.txt" in view.last:
            told = ("send_message", {"to": ["Boss"], "text": "it says 2", "needs_answer": False})
            return call(write("ada.txt", "2\n"), told)
        return worker(view)

    await (await stage({"Boss": boss, "Ada": ada})).end()
    [told] = [text for text in heard if "it says 2" in text]
    assert "Ada changed ada.txt after it submitted #1" in told and "before you review it" in told
    assert "Changed since its last submission:" in heard[-1] and "+2" in heard[-1]
    assert "changed no file" not in heard[-1]


async def test_a_head_that_submits_again_brings_what_its_members_changed(stage: Stage) -> None:
    """Ada leads Bob, who repairs what was rejected: nobody says that nothing was changed."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(("recruit", {"members": [ADA | {"task": "d", "leads": True}]}))
        if view.submitted:
            heard.append(view.last)
            verdict = "accept" if len(heard) > 1 else "reject"
            judged = {"assignment": view.submitted[0], "verdict": verdict, "feedback": "say 2"}
            return call(("review", judged), *([("finish", {"report": "done"})] if len(heard) > 1 else []))
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(("recruit", {"members": [{"name": "Bob", "role": "w", "task": "say 1"}]}))
        if "was rejected" in view.last:
            return call(("assign", {"to": "Bob", "title": "again", "details": "say 2"}))
        if view.submitted:
            accepted = ("review", {"assignment": view.submitted[0], "verdict": "accept"})
            return call(accepted, ("submit", {"assignment": 1, "summary": "done", "files": ["bob.txt"]}))
        return say("Waiting.")

    def bob(view: View) -> ChatAnswer:
        says = view.last.rpartition("say ")[2][:1]
        handed = ("submit", {"assignment": view.given, "summary": "done"})
        return call(write("bob.txt", f"{says}\n"), handed) if "Assignment #" in view.last else say("Idle.")

    await (await stage({"Boss": boss, "Ada": ada, "Bob": bob})).end()
    assert "changed no file" not in heard[1]
    assert "Changed since its last submission:\n  bob.txt changed by Bob" in heard[1] and "+2" in heard[1]


async def test_who_is_told_to_go_by_a_changed_file_is_shown_it(stage: Stage) -> None:
    """With a changed assignment and with a rejection; once, and nothing that did not change."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            member = {"name": "Ada", "role": "w", "task": "Make a.txt by rules.md and more.md."}
            return call(
                write("rules.md", "one\n"), write("more.md", "same\n"), ("recruit", {"members": [member]})
            )
        if not view.did("amend"):
            edits = {"path": "rules.md", "old": "one", "new": "two"}
            text = {"assignment": 1, "details": "By rules.md and more.md.", "why": "Ann asks"}
            return call(("edit_file", edits), ("amend", text))
        if view.submitted and not view.did("review"):
            no = {"assignment": 1, "verdict": "reject", "feedback": "See rules.md and more.md."}
            return call(("edit_file", {"path": "rules.md", "old": "two", "new": "three"}), ("review", no))
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        heard.append(view.last)
        if "was changed" in view.last:
            done = {"assignment": 1, "summary": "s", "files": ["a.txt"]}
            return call(write("a.txt", "two\n"), ("submit", done))
        return say("Later.")

    play = await stage({"Boss": boss, "Ada": ada})
    while "was rejected" not in "".join(heard):
        await play.more()
    told = "".join(heard)
    assert "rules.md as it is now:\n  one" in told
    assert "rules.md as it is now:\n  two\n  Go by this text" in told
    assert "rules.md as it is now:\n  three\n  Repair it" in told
    assert told.count("more.md as it is now") == 1
