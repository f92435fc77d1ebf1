"""An engine with a server of tools that dies at one point; its arguments are FOLDER, TOOL and POINT.

A boss calls `counter__add` (or `counter__look`) once, or commits where TOOL is the path of a repository.
Where the policy asks, the gate is answered at once.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.assembly import OpenEngine, open_engine
from engine.commands import AnswerGate, StartTask
from engine.connectors.connectors import Connectors
from engine.events import GateRaised, TaskEnded
from engine.llm.scripted import ScriptedModel, call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.settings import EngineSettings

KILLED = 9
TOLD = "your call"


def die() -> None:
    """As kill -9: nothing is flushed, closed or said."""
    os._exit(KILLED)


def around(owner: Any, name: str, *, after: bool) -> None:
    """Die before or after a method."""
    real = getattr(owner, name)

    async def dies(*args: Any, **options: Any) -> Any:
        if not after:
            die()
        answer = await real(*args, **options)
        die()
        return answer

    setattr(owner, name, dies)


POINTS = {
    "written": lambda: around(Connectors, "_call_once", after=False),
    "called": lambda: around(Connectors, "_call_once", after=True),
    "kept": lambda: around(Connectors, "make", after=True),
    "approved": lambda: around(Connectors, "make_approved", after=False),
    "told": lambda: around(Connectors, "_make_one", after=True),
}


def boss(tool: str) -> Any:
    """A boss that calls the tool once, and finishes when it has heard what became of it."""
    wanted: tuple[str, dict[str, Any]] = (f"counter__{tool}", {"item": "tea"})
    if "/" in tool:
        wanted = ("git__git_commit", {"repo_path": tool, "message": "By the agents"})

    def script(request: ChatRequest) -> ChatAnswer:
        last = request.messages[-1].content
        if TOLD in last or "[from outside: " in last or "unknown" in last:
            return call(("finish", {"report": "Heard.", "deliverables": []}))
        if any(message.role == "assistant" for message in request.messages):
            return say("I wait.")
        return call(wanted, text="Now I call.")

    return script


@asynccontextmanager
async def engine_at(folder: Path, tool: str) -> AsyncIterator[OpenEngine]:
    """A running engine over what the folder holds."""
    values = {"data_dir": folder / "var", "mcp_config": folder / "mcp.json", "audit_rounds": 0}
    settings = EngineSettings(_env_file=None, **values)  # type: ignore[call-arg, arg-type]
    opened = await open_engine(settings, ScriptedModel(boss(tool)))
    await opened.engine.start()
    try:
        yield opened
    finally:
        await opened.engine.stop()
        await opened.close()


async def play(opened: OpenEngine) -> list[Any]:
    """To the end of the task; gates are answered. Return the events' bodies."""
    engine = opened.engine
    if not await engine.look.tasks():
        await engine.handle(StartTask("buy tea", "me", "guild:1"))
    seen = []
    async for event in engine.events():
        seen.append(event.body)
        if isinstance(event.body, GateRaised) and (await engine.look.gate(event.body.gate_id)).basis is None:
            await engine.handle(AnswerGate(event.body.gate_id, "me", "allow_call"))
        if isinstance(event.body, TaskEnded):
            return seen
    raise AssertionError("unreachable: events never end")


async def main(folder: Path, tool: str, point: str) -> None:
    """Play until the point kills."""
    POINTS[point]()
    async with engine_at(folder, tool) as opened:
        await play(opened)


async def program(arguments: Sequence[str]) -> None:
    """What the fork server runs."""
    await main(Path(arguments[0]), arguments[1], arguments[2])
