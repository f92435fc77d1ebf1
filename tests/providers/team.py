"""A team of three as models play it: a boss, Ann who writes much in a long turn, Bob who waits for a person.

The same on every provider; what is special of a family is put on by `families.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.providers.stage import Body

GOAL = "Ann writes big.txt and ten parts, Bob writes what a person tells him."
PART = "word " * 600
LINES = 1_500
BIG = "\n".join(f"line {number} of a file that is long enough to matter" for number in range(LINES))
COLOUR = "The colour is teal."

Call = tuple[str, Body]
Action = Call | str


def agent_of(body: Body) -> str:
    """Whose prompt it is."""
    found = re.search(r"You are (\w+)", str(body["messages"][0]["content"]))
    assert found is not None
    return found[1]


class Team:
    """Says what the agent of a request does next. Repeats a call whose result it was not shown."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}
        self._asked: dict[str, str] = {}
        self._cut_at = 0
        self.heard_person = False

    def next(self, body: Body, cut: Callable[[Call], bool]) -> tuple[Action, bool]:
        """(what it does, whether its answer is cut). `cut` says whether a call is too long for the limit."""
        name = agent_of(body)
        plan = {"Boss": self._boss, "Ann": self._ann, "Bob": self._bob}[name]
        step = self._done.get(name, 0)
        if name in self._asked and self._asked[name] != _last_result(body):
            step += 1
        self._asked.pop(name, None)
        self._done[name] = step
        action = plan(step, body)
        if isinstance(action, str):
            self._done[name] = step + 1
            return action, False
        if cut(action):
            self._cut_at = 12_000
            return action, True
        self._asked[name] = _last_result(body)
        return action, False

    def _boss(self, step: int, body: Body) -> Action:
        members = [{"name": name, "role": "writer", "instructions": "Write."} for name in ("Ann", "Bob")]
        plan: list[Action] = [
            ("recruit", {"members": members}),
            ("assign", {"to": "Ann", "title": "Big", "details": "big.txt and ten parts"}),
            ("assign", {"to": "Bob", "title": "Colour", "details": "colour.txt, as a person says"}),
            "They work.",
        ]
        if step < len(plan):
            return plan[step]
        accepted = set(re.findall(r"#(\d+) (?:is )?accepted", str(body["messages"])))
        handed_in = set(re.findall(r"#(\d+) to \w+ \(submitted|Submission of #(\d+)", str(body["messages"])))
        waiting = sorted({number for pair in handed_in for number in pair if number} - accepted)
        if waiting:
            return "review", {"assignment": int(waiting[0]), "verdict": "accept"}
        if len(accepted) == 2:
            return "finish", {"report": "All is written.", "deliverables": ["big.txt", "colour.txt"]}
        return "I wait."

    def _ann(self, step: int, body: Body) -> Action:
        big = self._big()
        if step < len(big):
            return big[step]
        step -= len(big)
        if step < 10:
            return "write_file", {"path": f"part{step}.txt", "content": f"{step} {PART}"}
        if step == 10:
            return "submit", {"assignment": 1, "summary": "Written.", "files": ["big.txt"]}
        return "It is done."

    def _big(self) -> list[Action]:
        """big.txt at once, or in parts once an answer was cut."""
        if not self._cut_at:
            return [("write_file", {"path": "big.txt", "content": BIG})]
        parts = [BIG[at : at + self._cut_at] for at in range(0, len(BIG), self._cut_at)]
        made: list[Action] = [("write_file", {"path": "big.txt", "content": f"{parts[0]}<END>"})]
        for number, part in enumerate(parts[1:], 2):
            end = "" if number == len(parts) else "<END>"
            made.append(("edit_file", {"path": "big.txt", "old": "<END>", "new": part + end}))
        return made

    def _bob(self, step: int, body: Body) -> Action:
        if not self.heard_person and COLOUR not in str(body["messages"]):
            return "list_files", {}
        self.heard_person = True
        done = _calls(body)
        if "write_file" not in done:
            return "write_file", {"path": "colour.txt", "content": "teal\n"}
        if "submit" not in done:
            return "submit", {"assignment": 2, "summary": "Written.", "files": ["colour.txt"]}
        return "It is done."


def _last_result(body: Body) -> str:
    """Names the last call that has its result in this request: one whose step the engine did not commit
    before it was killed has none."""
    return next((str(m["tool_call_id"]) for m in reversed(body["messages"]) if m["role"] == "tool"), "")


def _calls(body: Body) -> list[Any]:
    """Names of the calls of a request, those of a summary too."""
    made = [c["function"]["name"] for m in body["messages"] for c in m.get("tool_calls") or []]
    return [*made, *re.findall(r"(\w+)\(", " ".join(str(m["content"]) for m in body["messages"][:2]))]
