"""Changing files: several replacements in one call, appending, deleting and moving."""

from __future__ import annotations

import pytest

from engine.events import FileWritten
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer
from tests.engine.autonomy.conftest import Play, Stage
from tests.engine.tools.test_read_and_search import Call, played, results, write
from tests.fakes.cast import View

TEXT = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n"
EDITS: list[dict[str, object]] = [{"old": "two", "new": "2"}, {"old": "nine\nten", "new": "9"}]


async def content(play: Play, path: str) -> str:
    """Return a file as committed."""
    return (await play.engine.look.read_file(play.task, path)).decode()


def edit(**arguments: object) -> Call:
    """An edit of the file a.txt."""
    return ("edit_file", {"path": "a.txt", **arguments})


async def test_several_replacements_are_made_at_once_and_shown(stage: Stage) -> None:
    """The result holds the changed places with two lines around, the file one revision more."""
    play, heard = await played(stage, write("a.txt", TEXT), edit(edits=EDITS))
    assert await content(play, "a.txt") == "one\n2\nthree\nfour\nfive\nsix\nseven\neight\n9\n"
    assert heard[1].endswith("\n1\tone\n2\t2\n3\tthree\n4\tfour\n…\n7\tseven\n8\teight\n9\t9")
    assert len(play.of(FileWritten)) == 2


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (edit(edits=[EDITS[0], {"old": "none", "new": ""}]), "Edit 2 of 2: The passage was found 0 times"),
        (edit(edits=[{"old": "e", "new": "x"}]), "found 9 times (lines 1, 3, 3, 5, 7, 7, 8, 9, …)"),
        (edit(edits=[{"old": "zz", "new": ""}, {"old": "e", "new": ""}]), "Edit 2 of 2: The"),
        (edit(old="2\ttwo\n3\tthree", new="x"), "Leave out the line numbers"),
        (edit(old="two\n  three", new="x"), "Nearest is line 2, which reads:\ntwo\nthree\nCopy"),
        (edit(old="two"), "new is missing"),
        (edit(), "Give old and new, or edits"),
    ],
)  # fmt: skip
async def test_a_wrong_replacement_changes_nothing_and_is_named(stage: Stage, made: Call, says: str) -> None:
    """All or none; the refusal names each fault and what to do."""
    play, heard = await played(stage, write("a.txt", TEXT), made)
    assert says in heard[1]
    assert await content(play, "a.txt") == TEXT


@pytest.mark.parametrize(
    ("before", "made", "after"),
    [
        ("a b a\n", edit(old="a", new="aa", replace_all=True), "aa b aa\n"),
        ("a\n", edit(old="a", new=""), "\n"),
        ("a\r\nb\r\nc\r\n", edit(old="a\nb", new="x\ny"), "x\r\ny\r\nc\r\n"),
        ("a\n", edit(edits=[{"old": "a", "new": "b"}, {"old": "b", "new": "c"}]), "c\n"),
        ("a\n", ("write_file", {"path": "a.txt", "content": "b\n", "append": True}), "a\nb\n"),
    ],
)
async def test_changes_that_are_made(stage: Stage, before: str, made: Call, after: str) -> None:
    """Everywhere, by nothing, in the file's own line ends, one on the other, at the end."""
    play, _ = await played(stage, write("a.txt", before), made)
    assert await content(play, "a.txt") == after


async def test_a_passage_copied_with_an_error_is_answered_with_the_lines_there(stage: Stage) -> None:
    """No call to read them is needed; a passage like no line gets none, a long place only its number."""
    text = 'def read(path):\n    return open(path, encoding="utf-8").read()\n' + "word " * 300 + "\n"
    wrong = "    return open(path, encoding='utf-8').read()"
    _, heard = await played(
        stage,
        write("a.txt", text),
        edit(old=wrong, new="x"),
        edit(old="nothing of the kind", new="x"),
        edit(old="word word\n\nword", new="x"),
    )
    assert 'Nearest is line 2, which reads:\n    return open(path, encoding="utf-8").read()\nCopy' in heard[1]
    assert "Nearest" not in heard[2] and "Read the file and copy" in heard[2]
    assert "Its first line is at line 3: read there" in heard[3] and "word word word" not in heard[3]


async def test_a_file_is_moved_and_another_deleted(stage: Stage) -> None:
    """People see both, and the new path may be written on without another read."""
    play, heard = await played(
        stage,
        write("a.txt", "a\n"),
        write("old/b.txt", "b\n"),
        ("delete_file", {"path": "a.txt"}),
        ("move_file", {"path": "old/b.txt", "to": "B.txt"}),
        write("B.txt", "more\n"),
    )
    assert heard[2:4] == ["a.txt deleted.", f"old/b.txt is B.txt now, revision {5}."]
    assert [file.path for file in await play.engine.look.files(play.task)] == ["B.txt"]
    changes = [(event.path, event.change) for event in play.of(FileWritten)][2:]
    assert changes == [
        ("a.txt", "deleted"), ("old/b.txt", "deleted"), ("B.txt", "added"), ("B.txt", "changed"),
    ]  # fmt: skip
    history = await play.engine.look.history(play.task, "a.txt")
    assert [revision.blob is None for revision in history] == [True, False]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (("delete_file", {"path": "no.txt"}), "There is no file no.txt"),
        (("delete_file", {"path": "d"}), "d is a folder with 1 files (d/b.txt)"),
        (("read_file", {"path": "d"}), "d is a folder with 1 files (d/b.txt)"),
        (("list_files", {"prefix": "docs/"}), "No path begins with docs/; there are 2 files in all."),
        (("list_files", {"prefix": "./d"}), "d/b.txt ("),
        (("wait_for", {"what": ["d"]}), "d is a folder, which is there."),
        (("finish", {"report": "r", "deliverables": ["e/"]}), "There is no file e."),
        (("move_file", {"path": "d", "to": "e"}), "d is a folder"),
        (("move_file", {"path": "a.txt", "to": "d/b.txt"}), "d/b.txt exists (revision 2, by Boss)"),
        (("move_file", {"path": "a.txt", "to": "d"}), "'d' is a folder"),
        (("move_file", {"path": "a.txt", "to": "../x"}), "Stay inside the workspace"),
    ],
)
async def test_what_cannot_be_deleted_or_moved_is_said(stage: Stage, made: Call, says: str) -> None:
    """Nothing changes; the refusal says what is there."""
    play, heard = await played(stage, write("a.txt", "a\n"), write("d/b.txt", "b\n"), made)
    assert says in heard[2]
    assert [file.path for file in await play.engine.look.files(play.task)] == ["a.txt", "d/b.txt"]


async def test_what_another_wrote_is_not_deleted_unread(stage: Stage) -> None:
    """A deletion is refused until the file was seen as it is now."""
    ada = {"name": "Ada", "role": "w", "instructions": "w"}
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.steps:
            given = {"to": "Ada", "title": "t", "details": "d"}
            return call(("recruit", {"members": [ada]}), ("assign", given))
        if "it is written" not in view.all:
            return say("Waiting.")
        tried = results(view)[2:]
        if not tried:
            return call(("delete_file", {"path": "hers.txt"}))
        heard[:] = tried
        return say("I see.")

    def member(view: View) -> ChatAnswer:
        if view.did("write_file"):
            return say("Later.")
        told = {"to": ["Boss"], "text": "it is written"}
        return call(write("hers.txt", "hers\n" * 2_000), ("send_message", told))

    play = await stage({"Boss": boss, "Ada": member})
    await play.until_heard(heard)
    assert "Read it first" in heard[0]
    assert [file.path for file in await play.engine.look.files(play.task)] == ["hers.txt"]
