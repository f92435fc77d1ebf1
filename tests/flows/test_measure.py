"""One agent and a team side by side: works of every kind, over an endpoint on loopback, resumed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Invalid
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from scenarios.common import append_line
from scenarios.folders import load_folders
from scenarios.marking import boxed, load_items, mark, plain_math
from scenarios.measure import Line, known, main, purpose_of, table, works_of
from tests.fakes.cast import View
from tests.fakes.parts import FakeSandbox
from tests.fakes.script_endpoint import ScriptEndpoint

GOAL = "Write bank.py with a class Account (deposit, balance) and fees.py with fee(amount): 1 %."
TESTS = (
    "from bank import Account\nfrom fees import fee\n\n"
    "def test_account():\n    a = Account()\n    a.deposit(2)\n    assert a.balance == 2\n\n"
    "def test_fee():\n    assert fee(100) == 1\n"
)
BANK = (
    "class Account:\n    def __init__(self):\n        self.balance = 0\n"
    "    def deposit(self, n):\n        self.balance += n\n"
)
FEES = "def fee(amount):\n    return amount / 100\n"


def folder_works(root: Path) -> Path:
    """A class with a helper in the own form, and an exercise in the form of the polyglot benchmark."""
    own = root / "works" / "bank"
    (own / "tests").mkdir(parents=True)
    (own / "start").mkdir()
    (own / "goal.md").write_text(GOAL)
    (own / "start" / "notes.md").write_text("A bank.")
    (own / "tests" / "test_bank.py").write_text(TESTS)
    exercise = root / "works" / "python" / "leap"
    (exercise / ".docs").mkdir(parents=True)
    (exercise / ".meta").mkdir()
    (exercise / ".docs" / "instructions.md").write_text("Say whether a year is a leap year.")
    files = {"solution": ["leap.py"], "test": ["leap_test.py"], "example": [".meta/example.py"]}
    (exercise / ".meta" / "config.json").write_text(json.dumps({"files": files}))
    (exercise / "leap.py").write_text("def leap(year):\n    pass\n")
    (exercise / "leap_test.py").write_text("from leap import leap\n\ndef test_it():\n    assert leap(2000)\n")
    return root / "works"


def play(request: ChatRequest) -> ChatAnswer:
    """One agent writes all at once; the team's boss divides it, and its second member makes a mistake."""
    view, goal = View(request), request.messages[0].content
    if view.name != "Boss":
        return _member(view)
    if "leap year" in goal:
        if not view.did("read_file"):
            return call(("read_file", {"path": "leap.py"}))
        return _written(("leap.py", "def leap(year):\n    return year % 4 == 0\n"))
    return _boss(view) if "as a team" in goal else _written(("bank.py", BANK), ("fees.py", FEES))


def _written(*files: tuple[str, str]) -> ChatAnswer:
    wrote = [("write_file", {"path": path, "content": text}) for path, text in files]
    return call(*wrote, ("finish", {"report": "done"}))


def _boss(view: View) -> ChatAnswer:
    if not view.did("recruit"):
        members = [{"name": name, "role": "coder", "instructions": "code"} for name in ("Ada", "Bo")]
        given = [("assign", {"to": n, "title": n, "details": "your file"}) for n in ("Ada", "Bo")]
        return call(("recruit", {"members": members}), *given)
    accept = [("review", {"assignment": n, "verdict": "accept"}) for n in view.submitted]
    if view.all.count(" accepted.") + len(accept) >= 2 and not view.did("finish"):
        return call(*accept, ("finish", {"report": "done"}))
    return call(*accept) if accept else say("I wait.")


def _member(view: View) -> ChatAnswer:
    if "Assignment #" not in view.all or view.did("submit"):
        return say("Idle.")
    path, text = ("bank.py", BANK) if view.name == "Ada" else ("fees.py", "def fee(amount):\n    return 0\n")
    submit = ("submit", {"assignment": view.given, "summary": "done", "files": [path]})
    return call(("write_file", {"path": path, "content": text}), submit)


async def test_works_in_folders_are_measured_both_ways_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hidden tests judge what neither saw; both modes stand beside each other; a second run asks nothing."""
    endpoint = ScriptEndpoint(play)
    await endpoint.start()
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    monkeypatch.setenv("MODEL", "scripted")
    words = [str(folder_works(tmp_path)), "--data", str(tmp_path / "data"), "--tokens", "200000"]
    words += ["--out", str(tmp_path / "out.jsonl")]
    try:
        lines = {(line.work, line.mode): line for line in await main(words)}
        asked = endpoint.asked
        again = await main(words)
    finally:
        await endpoint.stop()
    assert endpoint.asked == asked and again == list(lines.values())
    assert {key: line.passed for key, line in lines.items()} == {
        ("bank", "one"): True,
        ("bank", "team"): False,
        ("python/leap", "one"): True,
        ("python/leap", "team"): True,
    }
    one, team = lines["bank", "one"], lines["bank", "team"]
    assert (one.agents, team.agents) == (1, 3) and team.prompt_tokens > one.prompt_tokens > 0
    assert team.note == "1 of 2 tests passed" and one.calls == {"write": 1}
    assert team.calls["team"] >= 2 and team.calls["write"] == 2
    assert {(line.cap, line.model) for line in lines.values()} == {(200_000, "scripted")}


def test_both_modes_stand_beside_each_other() -> None:
    """Sums with calls by purpose, then each work; what is missing in a mode is a dash."""

    def line(work: str, mode: Any, passed: bool) -> Line:
        calls = {"write": 2, "team": 1 if mode == "team" else 0}
        return Line(work, mode, "m", 9, passed, "", 3, 1_500, 500, 12_000, 90.0, calls)

    shown = table([line("a", "one", True), line("a", "team", False), line("b", "one", True)]).splitlines()
    cells = {row[:30].strip(): row[30:].split() for row in shown}
    assert cells[""] == ["one", "agent", "a", "team"]
    assert cells["passed"] == ["2", "of", "2", "0", "of", "1"]
    assert cells["tokens in"] == ["3,000", "1,500"] and cells["cost"] == ["$0.0240", "$0.0120"]
    assert cells["minutes"] == ["3.0", "1.5"] and cells["team"] == ["0", "1"]
    assert cells["b"][-1] == "-" and cells["a"][:2] == ["[x]", "2,000"]
    assert purpose_of(["send_message", "write_file"]) == "write" and purpose_of([]) == "words"


def test_a_line_that_a_crash_cut_off_spoils_no_other(tmp_path: Path) -> None:
    """The next result begins a line of its own; lines that are whole stay as they are."""
    out = tmp_path / "out.jsonl"
    lines = [Line(work, "one", "m", 9, True, "", 1, 1, 1, 1, 1.0, {}, "d") for work in "ab"]
    append_line(out, asdict(lines[0]))
    with out.open("a") as file:
        file.write('{"work": "torn", "mo')
    append_line(out, asdict(lines[1]))
    assert list(known(out).values()) == lines


def test_works_of_one_name_are_told_apart_and_a_file_needs_its_kind(tmp_path: Path) -> None:
    """Items are named by their place in a file: another file's first is another work."""
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for number, file in enumerate(files):
        file.write_text(json.dumps({"problem": f"p{number}", "answer": "1"}))
    one, other, again = (works_of(file, "math")[0] for file in (*files, files[0]))
    assert one.name == other.name and one.digest == again.digest != other.digest
    with pytest.raises(Invalid, match="kind its items are"):
        works_of(files[0], None)


@pytest.mark.parametrize(
    ("said", "expected", "same"),
    [
        ("\\boxed{\\dfrac{1}{2}}", "\\frac12", True),
        ("0.5", "\\frac{1}{2}", True),
        ("The answer is\n$1{,}000$", "1{,}000", True),
        ("1,000", "1000", True),
        ("$\\left( 3, \\frac{\\pi}{2} \\right)$", "(3,\\frac{\\pi}{2})", True),
        ("x=2", "2", True),
        ("x+1=2", "2", False),
        ("15", "15\\mbox{ cm}^2", True),
        ("15 \\text{ cm}", "16\\text{ cm}", False),
        ("$15 \\text{ cm}$.", "15", True),
        ("\\text{ no}", "yes", False),
        ("90^{\\circ}", "90", True),
        ("3\\sqrt2", "3\\sqrt{2}", True),
        (".5", "\\frac{1}{2}", True),
        ("10.5", "10.05", False),
        ("", "0", False),
        ("\\text{even}.", "even", True),
        ("90^\\circ", "90", True),
    ],
)
async def test_answers_in_latex_are_compared_by_what_they_say(said: str, expected: str, same: bool) -> None:
    """Spaces, sizes, dollars and forms of fractions do not count; numbers are compared as numbers."""
    [item] = _math_items(expected)
    told = plain_math(said), plain_math(expected)
    assert (await mark(item, said.encode(), FakeSandbox()))[0] is same, told


def _math_items(expected: str) -> list[Any]:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "math.jsonl"
        solution = f"Thus $\\boxed{{{expected}}}$."
        file.write_text(json.dumps({"problem": "p", "solution": solution}))
        return load_items("math", file)


def test_the_last_box_of_a_solution_is_its_answer() -> None:
    """Braces inside it included."""
    assert boxed("\\boxed{1} or \\boxed{\\frac{a}{b}}.") == "\\frac{a}{b}"
    assert boxed("none") == ""


def test_a_folder_without_works_or_with_a_bad_one_is_refused(tmp_path: Path) -> None:
    """It says what a work is, or what is wrong; nothing outside an exercise is read."""
    with pytest.raises(Invalid, match="holds no work"):
        load_folders(tmp_path)
    works = folder_works(tmp_path)
    config = works / "python" / "leap" / ".meta" / "config.json"
    config.write_text(json.dumps({"files": {"solution": ["../../../../secret"], "test": ["leap_test.py"]}}))
    with pytest.raises(Invalid, match="outside"):
        load_folders(works)
    config.unlink()
    (works / "bank" / "work.json").write_text('{"command": "pytest"}')
    with pytest.raises(Invalid, match="list of words"):
        load_folders(works)
