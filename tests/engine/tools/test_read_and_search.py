"""What read_file and search_files show, and that they say exactly what."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from engine.domain.outcomes import Read
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, RunResult
from engine.store.core import STEPS
from engine.store.transcript import past_calls
from tests.engine.autonomy.conftest import Play, Stage
from tests.fakes.cast import View
from tests.fakes.parts import FakeSandbox

Call = tuple[str, dict[str, object]]


LINES = "\n".join(f"line {number} {'x' * 80}" for number in range(1, 401)) + "\n"
LONG = f"{'a' * 500} the NEEDLE here {'b' * 500}"


def write(path: str, content: str) -> Call:
    """A call that writes a file."""
    return ("write_file", {"path": path, "content": content})


def results(view: View) -> list[str]:
    """Return the results of all calls so far."""
    return [message.content for message in view.request.messages if message.role == "tool"]


async def played(stage: Stage, *calls: Call, **options: object) -> tuple[Play, list[str]]:
    """Return the results of calls that a boss makes one after the other."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        got = results(view)
        if len(got) < len(calls):
            return call(calls[len(got)])
        heard[:] = got
        return say("I see.")

    play = await stage({"Boss": boss}, **options)
    await play.until_heard(heard)
    return play, heard


async def reads(play: Play) -> list[Read]:
    """Return the stored outcomes of all reads."""
    rows = await play.db.read(lambda c: list(c.execute(sa.select(STEPS.c.calls_json).order_by(STEPS.c.step))))
    calls = [one for row in rows for one in past_calls(row.calls_json)]
    return [one.outcome for one in calls if isinstance(one.outcome, Read)]


def lines_of(outcome: Read) -> tuple[int, int, int]:
    """Return the lines that a read showed."""
    assert outcome.lines is not None
    return outcome.lines


async def test_a_long_file_is_read_in_whole_lines_to_its_end(stage: Stage) -> None:
    """Each part says which lines it holds and where to go on; together they are the file."""
    parts: list[str] = []

    def boss(view: View) -> ChatAnswer:
        got = results(view)
        if not got:
            return call(write("long.txt", LINES))
        start = 1
        if len(got) > 1:
            head = got[-1].partition("\n")[0]
            if "go on with start_line=" not in head:
                parts[:] = got[1:]
                return say("I see.")
            start = int(head.rpartition("=")[2].rstrip(":"))
        return call(("read_file", {"path": "long.txt", "start_line": start}))

    play = await stage({"Boss": boss}, history_tokens=100_000)
    await play.until_heard(parts)
    seen = [line for part in parts for line in part.split("\n")[1:]]
    assert seen == [f"{number}\t{line}" for number, line in enumerate(LINES.splitlines(), 1)]
    assert len(parts) > 2 and parts[-1].startswith("long.txt, revision 1, lines ")
    outcomes = await reads(play)
    assert not any(one.whole for one in outcomes)
    covered = [number for one in map(lines_of, outcomes) for number in range(one[0], one[1] + 1)]
    assert covered == list(range(1, 401))


@pytest.mark.parametrize(
    ("content", "asked", "says", "whole"),
    [
        ("one\ntwo\n", {}, "revision 1, lines 1-2 of 2:\n1\tone\n2\ttwo", True),
        ("one\ntwo", {}, "lines 1-2 of 2:\n1\tone\n2\ttwo", True),
        ("", {}, "a.txt, revision 1, is empty.", True),
        ("one\r\ntwo\r\n", {}, "lines 1-2 of 2; its lines end with \\r\\n:\n1\tone\n2\ttwo", True),
        ("one\ntwo\nthree\n", {"start_line": 2}, "lines 2-3 of 3:\n2\ttwo", False),
        ("one\ntwo\nthree\n", {"end_line": 2}, "lines 1-2 of 3; go on with start_line=3:\n", False),
        ("one\n", {"start_line": 9}, "a.txt has 1 lines; none from line 9 on", None),
        ("a\nb\nc\n", {"start_line": 3, "end_line": 2}, "end_line 2 is before start_line 3", None),
        ("a" * 30_000 + "\nb\n", {}, "the first 12000 of 30000 characters of line 1 of 2", False),
    ],
)
async def test_the_head_of_a_read_says_what_is_shown(
    stage: Stage, content: str, asked: dict[str, int], says: str, whole: bool | None
) -> None:
    """Lines, their number, the end of the file and what is left out."""
    play, heard = await played(stage, write("a.txt", content), ("read_file", {"path": "a.txt", **asked}))
    assert says in heard[1]
    assert [one.whole for one in await reads(play)] == ([] if whole is None else [whole])


async def test_of_a_long_table_the_first_rows_are_shown_unless_lines_are_named(stage: Stage) -> None:
    """What is shown stays in every later prompt, and programs read tables; a short one is shown whole."""
    rows = "a,b\n" + "".join(f"{number},value of {number}\n" for number in range(5_000))
    _, heard = await played(
        stage,
        write("rows.csv", rows),
        ("read_file", {"path": "rows.csv"}),
        ("read_file", {"path": "rows.csv", "start_line": 200, "end_line": 500}),
        write("short.csv", rows[:6_000]),
        ("read_file", {"path": "short.csv"}),
    )
    assert "of 5001; go on with start_line=" in heard[1] and len(heard[1]) < 2_200
    assert "lines 200-500 of 5001" in heard[2]
    assert "go on with" not in heard[4]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"pattern": "needle"}, "Matching lines: 1, files: 1:\nlong.md:1: …aaa"),
        ({"pattern": "needle"}, "the NEEDLE here bbb"),
        ({"pattern": "def (one|two)", "regex": True}, "Matching lines: 2, files: 2"),
        ({"pattern": "def (one|two)"}, "No line of 4 files matches."),
        ({"pattern": "def", "path": "src/*.py"}, "Matching lines: 1, files: 1:\nsrc/a.py:2: def one"),
        ({"pattern": "def", "path": "**/*.py"}, "Matching lines: 2, files: 2"),
        ({"pattern": "def", "path": "src"}, "Matching lines: 1, files: 1"),
        ({"pattern": "def", "path": "a.py"}, "Matching lines: 1, files: 1"),
        ({"pattern": "def", "path": "lib/*"}, "No file is lib/*"),
        ({"pattern": "one", "context": 1}, "src/a.py-1- import os\nsrc/a.py:2: def one\nsrc/a.py-3- end"),
        ({"pattern": "row"}, "Matching lines: 90, files: 1; 1-40 are shown; go on with skip=40:"),
        (
            {"pattern": "row", "skip": 80},
            "Matching lines: 90, files: 1; 81-90 are shown:\nrows.txt:81: row 80",
        ),
        ({"pattern": "(", "regex": True}, "not a regular expression"),
        ({"pattern": "a\nb"}, "leave out the line break"),
        ({"pattern": "(a+)+$", "regex": True, "path": "evil.txt"}, "The search took longer than"),
    ],
)
async def test_a_search_shows_the_hits_and_counts_all(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, asked: dict[str, object], says: str
) -> None:
    """The hit is in what is shown, however long its line; a pattern that never ends harms nobody."""
    monkeypatch.setattr("engine.tools.search.PATTERN_S", 1.0)
    files = {
        "src/a.py": "import os\ndef one\nend\n",
        "b.py": "def two\n",
        "long.md": LONG,
        "rows.txt": "".join(f"row {number}\n" for number in range(90)),
    }
    if asked.get("path") == "evil.txt":
        files["evil.txt"] = "a" * 60 + "!"
    made = [write(path, content) for path, content in files.items()]
    _, heard = await played(stage, *made, ("search_files", asked))
    assert says in heard[-1]


async def test_all_hits_of_a_long_line_are_counted(stage: Stage) -> None:
    """Three are shown with what is around them, the others counted."""
    line = ("word " * 100 + "HIT ") * 5
    _, heard = await played(stage, write("a.md", line), ("search_files", {"pattern": "hit"}))
    assert heard[1].count("HIT") == 3 and "(and 2 more in this line)" in heard[1]


async def test_a_file_of_that_name_in_another_folder_is_named(stage: Stage) -> None:
    """People name what they attach without its folder, and models read it so; one call less."""
    _, heard = await played(
        stage, write("in/Data.csv", "a\n"), ("read_file", {"path": "data.csv"}), ("read_file", {"path": "no"})
    )
    assert heard[1] == "There is no file data.csv. There is in/Data.csv."
    assert heard[2] == "There is no file no. Use list_files to see what there is."


async def test_tables_as_spreadsheets_write_them_are_read_and_found(stage: Stage) -> None:
    """A byte order mark is said and not shown; another encoding is shown, and not changed by hand."""
    made = {
        "mark.csv": "Straße;1\n".encode("utf-8-sig"),
        "old.csv": "Straße;2\n".encode("cp1252"),
        "p.png": b"\x89PNG\r\n\x1a\n\0",
    }
    sandbox = FakeSandbox(lambda _: RunResult(0, "", changed=made))
    _, heard = await played(
        stage,
        ("run", {"command": ["make"]}),
        ("read_file", {"path": "mark.csv"}),
        ("read_file", {"path": "old.csv"}),
        ("search_files", {"pattern": "straße"}),
        ("edit_file", {"path": "old.csv", "edits": [{"old": "Straße", "new": "Weg"}]}),
        ("edit_file", {"path": "mark.csv", "edits": [{"old": "Straße", "new": "Weg"}]}),
        sandbox=sandbox,
    )
    assert "; it begins with a byte order mark (utf-8-sig):\n1\tStraße;1" in heard[1]
    assert "; it is not UTF-8 (shown as cp1252):\n1\tStraße;2" in heard[2]
    assert "files: 2" in heard[3] and "1 binary file was left out" in heard[3]
    assert "old.csv is not UTF-8 (it reads as cp1252); use run to change it." in heard[4]
    assert "mark.csv changed" in heard[5]
