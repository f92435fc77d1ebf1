"""Scripted models of the benchmarks: functions from a chat to an answer, run inside the endpoint's
process."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Call = tuple[str, dict[str, Any]]
PART = "".join(f"Line {number} of the part that was asked for.\n" for number in range(1, 25))
BATCH = 30


@dataclass(frozen=True, slots=True)
class Said:
    """Text and calls of one answer."""

    text: str = ""
    calls: tuple[Call, ...] = ()


def name_of(messages: list[dict[str, Any]]) -> str:
    """Return the name of the agent whose prompt it is."""
    found = re.search(r"You are ([\w. ]+?),", messages[0]["content"])
    return found[1] if found else ""


class FanOut:
    """Plan, then `agents` x (call, write_file, call), then merge."""

    def __init__(self, agents: int) -> None:
        self.agents = agents
        self.reported: set[str] = set()
        self.recruited = 0

    def __call__(self, messages: list[dict[str, Any]]) -> Said:
        """Answer one call."""
        name, last = name_of(messages), messages[-1]
        newest = last["content"] or ""
        if name == "Boss":
            return self._boss(newest)
        if last["role"] == "tool":
            self.reported.add(name)
            done = len(self.reported) == self.agents
            return Said(calls=(self._report(done),))
        if "draft your part" in newest:
            path = {"path": f"part-{name}.md", "content": f"# {name}\n{PART}"}
            return Said(calls=(("write_file", path),))
        return Said("Nothing to do.")

    def _boss(self, newest: str) -> Said:
        if "my part is there" in newest:
            if len(self.reported) == self.agents:
                return Said(calls=(("finish", {"report": "All parts are there.", "deliverables": []}),))
            return Said("Waiting for the rest.")
        names = range(self.recruited, min(self.agents, self.recruited + 39 * BATCH))
        if not names:
            return Said("Waiting.")
        members = [{"name": f"W{n}", "role": "writer", "instructions": "Write your part."} for n in names]
        batches = [members[n : n + BATCH] for n in range(0, len(members), BATCH)]
        self.recruited += len(members)
        calls: list[Call] = [("recruit", {"members": batch}) for batch in batches]
        if self.recruited == self.agents:
            calls.append(("send_message", {"to": ["group"], "text": "draft your part", "wait": True}))
        return Said(calls=tuple(calls))

    @staticmethod
    def _report(done: bool) -> Call:
        words = {"to": ["Boss"], "text": "my part is there", "needs_answer": done, "wait": True}
        return ("send_message", words)


BRAINS: dict[str, Callable[[int], Callable[[list[dict[str, Any]]], Said]]] = {"fanout": FanOut}
