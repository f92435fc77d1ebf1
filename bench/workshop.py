"""A workshop: a boss assigns a part to each member and reviews it; members work step by step."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest

_NAME = re.compile(r"You are ([\w-]+)")
_MINE = re.compile(r"Your assignment #(\d+) \(open\)")
_SUBMITTED = re.compile(r"#(\d+)[^\n]*\(submitted")
PART = "".join(
    f"Line {number} of a part of the work, as far as it is settled now.\n" for number in range(1, 43)
)


Call = tuple[str, dict[str, object]]


def _waiting(calls: list[Call]) -> list[Call]:
    """The calls, after the last of which the turn ends."""
    *made, (name, arguments) = calls
    return [*made, (name, {**arguments, "wait": True})]


@dataclass(slots=True)
class Workshop:
    """`members` who each make `steps` steps (list, write, read, edit in turn) before they submit."""

    members: int
    steps: int
    made: Counter[str] = field(default_factory=Counter)

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Answer as the agent whose prompt it is."""
        found = _NAME.search(request.messages[0].content)
        name = found[1] if found else ""
        return self._boss(request) if name == "Boss" else self._member(request, name)

    def _boss(self, request: ChatRequest) -> ChatAnswer:
        newest = request.messages[-1].content
        if "begins" in newest:
            names = [f"W-{n}" for n in range(self.members)]
            hands = [
                {"name": n, "role": "writer", "instructions": "Make your part, step by step."} for n in names
            ]
            parts: list[Call] = [
                ("assign", {"to": n, "title": f"part {n}", "details": f"Write {n}.md."}) for n in names
            ]
            return call(("recruit", {"members": hands}), *_waiting(parts))
        waiting = _SUBMITTED.findall(newest)
        if waiting:
            self.made["Boss"] += len(waiting)
            reviews: list[Call] = [("review", {"assignment": int(n), "verdict": "accept"}) for n in waiting]
            return call(*(reviews if self.made["Boss"] == self.members else _waiting(reviews)))
        if self.made["Boss"] == self.members:
            return call(("finish", {"report": "All parts are there."}))
        raise AssertionError(f"the boss was woken for nothing: {newest[:300]}")

    def _member(self, request: ChatRequest, name: str) -> ChatAnswer:
        self.made[name] += 1
        step, path = self.made[name], f"{name}.md"
        if step > self.steps:
            mine = _MINE.findall("\n".join(m.content for m in request.messages if m.role == "user"))
            if step > self.steps + 1 or not mine:
                return say("My part is done.")
            return call(
                ("submit", {"assignment": int(mine[-1]), "summary": "It is written.", "files": [path]})
            )
        done = [
            ("list_files", {}),
            ("write_file", {"path": path, "content": f"# {name}, draft {step}\n{PART}"}),
            ("read_file", {"path": path}),
            ("edit_file", {"path": path, "old": f"draft {step - 2}", "new": f"version {step}"}),
        ]
        return call(done[(step - 1) % len(done)])
