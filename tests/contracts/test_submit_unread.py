"""Work is not handed in over words on it that its member reads only with the next step."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa

from engine.commands import SayToAgent, StartTask
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import AGENTS, ASSIGNMENTS, MESSAGES
from tests.contracts.conftest import World, quiet
from tests.fakes.cast import View

RECRUIT = ("recruit", {"members": [{"name": "Ada", "role": "w", "task": "write a.txt"}]})


class Team:
    """Ada's first submission is answered when the test says so; what she is told is kept."""

    def __init__(self, *boss: ChatAnswer) -> None:
        self.boss, self.told = list(boss), list[str]()
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        """The next of whoever is asked."""
        view = View(request)
        if view.name == "Boss":
            if not view.did("recruit"):
                return call(RECRUIT)
            await self.asked.wait()
            return self.boss.pop(0) if self.boss else say("fine")
        self.told.append(view.last)
        if len(self.told) == 1:
            self.asked.set()
            await self.go.wait()
        if len(self.told) > 2:
            return say("done")
        return call(("submit", {"assignment": view.given, "summary": f"try {len(self.told)}"}))


async def _submitted(world: World) -> str:
    return str((await world.rows(sa.select(ASSIGNMENTS.c.summary)))[0].summary)


async def _unread_by_ada(world: World) -> int:
    ada = sa.select(AGENTS.c.id).where(AGENTS.c.name == "Ada").scalar_subquery()
    unread = sa.and_(MESSAGES.c.to_agent == ada, MESSAGES.c.consumed_step.is_(None))
    return len(await world.rows(sa.select(MESSAGES.c.id).where(unread)))


async def test_a_changed_assignment_is_read_before_it_is_handed_in(world: World) -> None:
    """The change came while its member was writing the answer that submits."""
    number = 1
    team = Team(call(("amend", {"assignment": number, "details": "write b.txt", "why": "Ann asks"})))
    engine = await world.start(team)
    await engine.handle(StartTask("g", "ann", "here"))
    await asyncio.wait_for(team.asked.wait(), 60)

    async def amended() -> bool:
        return await _unread_by_ada(world) == 2

    await world.until(amended)
    team.go.set()
    await world.until(lambda: quiet(world))
    assert "was changed: Ann asks" in team.told[1]
    assert await _submitted(world) == "try 2"


async def test_a_persons_words_to_a_member_are_read_before_it_hands_in(world: World) -> None:
    """Whoever writes to it meanwhile is heard first, its head as well as people."""
    team = Team(call(("send_message", {"to": ["Ada"], "text": "By the way.", "needs_answer": False})))
    engine = await world.start(team)
    await engine.handle(StartTask("g", "ann", "here"))
    await asyncio.wait_for(team.asked.wait(), 60)

    async def told() -> bool:
        return await _unread_by_ada(world) == 2

    await world.until(told)
    ada = (await world.rows(sa.select(AGENTS.c.id).where(AGENTS.c.name == "Ada")))[0].id
    await engine.handle(SayToAgent(ada, "In blue, please.", "ann", "Ann"))
    team.go.set()
    await world.until(lambda: quiet(world))
    assert "In blue, please." in team.told[1] and "By the way." in team.told[1]
    assert await _submitted(world) == "try 2"
