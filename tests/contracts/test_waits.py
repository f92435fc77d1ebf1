"""An agent that waits for a file or an assignment is woken by the commit that makes it, only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import sqlalchemy as sa

from engine.commands import StartTask
from engine.domain.snapshot import WatchOptions
from engine.llm.scripted import call, say
from engine.monitoring.sweep import sweep_task
from engine.ports import ChatAnswer, ChatRequest
from engine.runtime.clock import SystemClock
from engine.store.core import AGENTS, FILES, MESSAGES, WAITS
from tests.contracts.conftest import World, quiet, still
from tests.fakes.cast import View

WORK = (
    ("recruit", {"members": [{"name": n, "role": "w", "instructions": "w"} for n in ("Ada", "Tess")]}),
    ("assign", {"to": "Ada", "title": "main", "details": "write main.py"}),
    ("assign", {"to": "Tess", "title": "try", "details": "try main.py", "wait": True}),
)


class Team:
    """Ada works when the test lets her; Tess waits first, and each prompt of hers is kept."""

    def __init__(self, awaited: str, *works: ChatAnswer) -> None:
        self.awaited, self.works = awaited, list(works)
        self.go = asyncio.Event()
        self.heard: list[str] = []

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        """The next of whoever is asked."""
        view = View(request)
        if view.name == "Boss":
            return say("fine") if view.did("recruit") else call(*WORK)
        if view.name == "Ada":
            await self.go.wait()
            return self.works.pop(0) if self.works else say("done")
        self.heard.append(view.last)
        return say("tried") if view.did("wait_for") else call(("wait_for", {"what": [self.awaited]}))


def writes(path: str) -> ChatAnswer:
    """Ada writes a file."""
    return call(("write_file", {"path": path, "content": path}))


async def _waits(world: World) -> list[Any]:
    return await world.rows(sa.select(WAITS))


def _some(rows: Callable[[World], Awaitable[list[Any]]], world: World) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return bool(await rows(world))

    return holds


async def play(world: World, team: Team) -> None:
    """Until Tess waits; then Ada works, until all are still."""
    engine = await world.start(team)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(_some(_waits, world))
    views = {view.name: view for view in await engine.look.agents(1)}
    assert views["Tess"].waits_for == (team.awaited,)
    team.go.set()
    await world.until(lambda: still(world))


async def test_who_asks_several_and_waits_is_woken_once_by_the_last_answer(world: World) -> None:
    """No turn for each answer; all of them are read in one."""
    names = [f"T{n}" for n in range(5)]
    heard: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name != "Boss":
            return call(("send_message", {"to": ["Boss"], "text": f"{view.name} is well", "wait": False}))
        heard.append(view.last)
        if view.did("recruit"):
            return say("fine")
        members = [{"name": n, "role": "w", "instructions": "w"} for n in names]
        asks = {"to": names, "text": "How are you?", "wait": True}
        return call(("recruit", {"members": members}), ("send_message", asks))

    engine = await world.start(_once_each(script))
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    assert len(heard) == 2
    assert all(f"{name} is well" in heard[1] for name in names)
    assert await _waits(world) == []


async def test_one_of_several_who_asks_back_is_heard_at_once(world: World) -> None:
    """Its question waits for an answer, so the others' answers are not waited for."""
    heard: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Ann":
            return call(("send_message", {"to": ["Boss"], "text": "Which one?", "wait": True}))
        if view.name != "Boss":
            return call(("wait_for", {"what": ["plan.md"]}))
        heard.append(view.last)
        if view.did("recruit"):
            return say("fine")
        members = [{"name": n, "role": "w", "instructions": "w"} for n in ("Ann", "Bob")]
        asks = {"to": ["Ann", "Bob"], "text": "Is it done?", "wait": True}
        return call(("recruit", {"members": members}), ("send_message", asks))

    engine = await world.start(_once_each(script))
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    assert ["Which one?" in text for text in heard] == [False, True]


def _once_each(script: Callable[[ChatRequest], ChatAnswer]) -> Callable[[ChatRequest], ChatAnswer]:
    """Members act at their first step, then are done."""

    def answer(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        return say("done") if view.name != "Boss" and view.steps else script(request)

    return answer


async def test_a_file_wakes_who_waits_for_it(world: World) -> None:
    """Another file does not; the wait is over then."""
    team = Team("main.py", writes("other.py"), writes("main.py"))
    await play(world, team)
    assert len(team.heard) == 2
    assert "main.py is there now (by Ada). Not handed in yet: #1. You waited for it." in team.heard[1]
    assert await _waits(world) == []


async def test_a_submission_wakes_who_waits_for_the_assignment(world: World) -> None:
    """By its number; the waiting agent is told in which state it is."""
    submits = call(("submit", {"assignment": 1, "summary": "it is written"}))
    team = Team("#1", writes("main.py"), submits)
    await play(world, team)
    assert len(team.heard) == 2
    assert "#1 is submitted now." in team.heard[1]


async def test_who_reviews_the_work_it_waits_for_hears_of_it_once(world: World) -> None:
    """The submission itself wakes the giver; nothing beside it says that it is there."""
    heard: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name != "Boss":
            return say("done") if view.steps else call(("submit", {"assignment": 1, "summary": "it is done"}))
        heard.append(view.last)
        if not view.did("recruit"):
            return call(("recruit", {"members": [{"name": "Ada", "role": "w", "task": "do it"}]}))
        return say("fine") if view.did("wait_for") else call(("wait_for", {"what": ["#1"]}))

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    assert "Submission of #1" in "".join(heard) and "You waited for it" not in "".join(heard)
    assert await _waits(world) == []


async def test_what_is_there_already_is_not_waited_for(world: World) -> None:
    """The turn goes on; nothing is stored."""
    heard: list[str] = []

    def boss(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        heard.append(view.last)
        if not view.did("write_file"):
            return writes("a.md")
        return call(("wait_for", {"what": ["a.md"]})) if view.last.startswith("a.md added") else say("on")

    engine = await world.start(boss)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    assert "Nothing to wait for: a.md is there (revision 1, by Boss)." in heard[-1]
    assert await _waits(world) == []


async def test_what_came_by_another_way_ends_the_wait_at_the_next_sweep(world: World) -> None:
    """A file that no step wrote, for example one of a person."""
    team = Team("main.py")
    await play(world, team)
    tess = await world.scalar(sa.select(AGENTS.c.id).where(AGENTS.c.name == "Tess"))
    row = {"task_id": 1, "path": "main.py", "blob": "x", "revision": 1, "size": 1, "agent": "a person"}
    await world.write(lambda c: c.execute(FILES.insert().values(row)))
    wakes = await world.write(lambda c: sweep_task(c, 1, SystemClock().now(), WatchOptions()))
    assert tess in {wake.agent_id for wake in wakes}
    text = sa.select(MESSAGES.c.text).where(MESSAGES.c.to_agent == tess).order_by(MESSAGES.c.id.desc())
    assert await world.scalar(text) == "main.py is there now. You waited for it."


async def test_many_begin_to_wait_while_the_file_is_written_and_none_is_forgotten(world: World) -> None:
    """Waits and the write are committed at the same moment, in whatever order."""
    names = [f"T{n}" for n in range(6)]
    woken: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Boss":
            if view.did("recruit"):
                return say("fine")
            members = [{"name": n, "role": "w", "instructions": "w"} for n in [*names, "Ada"]]
            return call(
                ("recruit", {"members": members}),
                ("send_message", {"to": [*names, "Ada"], "text": "begin"}),
            )
        if view.name == "Ada":
            return say("done") if view.did("write_file") else writes("main.py")
        if "is there" in view.all:
            woken.append(view.name)
            return say("tried")
        return call(("wait_for", {"what": ["main.py"]}))

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: quiet(world))
    assert sorted(woken) == names
    assert [row for row in await _waits(world) if row.path] == []
