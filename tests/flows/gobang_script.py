"""Seven scripted agents who write Gobang: real code in pieces, one of it wrong at first, checks, an audit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.llm.scripted import call
from engine.ports import ChatAnswer
from tests.fakes.cast import Part, View

PIECES = Path(__file__).with_name("gobang_pieces")

AUTHORS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "Bea": ("board designer", ("board.py",), ("python", "-c", "import board; print(board.Board())")),
    "Rui": ("rules", ("rules.py", "check_rules.py"), ("python", "check_rules.py")),
    "Ava": ("AI opponent", ("ai.py", "check_ai.py"), ("python", "check_ai.py")),
    "Tom": ("input", ("talk.py",), ("python", "-c", "import talk; assert talk.parse('8 8') == (7, 7)")),
    "Mia": ("integration", ("main.py",), ("python", "-c", "import main")),
    "Gus": ("tester", ("check_game.py",), ("python", "check_game.py")),
}
Call = tuple[str, dict[str, object]]

FIRST, LATER = ("Bea", "Tom"), ("Rui", "Ava", "Mia", "Gus")
"""Who can begin at once, and who needs the work of others (given one after the other)."""


def piece(path: str) -> str:
    """The text of a finished piece."""
    return (PIECES / path).read_text(encoding="utf-8")


def boss(view: View) -> ChatAnswer:
    """Recruits six, gives the work in the order in which it fits together, accepts, finishes."""
    if not view.did("recruit"):
        members = [
            {"name": n, "role": role, "instructions": f"Write {', '.join(files)}."}
            for n, (role, files, _) in AUTHORS.items()
        ]
        return call(("recruit", {"members": members, "group": "makers"}), *_waiting(map(_given, FIRST)))
    if view.submitted:
        accepted: list[Call] = [("review", {"assignment": n, "verdict": "accept"}) for n in view.submitted]
        calls = [*accepted, *map(_given, _next(view))]
        whole = view.all.count(" accepted.") + len(accepted) == len(AUTHORS)
        return call(*(calls if whole else _waiting(calls)))
    if view.all.count(" accepted.") == len(AUTHORS) and not view.did("run"):
        return call(("run", {"command": ["python", "check_game.py"]}))
    if "exit code 0" in view.last and not view.did("finish"):
        report = "Gobang runs: the user plays against an AI that blocks and wins; a whole game was played."
        lessons = ["Board games: let a tester play whole games by typing moves."]
        return call(("finish", {"report": report, "deliverables": ["main.py"], "lessons": lessons}))
    raise AssertionError(f"the boss was woken for nothing: {view.last[:300]}")


def _waiting(calls: Iterable[Call]) -> list[Call]:
    """The calls, after the last of which the turn ends."""
    *made, (name, arguments) = calls
    return [*made, (name, {**arguments, "wait": True})]


def _given(name: str) -> Call:
    role, files, command = AUTHORS[name]
    details = f"Write {', '.join(files)} for the board of board.py."
    return ("assign", {"to": name, "title": role, "details": details, "command": list(command)})


def _next(view: View) -> tuple[str, ...]:
    """One more author once those before are done."""
    accepted = view.all.count(" accepted.") + len(view.submitted)
    given = view.all.count(" given to ") - len(FIRST)
    ready = accepted - len(FIRST) + 1 if accepted >= len(FIRST) else 0
    return LATER[given : min(ready, len(LATER))]


def author(view: View) -> ChatAnswer:
    """Writes its files and submits; the AI's first draft fails its own check and is repaired."""
    files = AUTHORS[view.name][1]
    if not view.did("write_file"):
        return call(*(("write_file", {"path": p, "content": _draft(p)}) for p in files))
    if "its check failed" in view.last:
        return call(("edit_file", {"path": "ai.py", "old": "return min(board", "new": "return max(board"}))
    if not view.did("submit") or " changed, revision" in view.last:
        done = {"assignment": view.given, "summary": "written and checked", "files": list(files)}
        return call(("submit", done))
    raise AssertionError(f"{view.name} was woken for nothing: {view.last[:300]}")


def _draft(path: str) -> str:
    return piece(path).replace("return max(board", "return min(board") if path == "ai.py" else piece(path)


def auditor(view: View) -> ChatAnswer:
    """Looks at the files, types a wrong and a right move, judges by what it saw."""
    if view.steps == 0:
        return call(("list_files", {}), ("read_file", {"path": "main.py"}))
    if view.steps == 1:
        return call(("run", {"command": ["python", "check_game.py"]}))
    good = "exit code 0" in view.last
    findings = "a whole game was played to its end" if good else "the game does not run to its end"
    return call(("verdict", {"verdict": "accept" if good else "reject", "findings": findings}))


def parts() -> dict[str, Part]:
    """Everyone's part."""
    made: dict[str, Part] = {"Boss": boss, "Auditor": auditor}
    return made | dict.fromkeys(AUTHORS, author)
