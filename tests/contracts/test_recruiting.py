"""Recruiting, every backend: names, and what is said and given to those recruited in the same answer."""

from __future__ import annotations

import json
import re

import sqlalchemy as sa

from engine.commands import StartTask
from engine.events import AgentSpoke
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import AGENTS, BUDGETS, EVENTS, MESSAGES
from tests.contracts.conftest import World, still


async def test_two_who_recruit_the_same_name_at_once_both_get_an_agent(world: World) -> None:
    """Names stay unique, both groups get their member, nothing is lost to the collision."""

    def script(request: ChatRequest) -> ChatAnswer:
        newest = request.messages[-1].content
        members = [{"name": n, "role": "head", "instructions": "recruit"} for n in ("Left", "Right")]
        if request.role == "boss" and "begins" in newest:
            notes = {"to": ["Left", "Right"], "text": "recruit now", "wait": True}
            return call(("recruit", {"members": members}), ("send_message", notes))
        if "recruit now" in newest:
            twins = [{"name": f"Twin{n}", "role": "w", "instructions": "i"} for n in range(4)]
            return call(("recruit", {"members": twins}))
        return say("ok")

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    names = [row.name_key for row in await world.rows(sa.select(AGENTS.c.name_key))]
    assert len(names) == len(set(names)) == 3 + 8


async def test_messages_to_the_group_reach_agents_recruited_in_the_same_step(world: World) -> None:
    """Recruiting and addressing the new group in one answer works: each new member hears it."""
    heard: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        newest = request.messages[-1].content
        if request.role == "boss" and "begins" in newest:
            members = [{"name": f"N{n}", "role": "w", "instructions": "i"} for n in range(3)]
            return call(
                ("recruit", {"members": members}),
                ("send_message", {"to": ["group"], "text": "welcome", "wait": True}),
            )
        heard.extend(["welcome"] * ("welcome" in newest))
        return say("ok")

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    assert len(heard) == 3


async def test_messages_to_the_group_of_a_new_head_go_to_its_own_members(world: World) -> None:
    """A member that recruits and writes to "group" in one answer means its recruits, not its peers."""

    def script(request: ChatRequest) -> ChatAnswer:
        newest = request.messages[-1].content
        if request.role == "boss" and "begins" in newest:
            members = [{"name": n, "role": "head", "instructions": "i"} for n in ("Lead", "Peer")]
            notes = {"to": ["Lead"], "text": "recruit now", "wait": True}
            return call(("recruit", {"members": members}), ("send_message", notes))
        if "recruit now" in newest:
            members = [{"name": f"N{n}", "role": "w", "instructions": "i"} for n in range(3)]
            welcome = ("send_message", {"to": ["group"], "text": "welcome", "wait": True})
            return call(("recruit", {"members": members}), welcome)
        return say("ok")

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    hearers = sa.select(AGENTS.c.name, AGENTS.c.group_id).join(MESSAGES, MESSAGES.c.to_agent == AGENTS.c.id)
    heard = await world.rows(hearers.where(MESSAGES.c.text == "welcome").order_by(AGENTS.c.name))
    assert [row.name for row in heard] == ["N0", "N1", "N2"]
    spoken = await world.rows(sa.select(EVENTS.c.payload_json).where(EVENTS.c.kind == AgentSpoke.__name__))
    shown = [json.loads(row.payload_json) for row in spoken if "welcome" in row.payload_json]
    assert [body["group_id"] for body in shown] == [heard[0].group_id]


async def test_a_member_gives_those_it_recruits_work_and_a_cap_in_the_same_answer(world: World) -> None:
    """Whoever recruits becomes a head at once: it need not be asked again before it may assign."""

    def script(request: ChatRequest) -> ChatAnswer:
        newest = request.messages[-1].content
        if request.role == "boss" and "begins" in newest:
            lead = {"name": "Lead", "role": "lead", "instructions": "i"}
            notes = {"to": ["Lead"], "text": "recruit now", "wait": True}
            return call(("recruit", {"members": [lead]}), ("send_message", notes))
        if "recruit now" in newest:
            member = {"name": "Ada", "role": "w", "instructions": "i"}
            work = {"to": "Ada", "title": "part", "details": "Write part.md."}
            cap = {"name": "Ada", "tokens": 5_000}
            return call(("recruit", {"members": [member]}), ("assign", work), ("set_budget", cap))
        return say("ok")

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    heard = sa.select(MESSAGES.c.text).join(AGENTS, MESSAGES.c.to_agent == AGENTS.c.id)
    assert "Write part.md." in (await world.rows(heard.where(AGENTS.c.name == "Ada")))[0].text
    budgets = await world.rows(sa.select(BUDGETS.c.cap_tokens).where(BUDGETS.c.cap_tokens == 5_000))
    assert len(budgets) == 1


async def test_a_head_who_gave_very_much_sees_first_what_waits_for_its_review(world: World) -> None:
    """Not all it gave is read whenever it wakes; the last of 35, handed in, is among the shown."""
    shown: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        newest = request.messages[-1].content
        if request.role == "boss":
            if "begins" in newest:
                ada = {"name": "Ada", "role": "w", "instructions": "i"}
                parts = [("assign", {"to": "Ada", "title": f"p{n}", "details": "d"}) for n in range(35)]
                return call(("recruit", {"members": [ada]}), *parts)
            shown.append(newest)
            return say("ok")
        if "p34" in newest:
            number = int(re.findall(r"Assignment #(\d+): p34", newest)[0])
            return call(("submit", {"assignment": number, "summary": "done"}))
        return say("ok")

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    assert "(submitted - review it): p34" in shown[-1]
    assert shown[-1].count("You gave #") == 30 and "You gave more" in shown[-1]
