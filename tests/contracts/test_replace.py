"""A person puts a fresh agent in another's place: nothing said, given or owed is lost, on every backend."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from engine import Engine, TurnOptions
from engine.commands import Limits, RaiseCap, ReplaceAgent, SayToAgent, StartTask
from engine.errors import WrongState
from engine.events import AgentJoined, AgentLeft, AssignmentChanged, MessageRead
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import AGENTS, BUDGETS, STEPS
from engine.tools import ToolOptions
from tests.contracts.conftest import World, ended
from tests.fakes.cast import View, boss_of, cast, worker

QUIET = TurnOptions(tools=ToolOptions(audit_rounds=0))


async def _id(world: World, name: str) -> int:
    return int(await world.scalar(sa.select(AGENTS.c.id).where(AGENTS.c.name == name)))


async def _said(world: World, words: str) -> None:
    query = sa.select(sa.func.count()).select_from(STEPS).where(STEPS.c.said == words)

    async def heard() -> bool:
        return bool(await world.scalar(query))

    await world.until(heard)


def stuck(view: View) -> ChatAnswer:
    """Notes what it does, and does no more."""
    if not view.did("update_todo"):
        return call(("update_todo", {"items": [{"text": "weigh the oak", "status": "doing"}]}))
    return say("Later.")


async def test_the_successor_knows_what_the_predecessor_knew_and_ends_its_work(world: World) -> None:
    """Role, new instructions, open assignment, its list and last words come over; the task is done."""
    seen: list[View] = []

    def fresh(view: View) -> ChatAnswer:
        seen.append(view)
        if view.did("submit"):
            return say("Idle.")
        number = int(view.all.split("Assignment #")[1].split(",")[0])
        return call(("submit", {"assignment": number, "summary": "done"}))

    engine = await world.start(cast({"Boss": boss_of("Ada"), "Ada": stuck, "Ada 2": fresh}), turn=QUIET)
    task = await engine.handle(StartTask("make it", "me", "guild:1"))
    await _said(world, "Later.")
    ada = await _id(world, "Ada")
    fresh_id = await engine.handle(ReplaceAgent(ada, "me", "too slow", "Use ash."))
    bodies = [event.body for event in await ended(engine, task)]
    assert fresh_id == await _id(world, "Ada 2")
    assert [e.reason for e in bodies if isinstance(e, AgentLeft)] == ["too slow (replaced by a person)"]
    states = [e.state for e in bodies if isinstance(e, AssignmentChanged)]
    assert "cancelled" not in states and states[-1] == "accepted"
    shown = seen[0].all
    assert "too slow" in shown and "weigh the oak" in shown and "Later." in shown
    assert "Use ash." in seen[0].request.messages[0].content
    with pytest.raises(WrongState):
        await engine.handle(ReplaceAgent(ada, "me"))


async def test_a_running_call_is_dropped_and_its_messages_are_read_by_the_successor(world: World) -> None:
    """A person's words that the old one was reading reach the successor, once; its answer is void."""
    reading, go = asyncio.Event(), asyncio.Event()

    async def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Ada" and "How far?" in view.last:
            reading.set()
            await go.wait()
            return call(("write_file", {"path": "late.txt", "content": "x"}))
        return cast({"Boss": boss_of("Ada"), "Ada": stuck, "Ada 2": _answers})(request)

    engine = await world.start(script, turn=QUIET)
    task = await engine.handle(StartTask("make it", "me", "guild:1"))
    await _said(world, "Later.")
    await engine.handle(SayToAgent(await _id(world, "Ada"), "How far?", "me", "Me", ref="d:1"))
    await asyncio.wait_for(reading.wait(), 60)
    fresh = await engine.handle(ReplaceAgent(await _id(world, "Ada"), "me"))
    go.set()
    bodies = [event.body for event in await ended(engine, task)]
    assert [e.agent_id for e in bodies if isinstance(e, MessageRead)] == [fresh]
    assert [file.path for file in await engine.look.files(task)] == []
    root = sa.select(BUDGETS.c.reserved_micros, BUDGETS.c.reserved_tokens)
    assert [tuple(row) for row in await world.rows(root)] == [(0, 0)]


async def test_an_assignment_that_was_not_read_yet_comes_to_the_successor_once(world: World) -> None:
    """It comes with the unread messages; the same text told as taken over would be there twice."""
    reading, heard = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    async def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Ada":
            reading.set()
            await asyncio.Event().wait()
        if view.name == "Ada 2":
            seen.append(view.all)
            heard.set()
            return call(("submit", {"assignment": 1, "summary": "done"}))
        return boss_of("Ada")(view)

    engine = await world.start(script, turn=QUIET)
    task = await engine.handle(StartTask("make it", "me", "guild:1"))
    await asyncio.wait_for(reading.wait(), 60)
    await engine.handle(ReplaceAgent(await _id(world, "Ada"), "me"))
    await asyncio.wait_for(heard.wait(), 60)
    assert seen[0].count("Assignment #1") == 1 and "take over from Ada" in seen[0]
    await ended(engine, task)


async def test_an_assignment_that_was_read_comes_to_the_successor_once(world: World) -> None:
    """As it is now: what came with it when it was given, such as files, may have changed since."""
    reading, heard = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    async def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Ada":
            if view.steps == 0:
                return call(("write_file", {"path": "a.txt", "content": "new"}))
            reading.set()
            await asyncio.Event().wait()
        if view.name == "Ada 2":
            seen.append(view.all)
            heard.set()
            return call(("submit", {"assignment": 1, "summary": "done"}))
        if view.name == "Boss" and not view.did("recruit"):
            member = {"name": "Ada", "role": "w", "task": "Fill a.txt."}
            return call(
                ("write_file", {"path": "a.txt", "content": "old"}), ("recruit", {"members": [member]})
            )
        return boss_of("Ada")(view)

    engine = await world.start(script, turn=QUIET)
    task = await engine.handle(StartTask("make it", "me", "guild:1"))
    await asyncio.wait_for(reading.wait(), 60)
    await engine.handle(ReplaceAgent(await _id(world, "Ada"), "me"))
    await asyncio.wait_for(heard.wait(), 60)
    assert seen[0].count("Assignment #1") == 1 and "as it is now" not in seen[0]
    assert "It wrote: a.txt" in seen[0]
    await ended(engine, task)


def _answers(view: View) -> ChatAnswer:
    if "How far?" not in view.all:
        return say("Idle.")
    done = ("submit", {"assignment": view_work(view), "summary": "done"})
    return say("Idle.") if view.did("submit") else call(done)


def view_work(view: View) -> int:
    """The assignment that was taken over."""
    return int(view.all.split("Assignment #")[1].split(",")[0])


async def test_a_replaced_head_leaves_its_group_its_budget_and_its_reviews(world: World) -> None:
    """Members report to the successor, who may spend what the old head might, and reviews their work."""
    script = cast({"Boss": boss_of("Ada"), "Ada": _lost_head, "Ada 2": _new_head, "Bob": worker})
    engine = await world.start(script, turn=QUIET)
    task = await engine.handle(StartTask("make it", "me", "guild:1"))
    await _said(world, "I do nothing.")
    ada = await _id(world, "Ada")
    await engine.handle(RaiseCap(task, Limits(cost_micros=10**9), "me", ada))
    await _submitted(world, engine, task)
    fresh = await engine.handle(ReplaceAgent(ada, "me"))
    group = (await engine.look.agent(fresh)).leads_group_id
    assert group is not None and (await engine.look.group(group)).head_id == fresh
    bodies = [event.body for event in await ended(engine, task)]
    assert [e.leads_group_id for e in bodies if isinstance(e, AgentJoined)][-1] == group
    assert (await engine.look.agent(await _id(world, "Bob"))).head_id == fresh
    assert await world.rows(sa.select(BUDGETS.c.agent_id).where(BUDGETS.c.agent_id == fresh))
    accepted = {a.assignee for a in await engine.look.assignments(task) if a.state == "accepted"}
    assert accepted == {"Bob", "Ada 2"}
    assert (await engine.look.task(task)).agents == 3


async def _submitted(world: World, engine: Engine, task: int) -> None:
    async def waits() -> bool:
        return any(a.state == "submitted" for a in await engine.look.assignments(task))

    await world.until(waits)


def _lost_head(view: View) -> ChatAnswer:
    """Recruits Bob, gives him work, and never reviews it."""
    if not view.did("recruit"):
        member = {"name": "Bob", "role": "w", "instructions": "w"}
        return call(
            ("recruit", {"members": [member]}), ("assign", {"to": "Bob", "title": "t", "details": "d"})
        )
    return say("I do nothing.")


def _new_head(view: View) -> ChatAnswer:
    """Reviews what its message says waits for review, then submits the work taken over."""
    if not view.did("review"):
        waiting = next(line for line in view.all.splitlines() if "waits for your review" in line)
        number = int(waiting.split()[0].lstrip("#"))
        return call(("review", {"assignment": number, "verdict": "accept"}))
    if not view.did("submit"):
        return call(("submit", {"assignment": view_work(view), "summary": "done"}))
    return say("Idle.")
