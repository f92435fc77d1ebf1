"""The policy tree's people: boss -> heads -> heads -> members; who says what, as a function of the prompt.

Each head recruits, drafts a file, asks its members for feedback (members that are heads do their own part
first), revises, reports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest

_NAME = re.compile(r"You are ([\w-]+)")
_DONE = re.compile(r"\[from agent ([\w-]+)\]\n  feedback")
DRAFT = "".join(f"Article {number} of the policy, as far as it is settled now.\n" for number in range(1, 33))


@dataclass(frozen=True, slots=True)
class Tree:
    """Members a head has, by level from the boss down."""

    widths: tuple[int, ...] = (19, 5, 5)

    @property
    def agents(self) -> int:
        """All, the boss included."""
        total, level = 1, 1
        for width in self.widths:
            level *= width
            total += level
        return total

    @property
    def heads(self) -> int:
        """Agents that lead others, the boss included: each drafts and revises one file."""
        return Tree(self.widths[:-1]).agents

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Answer as the agent whose prompt it is."""
        found = _NAME.search(request.messages[0].content)
        name = found[1] if found else ""
        level = 0 if name == "Boss" else name.count("-")
        newest = request.messages[-1].content
        if level == len(self.widths):
            return self._member(request, newest)
        return self._head(request, name, level, newest)

    @staticmethod
    def _member(request: ChatRequest, newest: str) -> ChatAnswer:
        if "look at my draft" not in newest:
            return say("Nothing to do.")
        head = re.findall(r"\[from agent ([\w-]+)\]\n  look at my draft", newest)[-1]
        return call(("send_message", {"to": [head], "text": "feedback: fix article 2", "wait": True}))

    def _head(self, request: ChatRequest, name: str, level: int, newest: str) -> ChatAnswer:
        text = "\n".join(m.content for m in request.messages if m.role == "user")
        done = set(_DONE.findall(text))
        path = f"policy/{name}.md"
        if "look at my draft" in newest or "begins" in newest:
            return self._begin(name, level, path)
        if request.messages[-1].role == "tool" or len(done) < self.widths[level]:
            return say("Waiting for the rest.")
        revised = ("write_file", {"path": path, "content": f"# {name}, revised\n{DRAFT}"})
        if level == 0:
            return call(revised, ("finish", {"report": "The policy is whole.", "deliverables": [path]}))
        head = re.findall(r"\[from agent ([\w-]+)\]\n  look at my draft", text)[0]
        return call(
            revised, ("send_message", {"to": [head], "text": "feedback: my part is done", "wait": True})
        )

    def _begin(self, name: str, level: int, path: str) -> ChatAnswer:
        stem = "" if name == "Boss" else name
        members = [
            {"name": f"{stem or 'P'}-{n}", "role": "policy writer", "instructions": "Help with your part."}
            for n in range(self.widths[level])
        ]
        return call(
            ("recruit", {"members": members, "group": f"{name} office"}),
            ("write_file", {"path": path, "content": f"# {name}\n{DRAFT}"}),
            ("send_message", {"to": ["group"], "text": "look at my draft", "wait": True}),
        )
