"""A scripted team: a boss, a coder and a tester write and check a file. Answers depend on the prompt only,
so a call repeated after a crash says the same again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatMessage, ChatRequest

CODE = "def add(a, b):\n    return a + b\n"
CHECK = "from calc import add\nassert add(2, 3) == 5\nprint('checked')\n"
LONG = "\n".join(f"Paragraph {n}: " + "the work goes on as it should. " * 8 for n in range(14))
FENCED = "Here it is:\n```python\n" + "\n".join(f"line_{n} = {n}" for n in range(150)) + "\n```\nDone."
PARTS = {"Ada": ("calc.py", CODE), "Bo": ("check.py", CHECK)}
MEMBERS = [
    {"name": "Ada", "role": "coder", "instructions": "Write calc.py with add(a, b)."},
    {"name": "Bo", "role": "tester", "instructions": "Write check.py that checks calc.py."},
]


def team(request: ChatRequest) -> ChatAnswer:
    """What each of the team does next, read off its own prompt."""
    if request.role == "boss":
        return _boss(request)
    if request.role == "auditor":
        return call(("verdict", {"verdict": "accept", "findings": "both files are there"}))
    return _member(request)


def slow_team(seconds: float) -> Callable[[ChatRequest], Awaitable[ChatAnswer]]:
    """The team, each call taking its time."""

    async def answer(request: ChatRequest) -> ChatAnswer:
        await asyncio.sleep(seconds)
        return team(request)

    return answer


def waiting_team(go: asyncio.Event) -> Callable[[ChatRequest], Awaitable[ChatAnswer]]:
    """The team, whose members think until `go` is set: nothing ends before the test wants it to."""

    async def answer(request: ChatRequest) -> ChatAnswer:
        if request.role == "member":
            await go.wait()
        return team(request)

    return answer


def talker(request: ChatRequest) -> ChatAnswer:
    """A boss alone that says something long with code, and again to whoever asks."""
    if "a person who watches" in request.messages[-1].content:
        return say(LONG if "long" in request.messages[-1].content else FENCED)
    return say("I wait." if any(m.role == "assistant" for m in request.messages) else FENCED)


def _boss(request: ChatRequest) -> ChatAnswer:
    last, done = request.messages[-1], _called(request.messages)
    if "a person who watches" in last.content:
        return say(f"You wrote: {_person_said(last.content)}. It will be done.")
    waiting = _submitted(request.messages)
    if waiting:
        return call(*[("review", {"assignment": n, "verdict": "accept"}) for n in waiting])
    if "recruit" not in done:
        return call(
            ("send_message", {"to": ["human"], "text": "I split this into code and a check."}),
            ("recruit", {"members": MEMBERS, "group": "makers"}),
            *[
                ("assign", {"to": n, "title": f"write {p}", "details": f"Write {p}."})
                for n, (p, _) in PARTS.items()
            ],
        )
    if _accepted(request.messages) == len(PARTS) and "finish" not in done:
        return call(
            ("finish", {"report": "add works and is checked.", "deliverables": ["calc.py", "check.py"]})
        )
    return say("I wait for the team.")


def _member(request: ChatRequest) -> ChatAnswer:
    name = request.messages[0].content.split(",")[0].removeprefix("You are ").strip()
    path, content = PARTS[name]
    done, text = _called(request.messages), _text(request.messages)
    given = re.findall(r"Assignment #(\d+)", text)
    if "a person who watches" in request.messages[-1].content:
        return say(LONG if "long" in request.messages[-1].content else FENCED)
    if not given:
        return say("Nothing to do yet.")
    if "write_file" not in done:
        return call(("write_file", {"path": path, "content": content}))
    if "submit" not in done:
        return call(
            ("submit", {"assignment": int(given[0]), "summary": f"{path} is written", "files": [path]})
        )
    return say("Done.")


def _called(messages: tuple[ChatMessage, ...]) -> set[str]:
    return {c.name for m in messages for c in m.tool_calls}


def _text(messages: tuple[ChatMessage, ...]) -> str:
    return "\n".join(m.content for m in messages if m.role in ("user", "tool"))


def _submitted(messages: tuple[ChatMessage, ...]) -> list[int]:
    seen = {int(n) for n in re.findall(r"Submission of #(\d+)", _text(messages))}
    judged = {int(n) for n in re.findall(r"Assignment #(\d+) accepted", _text(messages))}
    return sorted(seen - judged)


def _accepted(messages: tuple[ChatMessage, ...]) -> int:
    return len(set(re.findall(r"Assignment #(\d+) accepted", _text(messages))))


def _person_said(text: str) -> str:
    lines = (line.strip() for line in text.split("]\n", 1)[1].split("\n"))
    return next(line for line in lines if not line.startswith("(in reply to "))
