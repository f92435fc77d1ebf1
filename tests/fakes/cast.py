"""Scripted agents by name: each part is a function from what the agent sees to what it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest

_NAME = re.compile(r"You are ([^,]+),")
_GIVEN = re.compile(r"Assignment #(\d+)")
_SUBMITTED = re.compile(r"Submission of #(\d+)")
_UNREAD = re.compile(r"(?:read_file|;) (.+?) from start_line=(\d+) \(of \d+\)")


@dataclass(frozen=True)
class View:
    """What one agent sees at one step."""

    request: ChatRequest

    @property
    def name(self) -> str:
        """Who it is."""
        found = _NAME.search(self.request.messages[0].content)
        return found[1] if found else ""

    @property
    def last(self) -> str:
        """The newest message: from the inbox, or the result of its newest call."""
        return self.request.messages[-1].content

    @property
    def all(self) -> str:
        """Everything after the system prompt."""
        return "\n".join(message.content for message in self.request.messages[1:])

    @property
    def steps(self) -> int:
        """How many steps it has taken."""
        return sum(message.role == "assistant" for message in self.request.messages)

    @property
    def given(self) -> int:
        """Number of the newest assignment it was given."""
        return int(_GIVEN.findall(self.all)[-1])

    @property
    def submitted(self) -> list[int]:
        """Numbers of the submissions in its newest inbox message."""
        return [int(number) for number in _SUBMITTED.findall(self.last)]

    @property
    def unread(self) -> list[tuple[str, dict[str, object]]]:
        """Calls that read what it is told it has not read."""
        left = _UNREAD.findall(self.last) if "you have not read to the end" in self.last else []
        return [("read_file", {"path": path, "start_line": int(line)}) for path, line in left]

    def did(self, tool: str) -> bool:
        """Whether it ever called `tool`: in the steps it is shown, or in those it is shown shortened."""
        shown = any(c.name == tool for message in self.request.messages for c in message.tool_calls)
        return shown or any(f"\n  - {tool}(" in m.content for m in self.request.messages if m.role == "user")


Part = Callable[[View], ChatAnswer]


def cast(parts: Mapping[str, Part]) -> Callable[[ChatRequest], ChatAnswer]:
    """A script in which every agent plays its part; who has none says nothing of use."""

    def play(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        part = parts.get(view.name) or parts.get(view.name.split()[0]) or (lambda _: say("Nothing to do."))
        return part(view)

    return play


def worker(view: View) -> ChatAnswer:
    """Writes one file and submits what it was given."""
    path = f"{view.name.lower()}.txt"
    if "Assignment #" not in view.all:
        return say("Idle.")
    if not view.did("write_file"):
        return call(("write_file", {"path": path, "content": f"{view.name}\n"}))
    if not view.did("submit"):
        return call(("submit", {"assignment": view.given, "summary": "done", "files": [path]}))
    return say("Idle.")


def boss_of(*names: str) -> Part:
    """Recruits the named members, gives each one assignment, accepts all, finishes."""

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            members = [{"name": n, "role": "worker", "instructions": f"write {n}.txt"} for n in names]
            given = [("assign", {"to": n, "title": f"part {n}", "details": "write your file"}) for n in names]
            return call(("recruit", {"members": members, "group": "workers"}), *given)
        return reviewing(view, len(names))

    return boss


def reviewing(view: View, expected: int) -> ChatAnswer:
    """Accepts every submission; finishes once `expected` were accepted."""
    if view.submitted:
        return call(*(("review", {"assignment": n, "verdict": "accept"}) for n in view.submitted))
    if view.all.count(" accepted.") >= expected and not view.last.startswith("An auditor"):
        return call(("finish", {"report": "all parts are there"}))
    return say("Waiting.")


def accepting(findings: str) -> Part:
    """Accepts as an auditor, and first reads what it is told to read."""
    return lambda view: call(*(view.unread or [("verdict", {"verdict": "accept", "findings": findings})]))
